"""How many workers a load needs: margins reach as far as tasks do, and caps follow what the objective lets be late."""

import math
from dataclasses import replace
from typing import Any

import pytest

from scaler.model.common import TaskType
from scaler.model.estimate import Load
from scaler.size.capacity import UTILISATION_CAP, Asked, Service, workers_needed
from tests.support.strategies import LOAD

SERVICE = Service(slots=10, task_seconds=2.0)


def _workers(load: Load = LOAD, task_seconds: float = SERVICE.task_seconds, percentile: float = 95.0) -> int:
    asked = Asked(load=load, objective_seconds=1.0, percentile=percentile, start_seconds=20.0)
    return workers_needed(asked, replace(SERVICE, task_seconds=task_seconds))[0]


def _room(task_seconds: float) -> float:
    """Workers beyond those that the load itself keeps busy, as a part of them."""
    busy = LOAD.arrivals_per_second * task_seconds / SERVICE.slots
    return _workers(task_seconds=task_seconds) / busy - 1


def test_tasks_that_end_within_a_reaction_need_room_for_the_whole_margin() -> None:
    assert _room(task_seconds=10.0) == pytest.approx(_room(task_seconds=60.0), abs=0.02)
    assert _room(task_seconds=60.0) > LOAD.margin_per_second / LOAD.arrivals_per_second


def test_of_long_tasks_only_a_part_can_be_under_way_before_more_workers_are() -> None:
    """Five minutes long, a fifth of them begins within the minute that it takes to see them and to start a worker."""
    without_margin = _workers(replace(LOAD, margin_per_second=0.0), task_seconds=300.0)
    with_margin = _workers(task_seconds=300.0)

    assert with_margin / without_margin == pytest.approx(1 + 0.2 * 0.4, abs=0.01)


@pytest.mark.parametrize("task_type", list(UTILISATION_CAP))
def test_who_lets_more_tasks_be_late_lets_slots_be_busier(task_type: TaskType) -> None:
    load = replace(LOAD, task_type=task_type, margin_per_second=0.0)
    counts = [_workers(load, percentile=each) for each in (99.9, 95.0, 70.0, 25.0)]

    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


@pytest.mark.parametrize(("task_type", "cap"), UTILISATION_CAP.items())
def test_at_the_usual_percentile_the_caps_are_the_usual_ones(task_type: TaskType, cap: float) -> None:
    load = replace(LOAD, task_type=task_type, margin_per_second=0.0, arrivals_per_second=10_000.0)

    assert load.arrivals_per_second * SERVICE.task_seconds / (_workers(load) * SERVICE.slots) == pytest.approx(
        cap, abs=0.01
    )


@pytest.mark.parametrize(
    ("task_seconds", "workers_with_15_waiting"), [(6.0, 26), (60.0, 18), (300.0, 18), (1800.0, 18)]
)
def test_a_task_that_waits_asks_for_one_slot_however_long_it_will_take(
    task_seconds: float, workers_with_15_waiting: int
) -> None:
    """Of 18 workers with ten slots 150 slots are taken; 15 more tasks wait, and would all begin with 18 workers."""
    load = replace(LOAD, arrivals_per_second=150 / task_seconds, margin_per_second=0.0, backlog_tasks=15)
    asked = Asked(load=load, objective_seconds=1.0, percentile=95.0, start_seconds=20.0)

    assert workers_needed(asked, Service(10.0, task_seconds))[0] <= workers_with_15_waiting


def _asked_of_long(**changes: Any) -> Asked:
    load = replace(LOAD, busy_told=True, margin_per_second=0.0, **changes)
    return Asked(load=load, objective_seconds=1.0, percentile=95.0, start_seconds=20.0)


def test_of_long_tasks_as_many_slots_are_asked_for_as_are_taken_and_may_be_soon() -> None:
    """Half an hour each: 40 run, and in the minute until a worker is there one or two more may come."""
    slots = _asked_of_long(busy_slots=40, arrivals_per_second=0.01).slots_soon(1800.0)

    assert slots == pytest.approx(40 * math.exp(-75 / 1800) + 18 * (1 - math.exp(-75 / 1800)) + 2.5, abs=0.3)


def test_a_burst_of_long_tasks_asks_for_what_comes_meanwhile_and_not_for_its_steady_state() -> None:
    """At one a second tasks of half an hour come to 1,800 slots, but only after hours."""
    quiet = _asked_of_long(busy_slots=10, arrivals_per_second=0.006)
    burst = _asked_of_long(busy_slots=10, arrivals_per_second=1.0)

    assert workers_needed(quiet, Service(10.0, 1800.0))[0] == 2
    assert 7 <= workers_needed(burst, Service(10.0, 1800.0))[0] <= 10


def test_what_is_not_told_yet_asks_for_more() -> None:
    told = _asked_of_long(busy_slots=40, arrivals_per_second=0.1)
    untold = _asked_of_long(busy_slots=40, arrivals_per_second=0.1, busy_known=False)

    assert untold.slots_soon(1800.0) == pytest.approx((told.slots_soon(1800.0) or 0.0) + 5, abs=2)


def test_short_tasks_and_tasks_of_which_nobody_tells_are_staffed_for_their_steady_state() -> None:
    assert _asked_of_long(busy_slots=40).slots_soon(2.0) is None
    assert replace(_asked_of_long(), load=LOAD).slots_soon(1800.0) is None
