"""What is remembered of how much memory so many cached workflows take."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.learn.footprint import memory_use, remembered
from scaler.model.common import Size
from scaler.model.observation import ExitReason, ReplaySeen, WorkerExit
from scaler.model.remembered import Footprint
from scaler.size.cache_bounds import cache_bounds
from tests.support.plausible import TICK, Life
from tests.support.strategies import LIMIT_BYTES, declared

MIB = 2**20


@pytest.mark.parametrize(
    ("gained_mib_per_second", "beat_seconds_ago", "counts"), [(0, 40.0, True), (30, 40.0, False), (30, 1.0, True)]
)
def test_what_was_cached_before_memory_grew_says_nothing_of_it(
    gained_mib_per_second: int, beat_seconds_ago: float, *, counts: bool
) -> None:
    life = Life(declared(), Size(4, 200), MIB, ReplaySeen())
    memory = Footprint()
    for second in range(0, 40, 5):
        seen = life.observe(10.0, 0.1)
        filled = tuple(
            replace(
                worker,
                memory_bytes=200 * MIB + second * gained_mib_per_second * MIB,
                heartbeat_age_seconds=None if second < 35 else beat_seconds_ago,
            )
            for worker in seen.workers
        )
        at = seen.observed_at + timedelta(seconds=second)
        memory = remembered(memory, replace(seen, observed_at=at, workers=filled))

    assert bool(memory.points) == counts


def _filled(life: Life, memory: Footprint, each_mib: float, *, minutes: int, young: bool = False) -> Footprint:
    """Caches that fill to 100, of runs that take so much."""
    for tick in range(4 * minutes):
        seen = life.observe(10.0, 0.0)
        cached = 100 * (tick + 1) // (4 * minutes)
        rows = tuple(
            replace(
                worker,
                cached=cached,
                memory_bytes=int((60 + cached * each_mib) * MIB),
                age_seconds=15.0 * tick if young else 90_000.0,
                memory_age_seconds=0.0,
            )
            for worker in seen.workers
        )
        ended = tuple(
            WorkerExit(worker=f"old-{number}", reason=ExitReason.DRAINED, at=life.now - timedelta(seconds=15 * tick))
            for number in range(4)
            if young and tick < 40
        )
        memory = remembered(memory, replace(seen, workers=rows, exits=ended))
        life.now += TICK
    return memory


@pytest.mark.parametrize(("replayed_mib", "factor"), [(1.0, 1.0), (2.8, 2.8), (5.0, 5.0)])
def test_how_much_heavier_runs_are_that_came_back_by_replays_is_learned(replayed_mib: float, factor: float) -> None:
    life = Life(declared(), Size(4, 200), MIB, ReplaySeen())
    grown = _filled(life, Footprint(), 1.0, minutes=10)
    assert grown.replay_factor is None

    after = _filled(life, grown, replayed_mib, minutes=4, young=True)

    assert after.replay_factor == pytest.approx(factor, rel=0.15)


def test_a_rollout_is_planned_by_the_heavier_runs() -> None:
    """Of 512 MiB, 60 for the worker: 375 runs of 1 MiB fit as they grew, 75 that weigh five times as much."""
    life = Life(declared(), Size(4, 200), MIB, ReplaySeen())
    memory = _filled(life, _filled(life, Footprint(), 1.0, minutes=10), 5.0, minutes=4, young=True)
    # Six hours on, what came back is forgotten, but not how heavy it was.
    life.now += timedelta(hours=6)
    memory = _filled(life, memory, 1.0, minutes=10)
    use = memory_use(memory, life.observe(10.0, 0.5), life.fleet, life.now)

    assert use.after_replay is not None
    assert use.largest_cache(0.85 * LIMIT_BYTES) == pytest.approx(375, rel=0.05)
    assert use.after_replay.largest_cache(0.85 * LIMIT_BYTES) == pytest.approx(75, rel=0.2)


def test_before_replayed_runs_were_seen_a_raise_needs_room_for_what_is_held() -> None:
    """A hundred runs of 1 MiB may come back as 280 MiB: that fits 512, and 200 may follow. Of 3 MiB they would not."""
    for each_mib, raised in ((1.0, 200), (3.0, 100)):
        life = Life(declared(cache={"max": 1000}), Size(4, 100), MIB, ReplaySeen())
        memory = _filled(life, Footprint(), each_mib, minutes=10)
        use = memory_use(memory, life.observe(10.0, 0.5), life.fleet, life.now)
        bounds = cache_bounds(use, life.fleet, 100)

        assert bounds is not None
        assert bounds.highest == raised
