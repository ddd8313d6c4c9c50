"""What a workflow task costs with its run cached, and a replay on top of it. Pure.

A run that was evicted comes back to the same worker, in a task that looks like any sticky one, only slow. But an LRU
drops what was unused for longest: sticky tasks after the shortest gaps found their run cached, so they show how long
that takes, and how much of what is slower is a replay.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from scaler.model.observation import ReplaySeen, WorkerTotals

SURE_HITS = 0.25
"""Part of the sticky tasks, those after the shortest gaps, that are hits while less than three in four miss."""

FEWEST_HITS = 10
"""With fewer sure hits nobody knows what is slow for one."""

USUAL, SLOW_FACTOR = 0.95, 2.0
"""A task that takes this many times as long as so many of the sure hits is slow."""

FEWEST_REPLAYS = 5
"""A mean over fewer replays is an anecdote: runs differ in length."""

CHANCE = 2.0
"""Standard deviations by which slow tasks after longer gaps are more than those after short ones would suggest."""

UNEVEN = 4.0
"""Sampled runs are younger or older than most, and misses were counted at another time: slow tasks that are more than
the misses by up to this factor may all be replays. Beyond, something else makes tasks after longer gaps slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyTasks:
    """What a sample of sticky tasks shows: sure hits, and how many others took too long to be hits."""

    hit_samples: int = 0
    hit_seconds: float | None = None
    slow_samples: int = 0
    slow_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TaskCost:
    """Mean time of a workflow task with its run cached, and of a replay on top of it; None where nobody can tell."""

    hit_seconds: float | None
    replay_seconds: float | None


def sticky_tasks(sampled: Iterable[tuple[float, float]]) -> StickyTasks:
    """Tell replays from hits, in a sample of sticky tasks.

    What makes some of the sure hits slow makes as large a part of the others slow: so much is taken off.

    Args:
        sampled: Of each task the seconds since its run's task before, and for how many it ran.

    """
    ran = [ran_seconds for _, ran_seconds in sorted(sampled, key=itemgetter(0))]
    sure = int(SURE_HITS * len(ran))
    if sure < FEWEST_HITS:
        return StickyTasks()
    hits, others = sorted(ran[:sure]), ran[sure:]
    hit_seconds = sum(hits) / sure
    slow = SLOW_FACTOR * hits[math.ceil(USUAL * sure) - 1]
    slow_hits, slow_others = _above(slow, hits), _above(slow, others)
    alike = len(others) / sure
    replays = len(slow_others) - alike * len(slow_hits)
    if replays < max(FEWEST_REPLAYS, CHANCE * alike * math.sqrt(len(slow_hits))):
        return StickyTasks(hit_samples=sure, hit_seconds=hit_seconds)
    return StickyTasks(
        hit_samples=sure,
        hit_seconds=hit_seconds,
        slow_samples=round(replays),
        slow_seconds=max((sum(slow_others) - alike * sum(slow_hits)) / replays, slow),
    )


def _above(bound: float, times: Iterable[float]) -> Sequence[float]:
    return [each for each in times if each > bound]


def miss_share(totals: Iterable[WorkerTotals]) -> float | None:
    """Share of the sticky tasks that find their run gone, by the workers' own counters; None where no worker counts.

    Tasks from the normal queue, which replay too after a worker was lost, are in neither counter (measured).
    """
    rates = [(total.cache_hits_per_second, total.cache_misses_per_second) for total in totals]
    hits, misses = (sum(each) for each in zip(*rates, strict=True)) if rates else (0.0, 0.0)
    return misses / (hits + misses) if hits + misses > 0 else None


def task_cost(replay: ReplaySeen, missed: float | None) -> TaskCost:
    """What sampled histories tell, by weight of evidence.

    Replays by another worker, after the first one left, are certain. Slow sticky tasks are replays as far as workers
    count misses; where they do not count, or far fewer, nobody can say why those tasks are slow.
    """
    hit_seconds = replay.hit_seconds if replay.hit_seconds is not None else replay.sticky_seconds
    told = [(replay.normal_samples, replay.normal_seconds)]
    if replay.slow_samples <= UNEVEN * (missed or 0.0) * replay.sticky_samples:
        told.append((replay.slow_samples, replay.slow_seconds))
    known = [(samples, seconds) for samples, seconds in told if seconds is not None]
    samples = sum(samples for samples, _ in known)
    if hit_seconds is None or samples < FEWEST_REPLAYS:
        return TaskCost(hit_seconds, None)
    mean_seconds = sum(samples * seconds for samples, seconds in known) / samples
    return TaskCost(hit_seconds, max(mean_seconds - hit_seconds, 0.0))
