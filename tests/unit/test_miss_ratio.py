"""How often a run is found cached, by literal values."""

import pytest

from scaler.model.estimate import CacheUse
from scaler.size.miss_ratio import miss_ratio

USE = CacheUse(
    hit_seconds=0.01,
    replay_seconds=1.0,
    reuse=0.8,
    open_share=0.5,
    kept_seconds=(10.0, 20.0),
    late_reuse=(0.5, 0.1),
)


@pytest.mark.parametrize(
    ("capacity", "missed"),
    [
        # One task a second, of which every second leaves its run: caches for 50 keep 0.92 of 50 ÷ 0.5 = 92 seconds.
        (50.0, 0.8 * 0.1),
        (10 * 0.5 / 0.92, 0.8 * 0.5),  # just ten seconds: the first edge
        (15 * 0.5 / 0.92, 0.8 * 0.3),  # half way between the edges
        (5 * 0.5 / 0.92, 0.8 * 0.75),  # half way to the first edge, before which all re-use is late
        (0.0, 0.8),
    ],
)
def test_runs_are_kept_for_as_long_as_caches_hold_what_comes(capacity: float, missed: float) -> None:
    assert miss_ratio(USE, 1.0, capacity) == pytest.approx(missed)


def test_twice_the_tasks_keep_runs_for_half_as_long() -> None:
    assert miss_ratio(USE, 2.0, 20 * 0.5 / 0.92) == pytest.approx(0.8 * 0.5)


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert miss_ratio(CacheUse(hit_seconds=None, replay_seconds=None), 1.0, 100.0) is None
    assert miss_ratio(USE, 0.0, 100.0) is None
