"""Which readings of memory are remembered, and for how long: of so many workflows cached, the highest. Pure.

A point tells how many activities a worker ran then, at the 99th percentile: the highest memory is of a moment at which
many ran, and what they took can be told from what the cache took at any later time. (How many ran at that very moment
is not known: with what the newest heartbeat told, the highest of many differences was noise.)
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from scaler.learn.freshness import HEARTBEAT
from scaler.model.observation import ExitReason, Observation, WorkerExit
from scaler.model.remembered import Footprint, MemoryPoint, whole_second

POINT_LIFETIME = timedelta(hours=6)
"""A past peak does not bind for ever."""

OLD_CODE_LIFETIME = timedelta(minutes=30)
"""What other code used stands in until the present one was seen for a while."""

EXITS_TOLD = timedelta(minutes=10)
"""For so long targets tell of the end of a worker."""

OOM_FACTOR = 1.2
"""A killed worker wanted more than its limit, and nobody saw how much more; the VPA bumps by the same factor."""

CONTRADICTED = 0.75
"""A kill is not the cache's doing where workers that hold as much or more use at most this part of the limit."""

MOST_GROWN = 0.1
"""Part of its memory that a worker may have gained since it told what it has cached."""

OLD_CACHE = timedelta(minutes=2)
"""A peak is of a minute, what is cached of the minute before: after a cut both may be of the larger cache."""

TAIL = 2.33
"""Standard deviations above the mean below which 99 % lie."""


def most_running(mean: float, slots: int) -> float:
    """Activities that one worker runs at the 99th percentile, if they come to workers by chance; at most its slots."""
    most = mean + TAIL * math.sqrt(mean)
    return min(most, slots) if slots else most


def with_points_of(memory: Footprint, seen: Observation, bytes_each: float) -> Footprint:
    """The points after one more observation, where an activity costs so many bytes."""
    memory = _of_present_code(replace(memory, replayed_at=_replayed_at(memory, seen)), seen)
    oldest = seen.observed_at - POINT_LIFETIME
    highest = {_bucket(point.cached, replayed=point.replayed): point for point in memory.points if point.at > oldest}

    def net(point: MemoryPoint) -> float:
        return point.bytes - point.running * bytes_each

    def take(point: MemoryPoint) -> None:
        bucket = _bucket(point.cached, replayed=point.replayed)
        if bucket not in highest or net(point) >= net(highest[bucket]):
            highest[bucket] = point

    for point in _live(seen, memory):
        take(point)
    for killed in _killed(seen):
        living = [net(point) for point in highest.values() if point.cached >= killed.cached]
        if not living or min(living) > CONTRADICTED * killed.bytes / OOM_FACTOR:
            take(killed)
    return replace(memory, points=tuple(highest[bucket] for bucket in sorted(highest)))


def _of_present_code(memory: Footprint, seen: Observation) -> Footprint:
    """After a deploy the points of the code before fade soon: they may be too high, or too low."""
    ready = [total for total in seen.totals if total.ready]
    version = max(ready, key=lambda total: total.ready).version if ready else memory.version
    if version == memory.version:
        return memory
    latest = whole_second(seen.observed_at - POINT_LIFETIME + OLD_CODE_LIFETIME)
    points = tuple(replace(point, at=min(point.at, latest)) for point in memory.points)
    return replace(memory, version=version, points=points if memory.version else memory.points)


def _bucket(cached: int, *, replayed: bool) -> tuple[int, bool]:
    """One for each doubling of what is cached, and for runs that grew or came back by replays."""
    return cached.bit_length(), replayed


def _replayed_at(memory: Footprint, seen: Observation) -> datetime | None:
    """When so many workers were lost lately that those that are there hold mostly what was replayed."""
    ready = seen.ready_count
    lost = max((ended.at for ended in seen.exits), default=None) if 2 * len(seen.exits) >= max(ready, 1) else None
    before = memory.replayed_at
    newest = max((at for at in (lost, before) if at is not None), default=None)
    recent = newest is not None and seen.observed_at - newest <= POINT_LIFETIME
    return whole_second(newest) if newest is not None and recent else None


def _youngest_grown_seconds(memory: Footprint, seen: Observation) -> float:
    """The age from which on a worker has not filled by replays: it began well before many were lost."""
    if memory.replayed_at is None:
        return -math.inf
    return (seen.observed_at - memory.replayed_at + EXITS_TOLD).total_seconds()


def _live(seen: Observation, memory: Footprint) -> Iterator[MemoryPoint]:
    """Warm workers, and what the fullest of each bucket used at its peak.

    What one had cached when it told is not what fills it now, if memory has grown much since (seen: workers that gained
    1.4 GiB between two beats passed for nearly empty ones, and a cache that killed for one that is safe).
    """
    fresh_seconds, peaks = HEARTBEAT.fresh.total_seconds(), _peaks_are_of_this_cache(seen)
    grown_seconds = _youngest_grown_seconds(memory, seen)
    highest: dict[tuple[int, bool], tuple[int, int]] = {}
    for worker in seen.ready:
        cached, used_bytes, age_seconds = worker.cached, worker.memory_bytes, worker.heartbeat_age_seconds
        if cached is None or used_bytes is None or age_seconds is None or age_seconds > fresh_seconds:
            continue
        if memory.growth_bytes_per_second * age_seconds > MOST_GROWN * used_bytes:
            continue
        peak_bytes = worker.memory_peak_bytes or 0 if peaks else 0
        bucket = _bucket(cached, replayed=worker.age_seconds <= grown_seconds)
        most_bytes = max(used_bytes, peak_bytes)
        if most_bytes >= highest.get(bucket, (0, 0))[1]:
            highest[bucket] = cached, most_bytes
    at, running = whole_second(seen.observed_at), _most_running_now(seen)
    for (_, replayed), (cached, most_bytes) in highest.items():
        yield MemoryPoint(cached, most_bytes, at, running, replayed)


def _most_running_now(seen: Observation) -> int:
    told = [worker for worker in seen.ready if worker.activity_slots_used is not None]
    if not told:
        return 0
    mean = sum(worker.activity_slots_used or 0 for worker in told) / len(told)
    return round(most_running(mean, max(worker.activity_slots or 0 for worker in told)))


def _peaks_are_of_this_cache(seen: Observation) -> bool:
    record = seen.applied.record or seen.found
    cut = record.cut if record is not None else None
    return cut is None or seen.observed_at - cut.at > OLD_CACHE


def _killed(seen: Observation) -> Iterator[MemoryPoint]:
    """A kill says that what was cached needs more than the limit."""
    limit = seen.target.memory_limit_bytes if not seen.suspects else None  # single workflows kill at any fill
    for ended in seen.exits:
        if ended.reason is ExitReason.OOM_KILLED and limit is not None and (cached := _cached(ended)) is not None:
            yield MemoryPoint(cached, int(limit * OOM_FACTOR), whole_second(ended.at))


def _cached(ended: WorkerExit) -> int | None:
    """What it had cached; where nobody knows, half of what it may have had, to err on the safe side."""
    if ended.cached is not None:
        return ended.cached
    return ended.cache // 2 if ended.cache is not None else None
