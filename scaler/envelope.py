"""How much memory a worker uses with so many workflows cached: the upper envelope of what was seen. Pure.

Seen is the fullest worker, not the mean: that one is killed. Points fade, so that a past peak does not bind for ever.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from scaler.fleet import Fleet
from scaler.freshness import WORKER_MEMORY
from scaler.model.common import Quality
from scaler.model.estimate import MemoryUse
from scaler.model.memory import MemoryPoint
from scaler.model.observation import ExitReason, Observation, WorkerSeen, WorkerState

BUCKETS_PER_DOUBLING = 1
POINT_LIFETIME = timedelta(hours=24)
CLOSEST_POINTS = 10
"""Two points closer than this many workflows say nothing about the slope between them."""

GUESSED_BASE_BYTES = 80 * 2**20
GUESSED_BYTES_PER_WORKFLOW = 2**20
OOM_FACTOR = 1.2
"""A killed worker wanted more than its limit; nobody saw how much (the VPA's bump is the same)."""


def with_points(points: tuple[MemoryPoint, ...], seen: Observation) -> tuple[MemoryPoint, ...]:
    """The envelope after one more observation: the highest figure of each bucket of cached workflows."""
    newest = {_bucket(point.cached): point for point in points if seen.observed_at - point.at < POINT_LIFETIME}
    for point in (*_live(seen), *_killed(seen)):
        bucket = _bucket(point.cached)
        if bucket not in newest or point.bytes >= newest[bucket].bytes:
            newest[bucket] = point
    return tuple(newest[bucket] for bucket in sorted(newest))


def _bucket(cached: int) -> int:
    return 0 if cached < 1 else 1 + int(math.log2(cached) * BUCKETS_PER_DOUBLING)


def _live(seen: Observation) -> Iterable[MemoryPoint]:
    for worker in seen.workers:
        memory = worker.memory_bytes
        if worker.state is WorkerState.READY and memory is not None and worker.cached is not None:
            yield MemoryPoint(worker.cached, memory, seen.observed_at)


def _killed(seen: Observation) -> Iterable[MemoryPoint]:
    """A kill proves that the cache size it happened under needs more than the limit."""
    limit = seen.target.memory_limit_bytes
    for ended in seen.exits:
        if ended.reason is ExitReason.OOM_KILLED and ended.cached is not None and limit is not None:
            yield MemoryPoint(ended.cached, int(limit * OOM_FACTOR), ended.at)


def memory_use(points: tuple[MemoryPoint, ...], seen: Observation, fleet: Fleet, now: datetime) -> MemoryUse:
    """The estimate that the envelope gives; a guess until two points are far enough apart."""
    base, slope, measured = _fit(points)
    return MemoryUse(
        base_bytes=base,
        bytes_per_workflow=slope,
        largest_cached=max((point.cached for point in points), default=0),
        fullest_bytes=max((worker.memory_bytes or 0 for worker in seen.workers), default=None),
        limit_bytes=_smaller(seen.target.memory_limit_bytes, fleet.memory.limit),
        caches=max((worker.caches or 0 for worker in seen.workers), default=0) or fleet.workers.caches or 1,
        quality=_quality(seen.workers, seen.observed_at, now),
        measured=measured,
    )


def _fit(points: tuple[MemoryPoint, ...]) -> tuple[float, float, bool]:
    """Base from the emptiest worker, slope from the steepest line to a fuller one."""
    if not points:
        return GUESSED_BASE_BYTES, GUESSED_BYTES_PER_WORKFLOW, False
    emptiest = points[0]
    slopes = [
        (point.bytes - emptiest.bytes) / (point.cached - emptiest.cached)
        for point in points[1:]
        if point.cached - emptiest.cached >= CLOSEST_POINTS
    ]
    if not slopes:
        return emptiest.bytes, GUESSED_BYTES_PER_WORKFLOW, False
    slope = max(*slopes, 1024.0) if len(slopes) > 1 else max(slopes[0], 1024.0)
    return max(emptiest.bytes - slope * emptiest.cached, 0.0), slope, True


def _smaller(first: int | None, second: int | None) -> int | None:
    known = [limit for limit in (first, second) if limit is not None]
    return min(known, default=None)


def _quality(workers: Iterable[WorkerSeen], at: datetime, now: datetime) -> Quality:
    waited_seconds = (now - at).total_seconds()
    ages = [worker.memory_age_seconds for worker in workers if worker.state is WorkerState.READY]
    if not ages:
        return Quality.MISSING
    known = [age for age in ages if age is not None]
    if len(known) < len(ages):
        return Quality.STALE if known else Quality.MISSING
    return WORKER_MEMORY.quality_at_age(max(known) + waited_seconds)
