"""A load that is over is none: a fleet that may be empty is empty some minutes after its last task."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.model.common import Size
from scaler.model.remembered import Operator
from scaler.rules.scale_in_window import LONGEST_WINDOW
from tests.support.lives import calm, passed
from tests.support.plausible import ACTIVITIES, Life
from tests.support.queue_worlds import Stream, activity_queues, told_of


def _idle_until_empty(life: Life) -> timedelta:
    began = life.now
    while life.size.workers and life.now - began < timedelta(hours=1):
        life.tick(life.observe(0.0, 0.0), Operator())
    return life.now - began


@pytest.mark.parametrize("rate", [0.0, 0.5, 4.0])
def test_a_fleet_that_may_be_empty_is_empty_soon_after_its_last_task(rate: float) -> None:
    life = calm(4, bounds={"min": 0, "max": 30})
    passed(life, 20, rate)

    assert _idle_until_empty(life) < LONGEST_WINDOW + timedelta(minutes=5)
    assert life.size.workers == 0


def test_levels_come_to_nothing() -> None:
    life = calm(4)
    passed(life, 20, 4.0)
    passed(life, 16, 0.0)
    demand = life.demand(ACTIVITIES)

    assert demand.arrivals_per_second.value == demand.busy_slots.value == demand.unqueued_per_second.value == 0.0


def test_one_task_an_hour_is_a_load_and_less_is_none() -> None:
    """Without heartbeats nobody knows that nothing runs: only the level itself tells."""
    fleet = activity_queues("agents")
    lives = []
    for rate in (2 / 3600, 0.5 / 3600):
        life = calm(1, bounds={"min": 0, "max": 30}, task_queues=fleet)
        for _ in range(40):
            life.tick(told_of(life, [Stream(queue="agents", per_second=rate, seconds=2.0)], beats=False), Operator())
            life.size = Size(1, None)
        lives.append(life)

    assert [bool(life.memory.demands[0].arrivals_per_second.value) for life in lives] == [True, False]


def test_the_first_task_at_zero_wakes_one_worker() -> None:
    """The statistics that woke it are read again by the next tick, and are no news."""
    life = calm(0, bounds={"min": 0, "max": 30}, task_queues=activity_queues("agents"))
    first = Stream(queue="agents", per_second=0.0, seconds=2.0, waiting=1, waited_seconds=1.0)
    seen = replace(told_of(life, [first]), task_times=())
    life.tick(seen, Operator())
    assert life.size.workers == 1

    starting = replace(told_of(life, [first], beats=False), queues=seen.queues, task_times=())
    life.tick(starting, Operator())

    assert life.size.workers == 1


def test_what_still_waits_when_the_first_worker_serves_asks_for_another() -> None:
    life = calm(0, bounds={"min": 0, "max": 30}, task_queues=activity_queues("agents"))
    waits = Stream(queue="agents", per_second=0.0, seconds=2.0, waiting=5, waited_seconds=9.0)
    for _ in range(3):
        life.tick(replace(told_of(life, [waits], beats=False), task_times=()), Operator())

    assert life.size.workers > 1


@pytest.mark.parametrize("reserve", [0, 2])
def test_a_reserve_does_not_add_to_itself_while_nothing_is_measured(reserve: int) -> None:
    bounds = {"min": 1, "max": 40, "reserve": reserve}
    life = calm(2, bounds=bounds, task_queues=activity_queues("agents"))
    for _ in range(60):
        life.tick(
            replace(told_of(life, [Stream(queue="agents", per_second=1.0, seconds=2.0)], beats=False), task_times=()),
            Operator(),
        )

    assert life.size.workers <= 2 + reserve
