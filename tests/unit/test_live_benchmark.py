"""The live benchmark as far as it needs no server: shapes, who speaks when, and what its figures mean."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.live.figures import Figures, Run, figures
from benchmarks.live.histories import Wait, Waits
from benchmarks.live.options import BURST, Options, read_options
from benchmarks.live.reaction import reaction_seconds
from benchmarks.live.report import as_line, as_table
from benchmarks.live.shape import ShapeRefused, bursts, parse_shape, shape_seconds
from benchmarks.live.talk import Said, agent, turns
from benchmarks.live.watch import Sample, Watched, WorkerSample, worker_seconds
from examples.agents.arrivals import Arrival, Phase
from examples.agents.load import Load
from examples.agents.messages import KIB
from examples.agents.tally import Outcome, Tally
from scaler.model.observation import WorkerState

BEGAN = datetime(2026, 11, 28, 12, tzinfo=UTC)


def live_load(seed: int = 1, **more: Any) -> Load:
    return Load(name="live", seed=seed, agent=agent(1024, 0), task_queue="live", **more)


def sample(at_seconds: float, desired: int, *states: WorkerState, **more: Any) -> Sample:
    workers = tuple(
        WorkerSample(name=f"w-{number}", state=state, cache=1000, memory_bytes=1, restarts=0)
        for number, state in enumerate(states)
    )
    return Sample(
        **{"at_seconds": at_seconds, "desired": desired, "cache": 1000, "cpu_share": 0.5, "workers": workers, **more}
    )


def test_a_shape_is_seconds_and_turns_per_second_with_ramps_by_two_rates() -> None:
    assert parse_shape("60:0.4-3.2,60:3.2,90:9.6") == (
        Phase("phase 1", 60.0, 0.4, 3.2),
        Phase("phase 2", 60.0, 3.2),
        Phase("phase 3", 90.0, 9.6),
    )
    assert parse_shape(" 7.5:0-2 , 10:1") == (Phase("phase 1", 7.5, 0.0, 2.0), Phase("phase 2", 10.0, 1.0))
    assert shape_seconds(parse_shape(BURST)) == 360.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "phase 1 is ''"),
        ("10", "SECONDS:RATE or SECONDS:RATE-RATE, separated by commas, such as 60:0.4-3.2,90:9.6; phase 1 is '10'"),
        ("10:1,", "phase 2 is ''"),
        ("10:1-2-3", "phase 1 is '10:1-2-3'"),
        ("10:-1", "phase 1 is '10:-1'"),
        ("10:nan", "phase 1 is '10:nan'"),
        ("1e3:1", "phase 1 is '1e3:1'"),
        ("10:1,0:5", "a phase lasts more than 0 s; phase 2 is '0:5'"),
        ("10:1-51", "at most 50 turns per second; phase 1 is '10:1-51'"),
        ("1800:1,1801:1", "a shape lasts at most 3600 s, found 3601 s"),
    ],
)
def test_a_shape_that_can_not_be_run_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ShapeRefused) as refused:
        parse_shape(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "jumps"),
    [
        (BURST, ((120.0, 210.0),)),
        ("10:1", ((0.0, 10.0),)),
        ("60:1-4,60:4-1", ((0.0, 120.0),)),
        ("30:1,30:4,30:8,30:4,30:1", ((30.0, 120.0), (60.0, 90.0))),
        ("30:1,30:4,30:1,30:4", ((30.0, 60.0), (90.0, 120.0))),
    ],
)
def test_a_burst_begins_with_a_jump_and_ends_where_the_load_is_lower_again(
    text: str, jumps: tuple[tuple[float, float], ...]
) -> None:
    assert bursts(parse_shape(text)) == jumps


def test_the_same_seed_says_the_same() -> None:
    phases = parse_shape(BURST)
    assert list(turns(phases, live_load(1))) == list(turns(phases, live_load(1)))
    assert list(turns(phases, live_load(1))) != list(turns(phases, live_load(2)))


def test_the_load_of_the_first_seed_is_the_one_that_was_measured() -> None:
    said = list(turns(parse_shape(BURST), live_load(1)))
    assert (len(said), 1 + max(each.arrival.conversation for each in said)) == (1395, 564)
    assert sum(each.model_seconds for each in said) == pytest.approx(4182.91, abs=0.01)


def test_four_turns_in_ten_open_a_conversation_and_the_others_go_on_with_one_at_rest() -> None:
    said = list(turns(parse_shape("600:5"), live_load(3)))
    opened = sum(each.arrival.turn == 0 for each in said)
    assert opened / len(said) == pytest.approx(0.4, abs=0.04)
    before: dict[int, Said] = {}
    for each in said:
        last = before.get(each.arrival.conversation)
        assert each.arrival.turn == (0 if last is None else last.arrival.turn + 1)
        if last is not None:
            assert each.arrival.at_seconds >= last.arrival.at_seconds + last.model_seconds + 5.0
        before[each.arrival.conversation] = each
    assert not any(each.arrival.last for each in said)


def test_a_turn_takes_one_to_three_model_calls_of_a_second_and_a_half() -> None:
    said = list(turns(parse_shape("600:5"), live_load(4)))
    assert sum(each.model_seconds for each in said) / len(said) == pytest.approx(3.0, abs=0.15)
    assert max(each.model_seconds for each in said) <= 24.0


def test_without_a_spread_all_conversations_weigh_the_same_and_with_one_a_few_weigh_much_more() -> None:
    plain, spread = live_load(), live_load(context_spread=1.0)
    assert {plain.opening(number).agent.context_bytes for number in range(100)} == {1024 * KIB}
    sizes = sorted(spread.opening(number).agent.context_bytes / KIB for number in range(2000))
    assert sum(sizes) / len(sizes) == pytest.approx(1024, rel=0.1)
    assert sizes[1000] == pytest.approx(1024 * 0.607, rel=0.1)  # the median of a lognormal is e^(-1/2) of its mean
    assert sizes[-1] <= 8 * 1024


def test_a_conversation_is_one_object_that_grows_by_what_was_asked() -> None:
    assert agent(2560, 64).context_bytes == 2560 * KIB
    assert agent(2560, 64).bytes_per_turn == 64 * KIB
    assert agent(2560, 64).bytes_per_message >= 8 * 2560 * KIB


def test_the_options_have_the_burst_as_their_default_and_are_told_as_they_were_given() -> None:
    assert read_options([]) == Options()
    written = "--shape 10:1 --state-kib 2560 --spread 0.5 --hygiene on --fixed 4 --output json"
    given = read_options(written.split())
    assert given.told() == {
        "shape": "10:1", "state_kib": 2560, "spread": 0.5, "growth_kib": 0, "hygiene": "on", "seed": 1, "fixed": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--shape 10:x", "phase 1 is '10:x'"),
        ("--fixed 0", "must be a whole number from 1 to 32, found 0"),
        ("--state-kib 1.5", "must be a whole number from 0 to 65536, found 1.5"),
        ("--spread nan", "must be from 0 to 3, found nan"),
        ("--growth-kib inf", "must be a whole number from 0 to 65536, found inf"),
        ("--hygiene maybe", "invalid choice: 'maybe'"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_started(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(arguments.split())
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_worker_seconds_count_all_but_those_that_drain() -> None:
    ready, starting = WorkerState.READY, WorkerState.STARTING
    restarting, draining = WorkerState.RESTARTING, WorkerState.DRAINING
    samples = [
        sample(1.0, 2, ready, ready),
        sample(3.0, 3, ready, ready, starting),
        sample(4.0, 1, ready, restarting, draining, draining),
    ]
    assert worker_seconds(samples) == 2 * 1 + 3 * 2 + 2 * 1
    assert worker_seconds(samples, draining=True) == 2.0


def waits(*activities: tuple[float, float]) -> Waits:
    return Waits(activities=[Wait(at_seconds=at, seconds=seconds) for at, seconds in activities])


@pytest.mark.parametrize(
    ("late", "orders", "seconds"),
    [
        (((121.0, 1.5),), ((0, 2), (127, 4)), 6.0),  # answered six seconds after the task
        (((121.0, 0.9),), ((0, 2), (127, 4)), None),  # nothing waited for too long
        (((110.0, 9.0), (124.0, 2.0)), ((0, 2), (127, 4)), 3.0),  # what waited before the burst is not its
        (((124.0, 2.0),), ((0, 2), (121, 4)), 0.0),  # ordered before the first task waited
        (((124.0, 2.0),), ((0, 2), (121, 1), (130, 2)), 6.0),  # one fewer is no order for more
        (((124.0, 2.0),), ((0, 2), (215, 4)), 86.0),  # only after the burst: never
        (((124.0, 2.0),), ((0, 8),), None),  # all were there
    ],
)
def test_the_reaction_is_from_the_first_task_beyond_its_objective_to_an_order_for_more(
    late: tuple[tuple[float, float], ...], orders: tuple[tuple[float, int], ...], seconds: float | None
) -> None:
    samples = [sample(float(at), desired) for at, desired in orders]
    assert reaction_seconds(waits(*late), samples, [(120.0, 210.0)]) == seconds


def test_a_workflow_task_has_less_time_than_an_activity_and_the_slowest_burst_counts() -> None:
    slow = Waits(workflow_tasks=[Wait(at_seconds=31.0, seconds=0.3)], activities=[Wait(at_seconds=91.0, seconds=1.1)])
    samples = [sample(0.0, 1), sample(32.0, 2), sample(100.0, 3)]
    assert reaction_seconds(slow, samples, [(30.0, 60.0), (90.0, 120.0)]) == 9.0
    assert reaction_seconds(slow, samples, [(30.0, 60.0)]) == 1.0


def said(at_seconds: float, conversation: int, model_seconds: float) -> Said:
    arrival = Arrival(at_seconds=at_seconds, conversation=conversation, turn=0, last=False)
    return Said(arrival=arrival, model_seconds=model_seconds)


def small_run(**more: Any) -> Run:
    """Ten seconds, four turns: one in time, one late, one failed, one never answered."""
    outcomes = [
        Outcome(at_seconds=1.0, latency_seconds=2.5),
        Outcome(at_seconds=2.0, latency_seconds=10.1),
        Outcome(at_seconds=3.0, latency_seconds=0.2, fault="refused"),
    ]
    samples = [
        sample(2.0, 2, WorkerState.READY, WorkerState.READY, cpu_share=0.4),
        sample(5.0, 4, WorkerState.READY, WorkerState.RESTARTING, WorkerState.DRAINING, cpu_share=0.9),
        sample(40.0, 3, WorkerState.READY, cache=36, cpu_share=0.2),
        sample(41.0, 8, WorkerState.READY, cache=7, cpu_share=1.0),  # thirty seconds after the end: not its any more
    ]
    kills = {("w-0", BEGAN - timedelta(seconds=1)): None, ("w-1", BEGAN + timedelta(seconds=4)): None}
    values: dict[str, Any] = {
        "phases": parse_shape("10:1"),
        "planned": [said(1.0, 0, 3.0), said(2.0, 1, 5.0), said(3.0, 2, 1.0), said(4.0, 3, 7.0)],
        "tally": Tally(arrived=4, outcomes=outcomes),
        "waits": Waits(
            workflow_tasks=[Wait(at_seconds=1.0, seconds=0.1)],
            activities=[Wait(at_seconds=1.0, seconds=0.5), Wait(at_seconds=2.5, seconds=4.0)],
        ),
        "watched": Watched(samples=samples, oom_kills=kills),
        "began_at": BEGAN,
        "decided_at": BEGAN,
    }
    return Run(**{**values, **more})


EXPECTED = Figures(
    turns=4,
    conversations=4,
    late_share=0.75,
    lost=2,
    turn_p50_s=2.5,
    turn_p95_s=10.1,
    turn_p99_s=10.1,
    activity_wait_p95_s=4.0,
    workflow_task_wait_p95_s=0.1,
    oom_kills=2,
    oom_kills_after_first_decision=1,
    restarts=0,
    worker_seconds=2 * 2.0 + 2 * 3.0 + 1 * 35.0,
    least_worker_seconds=2.0,
    worker_seconds_over_least=22.5,
    draining_worker_seconds=3.0,
    workers_min=2,
    workers_max=4,
    cache_last=36,
    reaction_s=2.5,
    machine_cpu_share=0.5,
    machine_busy_share=1 / 3,
    memory_limit_held_by="cgroup",
)


def test_the_figures_of_a_run() -> None:
    assert figures(small_run()) == EXPECTED


def test_without_a_controller_nothing_was_decided_and_nothing_reacted() -> None:
    alone = figures(small_run(decided_at=None))
    assert (alone.oom_kills, alone.oom_kills_after_first_decision, alone.reaction_s) == (2, None, None)


def test_when_all_is_answered_a_run_ends_with_its_last_answer() -> None:
    answered = [Outcome(at_seconds=float(at), latency_seconds=2.0) for at in (1, 2, 3)]
    last = Outcome(at_seconds=4.0, latency_seconds=8.5)
    assert small_run(tally=Tally(arrived=4, outcomes=[*answered, last])).seconds == 12.5
    assert small_run(tally=Tally(arrived=4, outcomes=[*answered, answered[0]])).seconds == 10.0


def test_the_last_line_is_one_object_with_the_options_and_every_figure() -> None:
    assert json.loads(as_line(Options(shape="10:1"), EXPECTED)) == {
        "shape": "10:1", "state_kib": 1024, "spread": 0.0, "growth_kib": 0, "hygiene": "off", "seed": 1, "fixed": None,
        "turns": 4, "conversations": 4, "late_share": 0.75, "lost": 2,
        "turn_p50_s": 2.5, "turn_p95_s": 10.1, "turn_p99_s": 10.1,
        "activity_wait_p95_s": 4.0, "workflow_task_wait_p95_s": 0.1,
        "oom_kills": 2, "oom_kills_after_first_decision": 1, "restarts": 0,
        "worker_seconds": 45.0, "least_worker_seconds": 2.0, "worker_seconds_over_least": 22.5,
        "draining_worker_seconds": 3.0, "workers_min": 2, "workers_max": 4, "cache_last": 36, "reaction_s": 2.5,
        "machine_cpu_share": 0.5, "machine_busy_share": 0.3333, "memory_limit_held_by": "cgroup",
    }  # fmt: skip


def test_the_table_has_a_row_for_every_figure() -> None:
    assert as_table(EXPECTED).row_count == len(EXPECTED.told())
