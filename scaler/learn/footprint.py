"""How much memory a worker uses with so many workflows cached: the upper envelope of what was seen. Pure.

The fullest worker is the risk, not the mean. The envelope is concave: where evicted workflows wait for collection (in
Python many do), they cost as much in a small cache as in a large one, and a line through the empty worker alone would
take them for the size of each cached workflow.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from scaler.fleet import Fleet
from scaler.learn.activity_bytes import bytes_per_activity, fed_fit
from scaler.learn.freshness import HEARTBEAT, WORKER_MEMORY
from scaler.learn.level import level_after
from scaler.model.common import Quality
from scaler.model.estimate import Corner, MemoryUse
from scaler.model.observation import ExitReason, Observation, WorkerExit
from scaler.model.remembered import Footprint, Level, MemoryPoint, whole_second

POINT_LIFETIME = timedelta(hours=6)
"""A past peak does not bind for ever."""

OLD_CODE_LIFETIME = timedelta(minutes=30)
"""What other code used stands in until the present one was seen for a while."""

CLOSEST_CORNERS = 8
"""Two points closer than this many workflows say nothing about the slope between them."""

SHALLOWEST = 0.5
"""Beyond what was seen, memory grows at least at this part of its mean slope so far."""

SMALLEST_WORKFLOW_BYTES = 4096.0
GUESSED_BASE_BYTES = 80 * 2**20
GUESSED_WORKFLOW_BYTES = 2**20
"""Stand in until something was measured. Of a worker that was never seen empty half of the base is taken: the rest of
its memory then counts as its workflows', which errs on the safe side."""

OOM_FACTOR = 1.2
"""A killed worker wanted more than its limit, and nobody saw how much more; the VPA bumps by the same factor."""

MOST_GROWN = 0.1
"""Part of its memory that a worker may have gained since it told what it has cached."""

REACTION_SECONDS = 10.0
GROWTH_TIME = timedelta(seconds=20)
"""As long as growth is projected ahead: an average over longer knows of a filling worker when it is too late."""


def remembered(memory: Footprint, seen: Observation) -> Footprint:
    """What is remembered of single workers' memory after one more observation."""
    memory = _of_present_code(memory, seen)
    activities = fed_fit(memory.activities, seen)
    oldest = seen.observed_at - POINT_LIFETIME
    # One bucket for each doubling of what is cached.
    highest = {point.cached.bit_length(): point for point in memory.points if point.at > oldest}
    fullest, growth = _growth(memory, seen)
    for cached, used_bytes, at in (*_live(seen, bytes_per_activity(activities), growth), *_killed(seen)):
        bucket = cached.bit_length()
        point = highest.get(bucket)
        if point is None or used_bytes >= point.bytes:
            highest[bucket] = MemoryPoint(cached, used_bytes, whole_second(at))
    return replace(
        memory,
        points=tuple(highest[bucket] for bucket in sorted(highest)),
        activities=activities,
        fullest_bytes=fullest,
        growth_bytes_per_second=growth,
    )


def memory_use(memory: Footprint, seen: Observation, fleet: Fleet, now: datetime) -> MemoryUse:
    """The estimate that the envelope gives; guesses stand in for what was not measured."""
    corners = _concave(memory.points)
    mean = _mean_slope(corners)
    last = _slope(*corners[-2:]) if len(corners) > 1 else 0.0
    measured = mean is not None
    fullest = seen.fullest_bytes
    return MemoryUse(
        corners=corners,
        slope_bytes=max(last, SHALLOWEST * mean, SMALLEST_WORKFLOW_BYTES)
        if mean is not None
        else GUESSED_WORKFLOW_BYTES,
        largest_cached=max((point.cached for point in memory.points), default=0),
        caches=max((worker.caches or 0 for worker in seen.workers), default=0) or fleet.workers.caches or 1,
        limit_bytes=_smaller(seen.target.memory_limit_bytes, fleet.memory.limit),
        fullest_bytes=fullest,
        soonest_bytes=fullest + memory.growth_bytes_per_second * _reaction_seconds(fleet)
        if fullest is not None
        else None,
        quality=_quality(seen, now),
        measured=measured,
    )


def _reaction_seconds(fleet: Fleet) -> float:
    """Until a decision made now has taken memory off a worker: a tick, and its drain as far as it can be waited for."""
    return REACTION_SECONDS + min(fleet.behaviour.drain.total_seconds(), REACTION_SECONDS)


def _of_present_code(memory: Footprint, seen: Observation) -> Footprint:
    """After a deploy the points of the code before fade soon: they may be too high, or too low."""
    ready = [total for total in seen.totals if total.ready]
    version = max(ready, key=lambda total: total.ready).version if ready else memory.version
    if version == memory.version:
        return memory
    latest = whole_second(seen.observed_at - POINT_LIFETIME + OLD_CODE_LIFETIME)
    points = tuple(replace(point, at=min(point.at, latest)) for point in memory.points)
    return replace(memory, version=version, points=points if memory.version else memory.points)


Used = tuple[int, int, datetime]
"""How many workflows were cached, how many bytes a worker used with them, and when."""


def _live(seen: Observation, bytes_each: float, growth_bytes_per_second: float) -> Iterator[Used]:
    """Warm workers as they would be with all their activity slots in use.

    What one had cached when it told is not what fills it now, if memory has grown much since (seen: workers that gained
    1.4 GiB between two beats passed for nearly empty ones, and a cache that killed for one that is safe).
    """
    fresh_seconds = HEARTBEAT.fresh.total_seconds()
    for worker in seen.ready:
        cached, used_bytes, age_seconds = worker.cached, worker.memory_bytes, worker.heartbeat_age_seconds
        if cached is None or used_bytes is None or age_seconds is None or age_seconds > fresh_seconds:
            continue
        if growth_bytes_per_second * age_seconds > MOST_GROWN * used_bytes:
            continue
        free = (worker.activity_slots or 0) - (worker.activity_slots_used or 0)
        yield cached, int(used_bytes + free * bytes_each) if free > 0 else used_bytes, seen.observed_at


def _killed(seen: Observation) -> Iterator[Used]:
    """A kill proves that what was cached needs more than the limit."""
    limit = seen.target.memory_limit_bytes
    for ended in seen.exits:
        if ended.reason is ExitReason.OOM_KILLED and limit is not None and (cached := _cached(ended)) is not None:
            yield cached, int(limit * OOM_FACTOR), ended.at


def _cached(ended: WorkerExit) -> int | None:
    """What it had cached; where nobody knows, half of what it may have had, to err on the safe side."""
    if ended.cached is not None:
        return ended.cached
    return ended.cache // 2 if ended.cache is not None else None


def _concave(points: tuple[MemoryPoint, ...]) -> tuple[Corner, ...]:
    """The upper concave hull of the points, from an empty worker to the highest; never empty."""
    if not points:
        return (Corner(0, GUESSED_BASE_BYTES),)
    first = points[0]
    start = [] if first.cached < CLOSEST_CORNERS else [Corner(0, min(first.bytes / 2, GUESSED_BASE_BYTES / 2))]
    hull: list[Corner] = []
    for corner in (*start, *(Corner(point.cached, point.bytes) for point in points)):
        if hull and (corner.bytes <= hull[-1].bytes or corner.cached <= hull[-1].cached):
            continue
        while len(hull) > 1 and _slope(hull[-1], corner) >= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(corner)
    return tuple(hull)


def _slope(below: Corner, above: Corner) -> float:
    return (above.bytes - below.bytes) / (above.cached - below.cached)


def _mean_slope(corners: tuple[Corner, ...]) -> float | None:
    """Bytes per workflow from the emptiest to the fullest; None while they are too close together."""
    if corners[-1].cached - corners[0].cached < CLOSEST_CORNERS:
        return None
    return _slope(corners[0], corners[-1])


def _growth(memory: Footprint, seen: Observation) -> tuple[Level, float]:
    """The fullest worker's memory, and how fast it grows; a fall, after an eviction or a death, starts anew."""
    before = memory.fullest_bytes
    if seen.fullest_bytes is None:
        return before, memory.growth_bytes_per_second
    newest = Level(float(seen.fullest_bytes), seen.observed_at)
    if before.value is None or before.at is None or newest.value is None or newest.value < before.value:
        return newest, 0.0
    seconds = (seen.observed_at - before.at).total_seconds()
    if seconds <= 0:
        return before, memory.growth_bytes_per_second
    slope = Level(memory.growth_bytes_per_second, before.at)
    growth = level_after(slope, (newest.value - before.value) / seconds, seen.observed_at, GROWTH_TIME)
    return newest, round(growth.value or 0.0, 1)


def _smaller(first: int | None, second: int | None) -> int | None:
    return min((limit for limit in (first, second) if limit is not None), default=None)


def _quality(seen: Observation, now: datetime) -> Quality:
    """How well the memory of all ready workers is known: as well as that of the least known."""
    waited_seconds = (now - seen.observed_at).total_seconds()
    ages = [worker.memory_age_seconds for worker in seen.ready]
    known = [age for age in ages if age is not None]
    if not known:
        return Quality.MISSING
    return WORKER_MEMORY.quality_at_age(max(known) + waited_seconds) if len(known) == len(ages) else Quality.STALE
