"""What workers do beyond what was dispatched to them: eager activities and sticky tasks, not the noise of counting."""

from dataclasses import replace
from itertools import cycle

import pytest

from scaler.learn.arrivals import fed
from scaler.learn.seen_queue import seen_queue
from scaler.model.common import Size
from scaler.model.observation import ReplaySeen
from scaler.model.remembered import Demand
from tests.support.plausible import ACTIVITIES, TICK, Life, with_workers
from tests.support.strategies import declared

PER_SECOND, WORKERS = 6.0, 5


def _seen_done(*done_per_second: float) -> list[float]:
    """The level of arrivals, tick by tick, where six a second are queued and so many are said to be done."""
    life = Life(declared(), Size(WORKERS, 100), 2**20, ReplaySeen())
    demand, levels = Demand(), []
    for _, done in zip(range(60), cycle(done_per_second), strict=False):
        seen = life.observe(PER_SECOND, 0.5)
        rows = tuple(replace(worker, activities_per_second=done / WORKERS) for worker in seen.workers)
        demand = fed(demand, seen_queue(with_workers(seen, rows), life.fleet, ACTIVITIES))
        levels.append(demand.arrivals_per_second.value or 0.0)
        life.now += TICK
    return levels[len(levels) // 2 :]


def test_what_is_counted_too_high_and_too_low_in_turns_adds_nothing() -> None:
    assert max(_seen_done(10.0, 2.0)) == pytest.approx(PER_SECOND, rel=0.15)


def test_what_was_never_queued_counts() -> None:
    assert _seen_done(2 * PER_SECOND)[-1] == pytest.approx(2 * PER_SECOND, rel=0.02)
