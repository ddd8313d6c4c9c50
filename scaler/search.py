"""The size that the load needs, before anything is held, stepped or bounded in time. Pure.

First version: the largest cache that memory allows, and the fewest workers that keep every objective with it.
"""

import math
from dataclasses import dataclass

from scaler.fleet import CACHE_FLOOR, Fleet
from scaler.model.common import Size, TaskType
from scaler.model.decision import Constraint, Prediction
from scaler.model.estimate import Estimate, Load, MemoryUse
from scaler.queueing import Stream, wait_seconds

UTILISATION_CAP = {TaskType.WORKFLOW: 0.7, TaskType.ACTIVITY: 0.85}
"""No slot may be busier than this on average: the waiting formula is optimistic for bursty arrivals."""

DRAIN_SECONDS = 15.0
"""A backlog is to be gone within this time."""

TRUSTED_GROWTH = 2.0
"""A cache may grow to so many times what was ever seen full; beyond, memory is extrapolation."""

POLLERS_HELD = 4
"""Workflow task slots that idle sticky polls hold: concurrency is about cache - 4 (measured, sdk-core)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What the load needs, and what binds it."""

    size: Size
    workers_bound: Constraint
    cache_bound: Constraint
    predicted: Prediction
    memory_floor: bool = False  # not even the smallest cache fits the limit


def need(estimate: Estimate, fleet: Fleet, current: Size) -> Need:
    """The fewest workers at the largest cache that memory allows."""
    cache, cache_bound, floor = safe_cache(estimate.memory, fleet, current.cache)
    workers, workers_bound = workers_for(cache, estimate, fleet, current.workers)
    predicted = predict(Size(workers, cache), estimate, fleet)
    return Need(
        size=Size(workers, cache),
        workers_bound=workers_bound,
        cache_bound=cache_bound,
        predicted=predicted,
        memory_floor=floor,
    )


def safe_cache(memory: MemoryUse, fleet: Fleet, current: int | None) -> tuple[int | None, Constraint, bool]:
    """The largest cache that stays under the memory limit, what bounds it, and whether even the floor does not."""
    if not fleet.decides_cache:
        return None, Constraint.FIXED, False
    if memory.limit_bytes is None:
        return current, Constraint.FIXED, False
    usable = memory.limit_bytes * (1 - fleet.memory.headroom) - memory.base_bytes
    fits = int(usable / (memory.bytes_per_workflow * memory.caches))
    bounds = [
        (fits, Constraint.MEMORY),
        (fleet.cache.max, Constraint.CACHE_MAX),
        (_trusted(memory, current), Constraint.CACHE_TRUST),
    ]
    cache, bound = min(bounds, key=lambda each: each[0])
    if cache >= fleet.cache.min:
        return cache, bound, False
    if fits >= fleet.cache.min:
        return fleet.cache.min, Constraint.CACHE_MIN, False
    return max(CACHE_FLOOR, min(fits, fleet.cache.min)), Constraint.MEMORY, fits < CACHE_FLOOR


def _trusted(memory: MemoryUse, current: int | None) -> int:
    """Growth is trusted from what was seen full; what runs already is not cut for lack of trust."""
    seen = math.ceil(TRUSTED_GROWTH * memory.largest_cached / memory.caches)
    return max(seen, current or 0, CACHE_FLOOR) if memory.measured or current else 10**9


def workers_for(cache: int | None, estimate: Estimate, fleet: Fleet, current: int) -> tuple[int, Constraint]:
    """The fewest workers that keep the objectives of both task types, and which of them asks for so many."""
    wanted = [_workers_for_load(load, fleet, Size(current, cache)) for load in estimate.loads]
    workers, constraint = max([(fleet.workers.min, Constraint.WORKERS_MIN), *wanted], key=lambda each: each[0])
    return workers + fleet.workers.reserve, constraint


def _workers_for_load(load: Load, fleet: Fleet, size: Size) -> tuple[int, Constraint]:
    stream = _stream(load)
    if stream is None:
        return _without_service_time(load, size.workers)
    slots = slots_of(load, size.cache)
    drain = load.backlog_tasks * stream.service_seconds / DRAIN_SECONDS
    erlangs = stream.erlangs + drain
    workers = max(1, math.ceil(erlangs / (slots * UTILISATION_CAP[load.task_type]))) if erlangs > 0 else 0
    objective = fleet.objective_seconds(load.task_type)
    while workers < fleet.workers.max and wait_seconds(workers * slots, stream, fleet.objective.percentile) > objective:
        workers += 1
    by_load = Constraint.WORKFLOW_TASK_LOAD if load.task_type is TaskType.WORKFLOW else Constraint.ACTIVITY_LOAD
    return workers, Constraint.BACKLOG if drain > stream.erlangs else by_load


def _stream(load: Load) -> Stream | None:
    if load.service_seconds is None:
        return None
    return Stream(
        arrivals_per_second=load.arrivals_per_second,
        service_seconds=load.service_seconds,
        variability=max(1.0, (1 + load.service_scv) / 2),
    )


def _without_service_time(load: Load, current: int) -> tuple[int, Constraint]:
    """Work that waits but was never measured: one worker to wake on, then one more while it stays."""
    if load.backlog_tasks:
        return current + 1, Constraint.BACKLOG
    return (max(1, current) if load.arrivals_per_second else 0), Constraint.WORKERS_MIN


def slots_of(load: Load, cache: int | None) -> int:
    """Tasks of this type that one worker runs at a time; a small cache holds workflow tasks back."""
    if load.task_type is TaskType.WORKFLOW and cache is not None:
        return max(1, min(load.slots_per_worker, cache - POLLERS_HELD))
    return load.slots_per_worker


def predict(size: Size, estimate: Estimate, fleet: Fleet) -> Prediction:
    """What a size is expected to do."""
    activity = estimate.activity
    utilisation = None
    if activity is not None and activity.busy_erlangs is not None and size.workers:
        utilisation = activity.busy_erlangs / (size.workers * activity.slots_per_worker)
    memory = estimate.memory.predicted_bytes(size.cache) if size.cache is not None else None
    return Prediction(
        size=size,
        workflow_task_seconds=_predicted_wait(estimate.workflow, size, fleet),
        activity_seconds=_predicted_wait(activity, size, fleet),
        memory_bytes=int(memory) if memory is not None else None,
        cost_per_hour=size.workers * fleet.workers.price,
        utilisation=utilisation,
    )


def _predicted_wait(load: Load | None, size: Size, fleet: Fleet) -> float | None:
    stream = _stream(load) if load is not None else None
    if load is None or stream is None:
        return None
    wait = wait_seconds(size.workers * slots_of(load, size.cache), stream, fleet.objective.percentile)
    return wait if math.isfinite(wait) else None
