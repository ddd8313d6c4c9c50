"""Load, slots, service time and limits are each queue's own; the count is the most that any queue asks for."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.joining import totals
from activities.rows import rows_kept
from scaler.fleet import Fleet
from scaler.learn.learning import learn
from scaler.model.common import Polled, Size, TaskType
from scaler.model.decision import Decision
from scaler.model.observation import Observation, QueueSeen, ReplaySeen
from tests.support.lives import calm, passed
from tests.support.plausible import Life
from tests.support.queue_worlds import Stream, activity_queues, passed_with, told_of
from tests.support.strategies import declared

GPU = Stream(queue="gpu", per_second=10.0, seconds=2.0, slots=4)
LIGHT = Stream(queue="light", per_second=0.2, seconds=1.0, slots=100)
SETTLES, FEW = 40, 10


def _fleet(*names: str, most: int = 40, **changes: object) -> Fleet:
    return declared(workers={"min": 1, "max": most}, task_queues=activity_queues(*names, **changes))


def _life(fleet: Fleet, workers: int = 6) -> Life:
    return Life(fleet, Size(workers, None), 2**18, ReplaySeen())


def _need(*streams: Stream, ticks: int = SETTLES, most: int = 40) -> Decision:
    return passed_with(_life(_fleet(*(each.queue for each in streams), most=most)), ticks, streams).decision


def _workers(decision: Decision) -> int:
    assert decision.predicted is not None
    return decision.predicted.size.workers


def test_slots_of_another_queue_are_no_slots_for_this_one() -> None:
    """Four slots a worker beside a hundred of another queue: 20 slots' worth of tasks need more than five workers."""
    alone, beside = _need(GPU), _need(GPU, LIGHT)

    assert _workers(alone) == _workers(beside)
    assert 6 <= _workers(alone) <= 8


def test_the_binding_queue_is_named() -> None:
    decision = _need(LIGHT, GPU)

    assert decision.workers_queue == Polled("gpu", TaskType.ACTIVITY)


def test_what_is_told_of_one_queue_is_its_own_time_though_sums_of_both_are_told() -> None:
    """Ten short tasks a second and a long one in twenty: two and a half slots, not 150."""
    fast = Stream(queue="fast", per_second=10.0, seconds=0.1, slots=8)
    slow = Stream(queue="slow", per_second=0.05, seconds=30.0, slots=8)
    for beats in (True, False):
        life = _life(_fleet("fast", "slow"), 2)
        decision = passed_with(
            life,
            SETTLES,
            (fast, slow),
            lambda life, streams, beats=beats: told_of(life, streams, by_queue=False, beats=beats),
        ).decision

        assert _workers(decision) <= 2


def test_of_several_queues_sums_tell_nothing_of_one() -> None:
    """Taken slots are known to be of a queue where it is the only one, or where each is told of by itself."""

    def told(streams: tuple[Stream, ...], *, by_queue: bool) -> list[bool]:
        life = _life(_fleet(*(each.queue for each in streams)))
        estimate, _ = learn(told_of(life, streams, by_queue=by_queue), life.fleet, life.memory, life.now)
        return [load.busy_told for load in estimate.loads]

    assert told((GPU,), by_queue=False) == [True]
    assert told((GPU, LIGHT), by_queue=False) == [False, False]
    assert told((GPU, LIGHT), by_queue=True) == [True, True]


def test_a_share_of_a_queue_counts_as_that_part_of_it() -> None:
    whole = passed(calm(20), SETTLES, 60.0).decision
    tenth = passed(calm(20, task_queues=[{"name": "agents", "share": 0.1}]), SETTLES, 6.0, _ten_times).decision

    assert _workers(whole) >= 11
    assert _workers(tenth) <= 3


def _ten_times(seen: Observation) -> Observation:
    """The server tells of the whole queue, workers of what they do."""
    queues = (
        replace(
            each,
            arrivals_per_second=10 * (each.arrivals_per_second or 0.0),
            dispatches_per_second=10 * (each.dispatches_per_second or 0.0),
        )
        for each in seen.queues
    )
    return replace(seen, queues=tuple(queues))


def test_a_queue_at_its_limit_holds_back_no_other_queue() -> None:
    limited = Stream(queue="gpu", per_second=10.0, seconds=2.0, slots=4, waiting=500, waited_seconds=2.0, limited=True)
    late = Stream(queue="light", per_second=60.0, seconds=1.0, slots=10, waiting=40, waited_seconds=2.0)
    step = passed_with(_life(_fleet("gpu", "light"), 6), SETTLES, (limited, late))
    alone = passed_with(_life(_fleet("light"), 6), SETTLES, (late,))

    assert step.wanted.workers == alone.wanted.workers > 6
    assert passed_with(_life(_fleet("gpu"), 6), SETTLES, (limited,)).wanted.workers == 6


def test_a_limited_activity_queue_holds_back_no_workflow_tasks() -> None:
    life = calm(3, bounds={"min": 1, "max": 60})
    passed(life, SETTLES, 4.0)

    def told(queue: QueueSeen) -> QueueSeen:
        if queue.task_type is TaskType.ACTIVITY:
            return replace(queue, rate_limited=True)
        return replace(queue, backlog_tasks=5000, backlog_age_seconds=4.0)

    step = passed(life, 1, 4.0, lambda seen: replace(seen, queues=tuple(map(told, seen.queues))))

    assert step.wanted.workers > 3


@given(
    rate=st.floats(0.1, 30.0),
    seconds=st.sampled_from([0.05, 1.5, 20.0, 400.0]),
    slots=st.sampled_from([1, 8, 100]),
    other_slots=st.sampled_from([1, 10, 100]),
)
def test_a_second_idle_queue_never_changes_what_the_first_asks_for(
    rate: float, seconds: float, slots: int, other_slots: int
) -> None:
    busy = Stream(queue="busy", per_second=rate, seconds=seconds, slots=slots)
    idle = Stream(queue="idle", per_second=0.0, seconds=1.0, slots=other_slots)

    alone = _workers(_need(busy, ticks=FEW))

    assert alone == _workers(_need(busy, idle, ticks=FEW)) == _workers(_need(idle, busy, ticks=FEW))


@given(rates=st.lists(st.floats(0.0, 30.0), min_size=2, max_size=4), chance=st.randoms(use_true_random=False))
def test_the_order_of_queues_never_matters(rates: list[float], chance: Random) -> None:
    streams = [
        Stream(queue=f"q-{index}", per_second=rate, seconds=2.0 / (1 + index), slots=4 + index)
        for index, rate in enumerate(rates)
    ]
    shuffled = chance.sample(streams, len(streams))

    assert _workers(_need(*streams, ticks=FEW)) == _workers(_need(*shuffled, ticks=FEW))


@given(rate=st.floats(0.5, 60.0), seconds=st.sampled_from([0.5, 2.0, 20.0]))
def test_two_half_shares_ask_for_what_one_whole_asks_for(rate: float, seconds: float) -> None:
    """Of a queue of which half comes here: this fleet's workers do half of what the server tells."""

    def half_told(life: Life, streams: Sequence[Stream]) -> Observation:
        seen = told_of(life, [replace(each, per_second=each.per_second / 2) for each in streams])
        whole = told_of(life, streams)
        return replace(seen, queues=whole.queues)

    stream = Stream(queue="shared", per_second=rate, seconds=seconds)
    whole = _workers(_need(stream, ticks=FEW, most=200))
    life = _life(_fleet("shared", most=200, share=0.5))
    half = _workers(passed_with(life, FEW, (stream,), half_told).decision)

    assert whole - 1 <= 2 * half
    assert 2 * (half - 1) <= whole + 1


@pytest.mark.parametrize("workers", [80, 150, 300, 1000])
def test_slot_times_are_those_of_all_workers_though_rows_are_of_the_idlest(workers: int) -> None:
    chance, slots, seconds, busy = Random(1), 8, 6.0, 0.6
    life = calm(workers, bounds={"min": 1, "max": 2000}, task_queues=activity_queues("agents"))
    for _ in range(SETTLES):
        seen = life.observe(workers * slots * busy / seconds, 0.5)
        rows = tuple(
            replace(
                row,
                activity_slots_used=sum(chance.random() < busy for _ in range(slots)),
                activities_per_second=chance.gauss(slots * busy / seconds, (slots * busy / seconds / 60) ** 0.5),
                memory_bytes=(row.memory_bytes or 0) + chance.randrange(2**20),
            )
            for row in seen.workers
        )
        times = tuple(replace(each, service_mean_seconds=seconds) for each in seen.task_times)
        life.tick(
            replace(seen, workers=rows_kept(rows), totals=totals(rows, 150.0), task_times=times), life.memory.operator
        )
        life.size = Size(workers, 60)

    [demand] = life.memory.demands
    assert demand.service_seconds.value == pytest.approx(seconds, rel=0.03)
    assert demand.arrivals_per_second.value == pytest.approx(workers * slots * busy / seconds, rel=0.05)
