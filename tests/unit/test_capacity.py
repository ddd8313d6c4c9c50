"""How many workers a load needs: margins reach as far as tasks do, and caps follow what the objective lets be late."""

from dataclasses import replace

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
