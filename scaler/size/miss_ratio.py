"""How often a workflow task finds its run cached, as a function of all caches together. Pure.

Sticky execution keeps a run on one worker, so the miss ratio depends on workers × cache alone (measured: within 0.04
up to 32 workers). Source of the form: Che's approximation for LRU caches, generalised to any distribution of the time
between two uses; a run is in the cache as long as it was used within the characteristic time.
"""

import math
from bisect import bisect_left

from scaler.model.estimate import CacheUse

IMBALANCE = 0.92
"""Caches fill unevenly: together they hold this part of what one cache of their size would. Cyclic use falls off a
cliff where the last run does not fit any more, so it is also the distance kept from it."""


def miss_ratio(use: CacheUse, tasks_per_second: float, capacity: float) -> float | None:
    """Share of workflow tasks that need a replay with caches for so many runs; None while nothing is known."""
    if not use.kept_seconds or tasks_per_second <= 0:
        return None
    entries_per_second = tasks_per_second * use.open_share
    wanted = IMBALANCE * capacity / entries_per_second if entries_per_second > 0 else math.inf
    return use.reuse * _late(use, wanted)


def _late(use: CacheUse, wanted: float) -> float:
    """Share of re-uses that come after the characteristic time, at which runs were kept for `wanted` seconds each.

    Between the edges of the histogram both run in a straight line.
    """
    index = bisect_left(use.kept_seconds, wanted)
    if index >= len(use.kept_seconds):
        return use.late_reuse[-1]
    kept_before, late_before = (use.kept_seconds[index - 1], use.late_reuse[index - 1]) if index else (0.0, 1.0)
    step = use.kept_seconds[index] - kept_before
    share = (wanted - kept_before) / step if step > 0 else 1.0
    return late_before + (use.late_reuse[index] - late_before) * share
