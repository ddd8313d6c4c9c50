"""The floor that a window of the schedule declares holds whatever cache is kept beside it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.model.common import Quality, Size
from scaler.model.observation import Observation, ReplaySeen, ScheduleSeen
from scaler.model.remembered import Operator
from tests.support.plausible import Life
from tests.support.strategies import NOW, declared


def _dear(edge: int) -> ReplaySeen:
    """Replays are dear, so that the search wants a slightly larger cache than is worth a change."""
    gaps = tuple(20 if abs(place - edge) <= 4 else 0 for place in range(42))
    return ReplaySeen(
        at=NOW,
        quality=Quality.FRESH,
        sticky_samples=100,
        sticky_seconds=0.01,
        hit_samples=25,
        hit_seconds=0.01,
        normal_samples=20,
        normal_seconds=0.5,
        events=500.0,
        gaps=gaps,
        silences=(0,) * 42,
    )


@pytest.mark.parametrize("rate", [1.0, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("edge", [*range(16, 38, 2)])
def test_a_window_of_the_schedule_asks_for_ten_workers(edge: int, rate: float) -> None:
    fleet = declared(workers={"min": 1, "max": 30}, cache={"max": 130})
    life = Life(fleet=fleet, size=Size(3, 100), bytes_per_workflow=2**18, replay=_dear(edge))
    for tick in range(60):
        seen = life.observe(rate, 1.0)
        life.tick(_scheduled(seen) if tick >= 40 else seen, Operator())

    assert life.size.workers >= 10


def _scheduled(seen: Observation) -> Observation:
    return replace(seen, schedule=ScheduleSeen(floor=10, until=NOW + timedelta(hours=5)))
