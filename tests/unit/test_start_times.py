"""How long workers take to start: what most of the latest starts took, not what one did days ago."""

from dataclasses import replace

import pytest

from scaler.learn.learning import learn
from scaler.model.remembered import Remembered
from tests.support.lives import calm
from tests.support.plausible import with_workers
from tests.support.strategies import declared


def _start_seconds(*started_in: float, ages: tuple[float, ...] = ()) -> float:
    life = calm(len(started_in))
    seen = life.observe(1.0, 0.5)
    rows = tuple(
        replace(row, started_in_seconds=seconds, age_seconds=age)
        for row, seconds, age in zip(seen.workers, started_in, ages or (2e5,) * len(started_in), strict=True)
    )
    estimate, _ = learn(with_workers(seen, rows), declared(), Remembered(), life.now)
    return estimate.start_seconds


@pytest.mark.parametrize(
    ("started_in", "expected"),
    [
        ((300.0, *(10.0,) * 19), 10.0),
        ((*(300.0,) * 5, *(10.0,) * 15), 300.0),
        ((300.0, 10.0, 10.0, 10.0, 10.0), 10.0),
        ((300.0, 10.0, 10.0), 10.0),
        ((300.0, 10.0), 300.0),
        ((300.0,), 300.0),
    ],
)
def test_one_slow_start_does_not_make_all_slow(started_in: tuple[float, ...], expected: float) -> None:
    assert _start_seconds(*started_in) == expected


def test_only_the_latest_starts_count() -> None:
    slow_of_old, quick = (300.0,) * 20, (10.0,) * 20

    assert _start_seconds(*slow_of_old, *quick, ages=(*(9e5,) * 20, *(60.0,) * 20)) == 10.0
