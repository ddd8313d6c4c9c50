"""How much memory a worker uses with so many workflows cached: the upper envelope of what was seen. Pure.

The fullest worker is the risk, not the mean. The envelope is concave: where evicted workflows wait for collection (in
Python many do), they cost as much in a small cache as in a large one, and a line through the empty worker alone would
take them for the size of each cached workflow.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from scaler.fleet import Fleet
from scaler.learn.activity_bytes import BEAT_SECONDS, ActivityCost, activity_cost, fed_fit, told_apart
from scaler.learn.freshness import WORKER_MEMORY
from scaler.learn.level import level_after
from scaler.learn.memory_points import with_points_of
from scaler.model.common import Quality
from scaler.model.estimate import Corner, MemoryUse
from scaler.model.observation import Observation
from scaler.model.remembered import Footprint, Level, MemoryPoint

CLOSEST_CORNERS = 8
"""Two points closer than this many workflows say nothing about the slope between them."""

SHALLOWEST = 0.5
"""Beyond what was seen, memory grows at least at this part of its mean slope so far."""

RULING_PART = 0.25
"""Part of the memory limit that the activities of a worker take where they may be what memory follows."""

SMALLEST_WORKFLOW_BYTES = 4096.0
GUESSED_BASE_BYTES = 80 * 2**20
GUESSED_WORKFLOW_BYTES = 2**20
"""Stand in until something was measured. Of a worker that was never seen empty half of the base is taken: the rest of
its memory then counts as its workflows', which errs on the safe side."""

ASSUMED_REPLAY_FACTOR, LARGEST_REPLAY_FACTOR = 2.8, 10.0
"""How many times as much a run takes that came back by a replay: until it was seen, and at most."""

REACTION_SECONDS = 10.0
GROWTH_TIME = timedelta(seconds=20)
"""As long as growth is projected ahead: an average over longer knows of a filling worker when it is too late."""


def remembered(memory: Footprint, seen: Observation) -> Footprint:
    """What is remembered of single workers' memory after one more observation."""
    activities = fed_fit(memory.activities, seen, _elapsed_seconds(memory, seen))
    memory = with_points_of(memory, seen, activity_cost(activities).likely_bytes)
    memory = replace(memory, replay_factor=_replay_factor(memory, activity_cost(activities)))
    fullest, growth = _growth(memory, seen)
    return replace(memory, activities=activities, fullest_bytes=fullest, growth_bytes_per_second=growth)


def _elapsed_seconds(memory: Footprint, seen: Observation) -> float:
    before = memory.fullest_bytes.at
    return min(max((seen.observed_at - before).total_seconds(), 0.0), BEAT_SECONDS) if before is not None else 1.0


def memory_use(memory: Footprint, seen: Observation, fleet: Fleet, now: datetime) -> MemoryUse:
    """The estimate that the envelope gives; guesses stand in for what was not measured."""
    activity = activity_cost(memory.activities)
    limit_bytes = _smaller(seen.target.memory_limit_bytes, fleet.memory.limit)
    by_activities = _activities_rule(memory, activity, limit_bytes)
    points = _net(memory.points, activity)
    corners = _line(points, activity) if by_activities else _concave(points)
    mean = _mean_slope(corners)
    fullest = seen.fullest_bytes
    use = MemoryUse(
        corners=corners,
        slope_bytes=_slope_beyond(corners, mean, activity),
        largest_cached=max((point.cached for point in memory.points), default=0),
        caches=max((worker.caches or 0 for worker in seen.workers), default=0) or fleet.workers.caches or 1,
        limit_bytes=limit_bytes,
        fullest_bytes=fullest,
        soonest_bytes=fullest + memory.growth_bytes_per_second * _reaction_seconds(fleet)
        if fullest is not None
        else None,
        quality=_quality(seen, now),
        measured=mean is not None,
        activity_bytes=activity.likely_bytes,
        activity_high_bytes=activity.high_bytes,
        told_apart=told_apart(memory.activities, len(seen.ready)),
        replay_seen=memory.replay_factor is not None,
    )
    return use if mean is None or by_activities else replace(use, after_replay=_after_replay(use, memory, activity))


def _after_replay(use: MemoryUse, memory: Footprint, activity: ActivityCost) -> MemoryUse:
    """Memory of a worker that has got its runs by replays: what was seen of such, and what grew, with what they add.

    Before any were seen, the factor of runs with some two hundred events stands in (docs/calibration.md, E2).
    """
    factor = memory.replay_factor if memory.replay_factor is not None else ASSUMED_REPLAY_FACTOR
    grown = _net([point for point in memory.points if not point.replayed], activity)
    more_bytes = (factor - 1) * (_each_bytes(grown) or use.slope_bytes)
    points = [Corner(point.cached, point.bytes + more_bytes * point.cached) for point in grown]
    points += _net([point for point in memory.points if point.replayed], activity)
    highest = {point.cached: point for point in sorted(points, key=lambda each: each.bytes)}
    corners = _concave([use.corners[0], *(highest[cached] for cached in sorted(highest) if cached)])
    slope_bytes = max(_slope_beyond(corners, _mean_slope(corners), activity), use.slope_bytes + more_bytes)
    return replace(use, corners=corners, slope_bytes=slope_bytes)


def _replay_factor(memory: Footprint, activity: ActivityCost) -> float | None:
    """How many times as much as grown ones replayed runs were seen to take; as before while not both are there."""
    grown = _net([point for point in memory.points if not point.replayed], activity)
    replayed = _net([point for point in memory.points if point.replayed], activity)
    each_bytes, corners = _each_bytes(grown), _concave(grown)
    if each_bytes is None:
        return memory.replay_factor
    factors = [
        1 + (point.bytes - _at(corners, point.cached)) / (each_bytes * point.cached)
        for point in replayed
        if CLOSEST_CORNERS <= point.cached <= corners[-1].cached
    ]
    return round(min(max(1.0, *factors), LARGEST_REPLAY_FACTOR), 2) if factors else memory.replay_factor


def _each_bytes(points: Sequence[Corner]) -> float | None:
    """Bytes of a workflow on average, between the emptiest and the fullest worker that were seen."""
    if not points or points[-1].cached - points[0].cached < CLOSEST_CORNERS:
        return None
    return max(_slope(points[0], points[-1]), SMALLEST_WORKFLOW_BYTES)


def _at(corners: Sequence[Corner], cached: int) -> float:
    """The envelope at so many cached, which is at most the last corner's."""
    for below, above in pairwise(corners):
        if cached <= above.cached:
            return below.bytes + _slope(below, above) * (cached - below.cached)
    return corners[-1].bytes


def _net(points: Sequence[MemoryPoint], activity: ActivityCost) -> list[Corner]:
    """The points without what activities took."""
    return [Corner(each.cached, each.bytes - each.running * activity.likely_bytes) for each in points]


def _reaction_seconds(fleet: Fleet) -> float:
    """Until a decision made now has taken memory off a worker: a tick, and its drain as far as it can be waited for."""
    return REACTION_SECONDS + min(fleet.behaviour.drain.total_seconds(), REACTION_SECONDS)


def _line(points: Sequence[Corner], activity: ActivityCost) -> tuple[Corner, ...]:
    """The highest line with the slope that the fit gives a cached workflow; level where it gives none."""
    each_bytes = activity.workflow_high_bytes or 0.0
    base_bytes = max(point.bytes - each_bytes * point.cached for point in points)
    most = max(point.cached for point in points)
    return (Corner(0, base_bytes), Corner(most, base_bytes + each_bytes * most))[: 2 if each_bytes and most else 1]


def _activities_rule(memory: Footprint, activity: ActivityCost, limit_bytes: int | None) -> bool:
    """Whether memory follows activities rather than what is cached.

    How much more a fuller cache takes is lost in the noise between two highest points then; the fit tells it better.
    What it can't show to take anything is not blamed for what activities fill.
    """
    taken_bytes = max((point.running for point in memory.points), default=0) * activity.likely_bytes
    held = max((point.cached for point in memory.points), default=0)
    return taken_bytes > max(RULING_PART * (limit_bytes or math.inf), (activity.workflow_high_bytes or 0.0) * held)


def _concave(points: Sequence[Corner]) -> tuple[Corner, ...]:
    """The upper concave hull of the points, from an empty worker to the highest; never empty."""
    if not points:
        return (Corner(0, GUESSED_BASE_BYTES),)
    first = points[0]
    start = [] if first.cached < CLOSEST_CORNERS else [Corner(0, min(first.bytes / 2, GUESSED_BASE_BYTES / 2))]
    hull: list[Corner] = []
    for corner in (*start, *points):
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


def _slope_beyond(corners: tuple[Corner, ...], mean: float | None, activity: ActivityCost) -> float:
    """Bytes of each workflow beyond the fullest that was seen."""
    if mean is not None:
        return max(_slope(*corners[-2:]), SHALLOWEST * mean, SMALLEST_WORKFLOW_BYTES)
    return SMALLEST_WORKFLOW_BYTES if len(corners) == 1 and activity.likely_bytes else GUESSED_WORKFLOW_BYTES


def _growth(memory: Footprint, seen: Observation) -> tuple[Level, float]:
    """The memory of the fullest that serves, and how fast it grows; a fall, after an eviction or a death, starts anew.

    A worker that starts grows by what it imports, and stops by itself.
    """
    before = memory.fullest_bytes
    fullest_bytes = max((worker.memory_bytes for worker in seen.ready if worker.memory_bytes is not None), default=None)
    if fullest_bytes is None:
        return before, memory.growth_bytes_per_second
    newest = Level(float(fullest_bytes), seen.observed_at)
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
