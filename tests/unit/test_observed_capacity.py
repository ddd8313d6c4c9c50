"""What workers were seen to get done at most, while tasks waited, bounds what they are taken to be able to do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.learn.observed_capacity import most_done_after, most_per_second
from scaler.learn.seen_queue import seen_queue
from scaler.model.common import Size
from scaler.model.observation import Observation, WorkerSeen
from scaler.model.remembered import Demand, Level, Operator
from tests.support.lives import calm, passed
from tests.support.plausible import SLOTS, TICK, Life
from tests.support.strategies import NOW

ACTIVITIES = [{"name": "agents", "types": ["activity"]}]
A_SLOT_ALLOWS = SLOTS / 1.5


def _limited(life: Life, per_worker: float, waiting: int, age_seconds: float) -> Observation:
    """So many a second are handed to each worker while tasks wait; a worker's slots would allow 5.3."""
    seen = life.observe(per_worker * life.size.workers, 0.5)
    rate = per_worker * life.size.workers
    queue = replace(
        seen.queues[-1],
        backlog_tasks=waiting,
        backlog_age_seconds=age_seconds,
        dispatches_per_second=rate,
        arrivals_per_second=rate,
    )
    return replace(seen, queues=(seen.queues[0], queue))


def _idle(worker: WorkerSeen) -> WorkerSeen:
    return replace(
        worker,
        activity_slots_used=0,
        workflow_slots_used=0,
        activities_per_second=0.0,
        workflow_tasks_per_second=0.0,
    )


def _seen_at_most(life: Life) -> float | None:
    demand = next(demand for demand in life.memory.demands if demand.queue == "agents")
    return demand.most_done.value


def _after_waiting(per_worker: float, ticks: int = 6, waiting: int = 600) -> Life:
    """A fleet of ten whose tasks wait, without a break, for so many ticks of 15 s."""
    life = calm(10, bounds={"min": 1, "max": 60}, task_queues=ACTIVITIES)
    passed(life, 12, 10.0)
    life.size = Size(10, 60)
    for _ in range(ticks):
        life.size = Size(10, 60)
        life.tick(_limited(life, per_worker, waiting, waiting / 10 / per_worker), Operator())
    return life


def test_a_fleet_is_sized_by_what_its_workers_were_seen_to_do() -> None:
    """Each starts two a second, whatever its eight slots of 1.5 s allow: 20 a second need more than ten."""
    life = _after_waiting(2.0)

    step = passed(life, 40, 20.0)

    assert _seen_at_most(life) == pytest.approx(2.0, rel=0.1)
    assert step.decision.predicted is not None
    assert 10 <= step.decision.predicted.size.workers <= 14
    assert life.size.workers >= 10


@pytest.mark.parametrize(("idle", "known"), [(0, True), (1, False)])
def test_what_others_do_beside_an_idle_worker_shows_no_limit(idle: int, known: bool) -> None:
    """Of ten workers whose tasks wait for half a minute one runs nothing and has done nothing."""
    life = calm(10, bounds={"min": 1, "max": 60}, task_queues=ACTIVITIES)
    passed(life, 12, 10.0)
    for _ in range(6):
        life.size = Size(10, 60)
        seen = _limited(life, 2.0, 600, 30.0)
        idlers = tuple(_idle(each) for each in seen.workers[:idle])
        life.tick(replace(seen, workers=(*idlers, *seen.workers[idle:])), Operator())

    assert (_seen_at_most(life) is not None) == known


def test_the_same_load_takes_half_where_slots_are_the_limit() -> None:
    life = _after_waiting(A_SLOT_ALLOWS)

    step = passed(life, 40, 20.0)

    assert step.decision.predicted is not None
    assert step.decision.predicted.size.workers <= 7


def test_tasks_that_wait_for_a_moment_at_each_look_show_no_limit() -> None:
    """A task that waits for two seconds at each look, fifteen seconds apart, is another one each time."""
    life = calm(10, task_queues=ACTIVITIES)
    passed(life, 12, 10.0)
    for _ in range(20):
        life.tick(_limited(life, 0.1, 1, 2.0), Operator())

    assert _seen_at_most(life) is None


def test_tasks_that_nobody_takes_show_no_limit() -> None:
    """One task has waited for ever longer, while all others start at once: it waits for something else."""
    life = calm(10, task_queues=ACTIVITIES)
    passed(life, 12, 10.0)
    for tick in range(60):
        life.size = Size(10, 60)
        life.tick(_limited(life, 0.5, 1, 60.0 + 15 * tick), Operator())

    assert _seen_at_most(life) is None


def test_a_minute_of_waiting_is_needed_before_a_limit_is_seen() -> None:
    assert _seen_at_most(_after_waiting(2.0, ticks=1, waiting=300)) is None


def test_young_workers_show_no_limit() -> None:
    """Rates are averages over half a minute: of workers that started meanwhile they tell too little."""
    life = calm(10, task_queues=ACTIVITIES)
    passed(life, 12, 10.0)
    for _ in range(6):
        life.size = Size(10, 60)
        seen = _limited(life, 2.0, 600, 30.0)
        rows = tuple(replace(row, age_seconds=20.0) for row in seen.workers)
        life.tick(replace(seen, workers=rows), Operator())

    assert _seen_at_most(life) is None


def test_a_worker_that_does_more_raises_what_workers_can_do() -> None:
    life = _after_waiting(2.0)

    life.tick(_limited(life, 4.0, 0, 0.0), Operator())

    assert _seen_at_most(life) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize(
    ("seconds_then", "seconds_now", "bound"),
    [(1.5, 1.5, 2.0), (1.5, 1.2, 2.0), (1.5, 0.9, None), (1.5, 3.0, 2.0), (None, 0.9, 2.0), (5.0, 5.0, None)],
    ids=["the same", "hardly shorter", "far shorter", "longer", "not known then", "no slot is left over"],
)
def test_tasks_that_became_far_shorter_are_other_tasks(
    seconds_then: float | None, seconds_now: float, bound: float | None
) -> None:
    """Two a second were seen of a worker with eight slots."""
    demand = Demand(service_seconds=Level(seconds_now, NOW), most_done=Level(2.0, NOW), most_done_service=seconds_then)

    assert most_per_second(demand, 8, NOW + timedelta(hours=1)) == bound


def test_what_was_seen_half_a_day_ago_is_forgotten() -> None:
    life = _after_waiting(2.0)
    assert passed(life, 40, 20.0).decision.predicted.size.workers >= 10  # type: ignore[union-attr]
    life.now += timedelta(hours=13) - TICK

    step = passed(life, 20, 20.0)

    assert step.decision.predicted is not None
    assert step.decision.predicted.size.workers <= 7


def test_when_it_was_seen_is_remembered_as_it_is_written() -> None:
    """Levels are written in whole seconds; another time in memory than in the state would be another decision."""
    life = _after_waiting(2.0)
    demand, polled = life.memory.demands[0], life.fleet.polled[0]
    life.size = Size(10, 60)
    at = NOW + timedelta(minutes=30, milliseconds=100)
    seen = _limited(life, 3.0, 600, 20.0)
    later = replace(seen, observed_at=at, queues=tuple(replace(queue, at=at) for queue in seen.queues))

    most, _ = most_done_after(demand, seen_queue(later, life.fleet, polled))

    assert most == Level(3.1, NOW + timedelta(minutes=30))
