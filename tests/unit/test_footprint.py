"""What is remembered of how much memory so many cached workflows take."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.learn.footprint import remembered
from scaler.model.common import Size
from scaler.model.observation import ReplaySeen
from scaler.model.remembered import Footprint
from tests.support.plausible import Life
from tests.support.strategies import declared

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
