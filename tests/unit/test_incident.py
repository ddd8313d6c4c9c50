"""The live replay of the incident as far as it needs no server: its rule, its script, its figures and its picture."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from examples.demo.__main__ import demos
from examples.demo.incident.cast import CUT_CACHE, FEWEST, FIRST_SIZE, LARGE_CACHE, MOST, RULE, cast
from examples.demo.incident.cpu_meter import MachineMeter, quota
from examples.demo.incident.cpu_rule import CpuReading, Wish, instances, mean_share, wished
from examples.demo.incident.picture import Contrast, draw
from examples.demo.incident.script import SCENES, piece
from examples.demo.incident.side import Side
from examples.demo.incident.summary import (
    MOST_MACHINE_CPU,
    compared,
    comparison_table,
    first_decision_seconds,
    held_after_cuts,
    side_figures,
)
from examples.demo.recording import Recording, Sample, Wait
from examples.demo.scenes import scene_at
from scaler.cli.exits import Exit
from scaler.cli.main import carry_out
from scaler.model.common import Size

MIB = 2**20
FLEET = cast("after").fleet
ENDS = SCENES[-1].ends


def readings(share: float, instances: int = 4, seconds: int = 60) -> list[CpuReading]:
    """A reading a second, each instance at this share of its vCPU."""
    return [
        CpuReading(
            at_seconds=float(second),
            seconds=1.0,
            instances=instances,
            vcpu_seconds=share * instances,
            processes=instances,
        )
        for second in range(1, seconds + 1)
    ]


def wish(at_seconds: float, count: int) -> Wish:
    return Wish(at_seconds=at_seconds, share=0.6, instances=count)


def sample(at_seconds: float, **changed: Any) -> Sample:
    plain: dict[str, Any] = {
        "at_seconds": at_seconds,
        "phase": scene_at(SCENES, at_seconds)[0],
        "offered_per_second": 2.0,
        "arrived": 12,
        "completed": 9,
        "failed": 1,
        "workers": 4,
        "ready": 4,
        "size": Size(4, 100),
        "fullest_bytes": 80 * MIB,
        "peak_bytes": 84 * MIB,
        "limit_bytes": 256 * MIB,
        "mode": "steady",
    }
    return Sample(**(plain | changed))


def side(**changed: Any) -> Side:
    """A quiet one: nothing is killed, everything starts soon."""
    recording = Recording(
        samples=[sample(float(second), cached=second or None) for second in range(int(ENDS))],
        activity_waits=[Wait(at_seconds=float(second), seconds=0.1) for second in range(int(ENDS))],
        workflow_task_waits=[Wait(at_seconds=float(second), seconds=0.01) for second in range(int(ENDS))],
        turn_latency_p95_seconds=4.0,
    )
    plain = Side(recording=recording, cpu=readings(0.3), machine_cpu_share=0.5)
    for name, value in changed.items():
        setattr(plain if hasattr(plain, name) else recording, name, value)
    return plain


@pytest.mark.parametrize(("share", "expected"), [(0.3, 2), (0.6, 4), (0.61, 5), (0.9, 6), (0.0, FEWEST), (9.0, MOST)])
def test_the_cpu_rule_brings_the_mean_share_to_its_target_within_the_bounds(share: float, expected: int) -> None:
    found = wished(readings(share), RULE)

    assert found is not None
    assert found.share == pytest.approx(share)
    assert found.instances == expected


def test_a_crashing_instance_counts_and_its_start_is_taken_for_work() -> None:
    """Three of four wait for their restart and use nothing, one starts: the rule sees a busy fleet."""
    starting = [replace(reading, vcpu_seconds=10.0, processes=1) for reading in readings(0.0)]

    found = wished(starting, RULE)

    assert found is not None
    assert found.instances == MOST


def test_instances_that_have_just_come_do_not_make_the_rule_run_away() -> None:
    """Four at 75 % until a moment ago, five now: what was used asks for five, not for seven."""
    grown = [*readings(0.75)[:-1], replace(readings(0.6, instances=5)[-1], at_seconds=60.0)]

    found = wished(grown, RULE)

    assert found is not None
    assert found.instances == 5


def test_without_a_whole_averaging_time_the_cpu_rule_wishes_nothing() -> None:
    assert wished([], RULE) is None
    assert wished(readings(0.9, seconds=int(RULE.average_seconds) - 1), RULE) is None
    assert wished(readings(0.9, seconds=int(RULE.average_seconds)), RULE) is not None


def test_the_mean_forgets_what_is_older_than_the_averaging_time() -> None:
    quiet_after_a_storm = [*readings(3.0)[:40], *readings(0.3)[40:]]

    assert mean_share(quiet_after_a_storm, 20.0) == pytest.approx(0.3)


def test_the_highest_wish_of_a_while_counts() -> None:
    assert instances([wish(0, 6), wish(5, 2)], RULE) == 6
    assert instances([wish(0, 6), wish(RULE.hold_seconds, 2)], RULE) == 2
    assert instances([wish(0, 2), wish(5, 3)], RULE) == 3


def test_a_process_that_shares_our_cgroup_has_no_quota_of_its_own() -> None:
    assert quota(os.getpid()) is None


def test_the_machine_is_used_by_nothing_before_any_time_has_passed() -> None:
    assert 0.0 <= MachineMeter().share() <= 1.0


def test_both_sides_hear_the_same_turns_and_nobody_says_goodbye() -> None:
    assert piece(3) == piece(3)
    assert piece(3).turns != piece(4).turns
    assert not any(turn.last for turn in piece(3).turns)


def test_the_load_stays_as_it_is_when_the_operator_steps_in() -> None:
    rates = {scene.name: (scene.phase.rate(0.0), scene.phase.rate(scene.phase.seconds)) for scene in SCENES[1:]}

    assert len({rate for pair in rates.values() for rate in pair}) == 1


def test_the_operator_cuts_the_cache_tenfold_and_both_sides_begin_alike() -> None:
    assert CUT_CACHE * 10 == LARGE_CACHE
    assert FIRST_SIZE.cache == FLEET.cache.max == LARGE_CACHE
    assert (FLEET.workers.min, FLEET.workers.max) == (RULE.fewest, RULE.most)
    assert cast("before").memory_limit_bytes == cast("after").memory_limit_bytes


def test_a_kill_counts_as_the_deciders_own_once_it_knew_enough() -> None:
    told = side(oom_kills=[20.0, 50.0, 60.0], wishes=[wish(40.0, 4)])

    figures = side_figures(told, FLEET, SCENES)

    assert (figures.oom_kills, figures.oom_kills_after_first_decision) == (3, 2)


def test_this_product_knew_enough_when_a_worker_had_told_what_it_caches() -> None:
    assert first_decision_seconds(side()) == 1.0


def test_who_never_came_to_know_anything_is_excused_of_no_kill() -> None:
    assert side_figures(Side(recording=Recording(oom_kills=[50.0])), FLEET, SCENES).oom_kills_after_first_decision == 1


def test_the_figures_of_a_side_come_from_what_was_recorded() -> None:
    figures = side_figures(side(), FLEET, SCENES)

    assert (figures.turns_completed, figures.turns_failed, figures.turns_unanswered) == (9, 1, 2)
    assert figures.activity_schedule_to_start_p95_ms == 100.0
    assert figures.worker_seconds == 240.0
    assert (figures.workers_min, figures.workers_max, figures.cache_last) == (4, 4, 100)
    assert figures.slo_violation_share == 0.0


def test_only_what_waits_after_the_warm_up_violates_the_objective() -> None:
    told = side(
        activity_waits=[Wait(at_seconds=1.0, seconds=9.0), Wait(at_seconds=100.0, seconds=9.0)],
        workflow_task_waits=[Wait(at_seconds=100.0, seconds=0.1)] * 3,
    )

    figures = side_figures(told, FLEET, SCENES)

    assert figures.slo_violation_share == 0.25
    assert figures.activity_schedule_to_start_p95_ms_by_phase == {
        scene.name: waited for scene, waited in zip(SCENES, (9000.0, 9000.0, None), strict=True)
    }


def test_of_an_empty_side_nothing_is_made_up() -> None:
    figures = side_figures(Side(recording=Recording()), FLEET, SCENES)

    assert (figures.turn_latency_p95_ms, figures.slo_violation_share, figures.cache_last) == (None, None, None)


@pytest.mark.parametrize(("machine", "valid"), [(MOST_MACHINE_CPU, True), (MOST_MACHINE_CPU + 0.01, False)])
def test_a_run_that_took_most_of_the_machine_is_invalid(machine: float, valid: bool) -> None:
    told = compared(side(machine_cpu_share=machine), side(), FLEET, SCENES, Path("incident.svg"))

    assert told.valid is valid


def test_the_promises_are_judged_by_the_side_after() -> None:
    bad = side(oom_kills=[50.0], activity_waits=[Wait(at_seconds=150.0, seconds=2.0)], wishes=[])
    good = compared(bad, side(), FLEET, SCENES, Path("incident.svg")).promises
    broken = compared(side(), bad, FLEET, SCENES, Path("incident.svg")).promises

    assert (good.no_oom_kill_after_first_decision, good.activities_inside_objective) == (True, True)
    assert (broken.no_oom_kill_after_first_decision, broken.activities_inside_objective) == (False, False)


@pytest.mark.parametrize(
    ("after_cut", "held"),
    [
        ([sample(11, size=Size(4, 12), mode="rollout"), sample(20, size=Size(4, 12), mode="hold_after_cut")], True),
        ([sample(11, size=Size(3, 12), mode="rollout")], False),
        ([sample(11, size=Size(4, 12), mode="rollout"), sample(20, size=Size(3, 12), mode="hold_after_cut")], False),
        ([sample(11, size=Size(4, 12), mode="rollout"), sample(60, size=Size(3, 12), mode="steady")], True),
    ],
    ids=["held", "fewer in the cut's own step", "fewer during the hold", "fewer after the hold"],
)
def test_workers_are_held_after_a_cut_until_the_hold_ends(after_cut: list[Sample], held: bool) -> None:
    assert held_after_cuts([sample(10), *after_cut]) is held


def test_the_table_has_both_sides_and_each_phase() -> None:
    table = comparison_table(compared(side(), side(), FLEET, SCENES, Path("incident.svg")))

    assert [column.header for column in table.columns] == ["", "before", "after"]
    names = [str(cell).strip() for cell in table.columns[0].cells]
    assert {"OOM kills", "worker-seconds", *(scene.name for scene in SCENES)} <= set(names)


def contrast(before: Side, after: Side) -> Contrast:
    return Contrast(title="Twice", fleet=FLEET, rule=RULE, scenes=SCENES, before=before, after=after)


def test_both_sides_are_drawn_in_each_panel(tmp_path: Path) -> None:
    path = tmp_path / "incident.svg"
    draw(contrast(side(oom_kills=[50.0]), side()), path)
    text = path.read_text()

    for title in ("Workers (N)", "Cache of each worker (C)", "CPU of one worker", "Memory", "Backlog", "Schedule to"):
        assert f"<!-- {title}" in text
    assert text.count("<!-- before -->") == text.count("<!-- after -->") == 6
    assert "<!-- killed for memory -->" in text


def test_other_recordings_draw_another_picture_and_the_same_ones_the_same(tmp_path: Path) -> None:
    for name, kills in (("one.png", [50.0]), ("two.png", [50.0]), ("three.png", [60.0])):
        draw(contrast(side(oom_kills=kills), side()), tmp_path / name)

    one, two, three = ((tmp_path / name).read_bytes() for name in ("one.png", "two.png", "three.png"))
    assert one == two
    assert one != three


def test_empty_sides_can_be_drawn(tmp_path: Path) -> None:
    draw(contrast(Side(recording=Recording()), Side(recording=Recording())), tmp_path / "incident.svg")

    assert (tmp_path / "incident.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("incident --for 1m", "Unknown option: --for"),
        ("incident --seed many", "Invalid value"),
        ("accident", "accident"),
    ],
)
def test_an_incident_that_can_not_be_understood_starts_nothing(
    arguments: str, expected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert carry_out(arguments.split(), demos) is Exit.USAGE
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_incident_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out(["incident", "--help"], demos) is Exit.OK
    assert carry_out(["help", "incident"], demos) is Exit.OK

    assert capsys.readouterr().out.count("Usage: python -m examples.demo incident") == 2
