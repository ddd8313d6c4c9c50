from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from examples.agents.arrivals import arrivals
from examples.demo.cast import AGENTS
from examples.demo.changes import changes
from examples.demo.failures import first as told_first
from examples.demo.needs import see
from examples.demo.page import View, page
from examples.demo.picture import Subject, draw
from examples.demo.reaction import reaction_seconds
from examples.demo.recording import Recording, Sample, Wait, WorkerStart
from examples.demo.scenes import BURST, USERS, scene_at, scenes
from examples.demo.series import wait_percentile, waiting
from examples.demo.summary import summarised
from examples.demo.telling import line
from scaler.cli.exits import CommandFailed, Exit
from scaler.model.common import Size
from tests.support.states import state

MIB = 2**20
LENGTH = 100.0
SCENES = scenes(LENGTH)
BURST_BEGINS = next(scene.begins for scene in SCENES if scene.name == BURST)


def sample(at_seconds: float, **changed: Any) -> Sample:
    plain: dict[str, Any] = {
        "at_seconds": at_seconds,
        "phase": scene_at(SCENES, at_seconds)[0],
        "offered_per_second": 2.0,
        "arrived": 10,
        "completed": int(at_seconds),
        "failed": 0,
        "workers": 2,
        "ready": 2,
        "size": Size(2, 20),
        "fullest_bytes": 80 * MIB,
        "peak_bytes": 84 * MIB,
        "limit_bytes": 112 * MIB,
    }
    return Sample(**(plain | changed))


def recording(answered_at: float, *, queued_at: float = BURST_BEGINS + 2) -> Recording:
    """A fleet of two that becomes four during the burst."""
    samples = [sample(second, size=Size(4 if second >= answered_at else 2, 20)) for second in range(int(LENGTH))]
    return Recording(
        samples=samples,
        starts=[
            WorkerStart(worker="w-1", at_seconds=-1.0),
            WorkerStart(worker="w-3", at_seconds=answered_at + 0.25),
        ],
        activity_waits=[
            Wait(at_seconds=1.0, seconds=0.01),
            Wait(at_seconds=queued_at, seconds=3.0),
            Wait(at_seconds=queued_at + 1, seconds=2.0),
        ],
        workflow_task_waits=[Wait(at_seconds=1.0, seconds=0.02), Wait(at_seconds=50.0, seconds=0.02, replayed=True)],
    )


@pytest.mark.parametrize("seconds", [10.0, 20.0, 180.0, 3600.0])
def test_the_phases_take_as_long_as_was_asked_for_and_follow_one_another(seconds: float) -> None:
    told = scenes(seconds)

    assert told[-1].ends == pytest.approx(seconds)
    assert [later.begins for later in told[1:]] == pytest.approx([sooner.ends for sooner in told[:-1]])
    assert [scene.name for scene in told[:2]] == ["quiet", "ramp"]
    assert BURST in [scene.name for scene in told]


def test_the_burst_offers_more_than_any_other_phase() -> None:
    peaks = {scene.name: scene.phase.peak for scene in SCENES}

    assert max(peaks, key=lambda name: peaks[name]) == BURST


def test_after_the_last_phase_nothing_is_offered() -> None:
    assert scene_at(SCENES, LENGTH + 1) == ("end", 0.0)


def test_the_same_seed_offers_the_same_turns() -> None:
    phases = [scene.phase for scene in SCENES]

    assert list(arrivals(phases, USERS, 7)) == list(arrivals(phases, USERS, 7))
    assert list(arrivals(phases, USERS, 7)) != list(arrivals(phases, USERS, 8))


def test_the_reaction_counts_from_the_first_task_that_found_no_slot_to_the_first_process() -> None:
    assert reaction_seconds(recording(BURST_BEGINS + 6), SCENES) == pytest.approx(4.25, abs=1.0)


def test_a_fleet_that_grew_in_the_burst_before_anything_waited_reacted_at_once() -> None:
    told = recording(BURST_BEGINS + 2, queued_at=BURST_BEGINS + 6)

    assert reaction_seconds(told, SCENES) == 0.0


def test_a_burst_that_was_never_answered_counts_until_the_recording_ends() -> None:
    told = recording(LENGTH + 10)

    assert reaction_seconds(told, SCENES) == pytest.approx(told.samples[-1].at_seconds - (BURST_BEGINS + 2))


def test_a_replacement_is_no_reaction() -> None:
    told = recording(BURST_BEGINS + 8)
    told.starts.append(WorkerStart(worker="w-2", at_seconds=BURST_BEGINS + 3))

    assert reaction_seconds(told, SCENES) == pytest.approx(6.25, abs=1.0)


def test_a_burst_without_backlog_was_answered_at_once() -> None:
    assert reaction_seconds(recording(BURST_BEGINS + 6, queued_at=5.0), SCENES) == 0.0


def test_the_summary_tells_the_extremes_and_each_change_once() -> None:
    told = summarised(recording(BURST_BEGINS + 6), SCENES, Path("demo.svg"))

    assert (told.workers_min, told.workers_max, told.size_changes) == (2, 4, 1)
    assert (told.cache_first, told.cache_last) == (20, 20)
    assert told.peak_memory_fraction == pytest.approx(0.75)
    assert told.activity_schedule_to_start_p95_ms == pytest.approx(3000)
    assert (told.replayed_elsewhere, told.workflow_tasks) == (1, 2)


def test_of_an_empty_recording_nothing_is_made_up() -> None:
    told = summarised(Recording(), SCENES, Path("demo.svg"))

    assert (told.cache_first, told.reaction_s, told.peak_memory_fraction) == (None, None, None)
    assert told.activity_schedule_to_start_p95_ms is None


def test_a_task_waits_from_its_schedule_to_its_start() -> None:
    times, counts = waiting([Wait(at_seconds=1.0, seconds=2.0), Wait(at_seconds=2.0, seconds=2.0)], 5.0)

    assert dict(zip(times, counts, strict=True)) | {} == {
        0.0: 0, 0.5: 0, 1.0: 1, 1.5: 1, 2.0: 2, 2.5: 2, 3.0: 1, 3.5: 1, 4.0: 0, 4.5: 0, 5.0: 0,
    }  # fmt: skip


def test_the_percentile_over_time_forgets_old_waits() -> None:
    times, figures = wait_percentile([Wait(at_seconds=1.0, seconds=2.0)], 15.0, 95)
    at = dict(zip(times, figures, strict=True))

    assert at[5.0] == 2.0
    assert at[12.0] != at[12.0]  # not a number: there was none


def test_a_change_says_when_and_what() -> None:
    told = changes([sample(64.0), sample(65.0, size=Size(4, 30), reasons=("scale_out_activity",))])

    assert [" ".join(str(change).split()) for change in told] == [
        "1:05 evening workers 2 → 4, cache 20 → 30 scale out activity"
    ]


def test_a_plain_line_names_the_figures() -> None:
    text = line(sample(65.0, backlog=3))

    assert "2 of 2 workers × cache 20" in text
    assert "backlog 3" in text
    assert "80 MiB of 112 MiB" in text


def test_what_the_demo_needs_and_does_not_find_is_named_with_its_remedy() -> None:
    with pytest.raises(CommandFailed, match=r"needs no_such_package\.inner.*\nGet it\."):
        see("no_such_package.inner", "Get it.")


def test_of_several_parts_that_failed_together_the_first_is_told() -> None:
    first = CommandFailed(Exit.REFUSED, "it runs already")

    assert told_first(ExceptionGroup("", [ExceptionGroup("", [first]), ValueError()])) is first


def test_the_page_fits_a_small_terminal() -> None:
    view = View(scenes=SCENES, samples=recording(BURST_BEGINS + 6).samples, state=state(), place="Temporal server")
    console = Console(width=100, height=30, record=True, file=None, force_terminal=False)
    with console.capture() as shown:
        console.print(page(view))
    lines = shown.get().splitlines()

    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    assert any("4 decided" in text for text in lines)


def test_a_recording_is_drawn_with_all_its_panels(tmp_path: Path) -> None:
    path = tmp_path / "demo.svg"
    draw(Subject(title="A fleet", fleet=AGENTS.fleet, scenes=SCENES, recording=recording(BURST_BEGINS + 6)), path)
    text = path.read_text()

    assert "<svg" in text
    for title in ("Load", "Workers (N)", "Cache of each worker (C)", "Backlog", "Schedule to start", "Memory"):
        assert f"<!-- {title}" in text
    for scene in SCENES:
        assert f"<!-- {scene.name} -->" in text


def test_the_same_recording_draws_the_same_picture(tmp_path: Path) -> None:
    told = Subject(title="A fleet", fleet=AGENTS.fleet, scenes=SCENES, recording=recording(BURST_BEGINS + 6))
    for name in ("one.png", "two.png"):
        draw(told, tmp_path / name)

    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_an_empty_recording_can_be_drawn(tmp_path: Path) -> None:
    draw(Subject(title="A fleet", fleet=AGENTS.fleet, scenes=SCENES, recording=Recording()), tmp_path / "demo.svg")

    assert (tmp_path / "demo.svg").exists()
