"""How often a workflow task finds its run cached, as a function of all caches together. Pure.

Sticky execution keeps a run on one worker, so the miss ratio depends on workers × cache alone (measured: within 0.04
up to 32 workers). Source of the form: Che's approximation for LRU caches, generalised to any distribution of the time
between two uses; a run is in the cache as long as it was used within the characteristic time.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from scaler.model.estimate import CacheUse
from scaler.model.observation import GAP_EDGES_SECONDS, ReplaySeen
from scaler.replay_cost import task_cost

FEWEST_GAPS = 30
"""A curve from fewer gaps is an anecdote."""

IMBALANCE = 0.92
"""Caches fill unevenly: together they hold this part of what one cache of their size would. Cyclic use falls off a
cliff where the last run does not fit any more, so it is also the distance kept from it."""


def cache_use(replay: ReplaySeen, missed: float | None = None) -> CacheUse:
    """What the sampled histories say of caching, with the share of misses among sticky tasks where workers count."""
    cost = task_cost(replay, missed)
    gaps = sum(replay.gaps)
    if gaps < FEWEST_GAPS or len(replay.gaps) != len(GAP_EDGES_SECONDS) + 1:
        return CacheUse(hit_seconds=cost.hit_seconds, replay_seconds=cost.replay_seconds)
    accesses = gaps + sum(replay.silences) + replay.closed
    return CacheUse(
        hit_seconds=cost.hit_seconds,
        replay_seconds=cost.replay_seconds,
        reuse=gaps / accesses,
        open_share=1 - replay.closed / accesses,
        kept_seconds=tuple(accumulate(_kept(replay))),
        late_reuse=tuple(1 - seen / gaps for seen in accumulate(replay.gaps[:-1])),
    )


def _kept(replay: ReplaySeen) -> Iterator[float]:
    """Between each two edges of the histogram, the seconds that an access waits for the next on average.

    The integral of Kaplan and Meier's estimate of survival. Runs that have been silent so far may yet be used again;
    to leave them out would call all gaps short.
    """
    silences = replay.silences or (0,) * len(replay.gaps)
    at_risk, since, share = sum(replay.gaps) + sum(silences), 0.0, 1.0
    for edge, used, silent in zip(GAP_EDGES_SECONDS, replay.gaps, silences, strict=False):
        left = share * (1 - used / at_risk) if at_risk else share
        yield (edge - since) * (share + left) / 2
        at_risk, since, share = at_risk - used - silent, edge, left


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
