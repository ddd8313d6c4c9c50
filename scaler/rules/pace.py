"""How long the next tick lasts and what would end it early. Pure."""

import math
from datetime import datetime, timedelta

from scaler.model.common import Size
from scaler.model.plan import LONGEST_TICK, SHORTEST_TICK, WakeAt
from scaler.rules.situation import EMERGENCY_FRACTION, Situation

FIRST_TICK = timedelta(seconds=10)
"""What threatens workers that were just taken over is mostly in no first reading: caches and memory come later."""

WATCHFUL_TICK = timedelta(seconds=15)
IDLE_PER_SECOND = 0.01
"""A level that fades never comes to nothing."""

WATCH_MEMORY_FRACTION = 0.85
FULL_SLOTS = 0.9
"""Part of the activity slots in use at which it is time to look again, though nothing waits yet."""


def until(situation: Situation, *, busy: bool) -> datetime:
    """The end of the next tick: soon while something is under way, and at the next known deadline at the latest."""
    now, estimate = situation.now, situation.estimate
    if busy or estimate.starting or estimate.restarting or any(load.backlog_tasks for load in estimate.loads):
        length = SHORTEST_TICK
    elif situation.barely_seen:
        length = FIRST_TICK
    elif any(load.arrivals_per_second > IDLE_PER_SECOND for load in estimate.loads):
        length = WATCHFUL_TICK
    else:
        length = LONGEST_TICK
    return min([now + length, *(deadline for deadline in _deadlines(situation) if deadline > now)])


def _deadlines(situation: Situation) -> list[datetime]:
    operator, hold = situation.memory.operator, situation.fleet.behaviour.foreign_hold
    foreign = situation.memory.foreign_since
    ends = [
        operator.pause.until if operator.pause else None,
        operator.override.until if operator.override else None,
        foreign + hold if foreign else None,
        situation.seen.schedule.until,
    ]
    return [end for end in ends if end is not None]


def wake(situation: Situation, size: Size) -> WakeAt:
    """Thresholds at which a new decision would differ."""
    estimate = situation.estimate
    limit, workers = estimate.memory.limit_bytes, max(estimate.ready, 1)
    slots = sum(load.slots_per_worker for load in estimate.activity_loads)
    objectives = [situation.fleet.objective_seconds(load.task_type) for load in estimate.loads]
    return WakeAt(
        memory_bytes=int(limit * WATCH_MEMORY_FRACTION) if limit else None,
        emergency_memory_bytes=int(limit * EMERGENCY_FRACTION) if limit else None,
        backlog_tasks=1,
        backlog_age_seconds=min(objectives, default=None),
        activity_slots_used=math.ceil(workers * slots * FULL_SLOTS) if slots else None,
        # Workers that this very plan takes away are not lost.
        ready_below=min(estimate.ready, size.workers) or None,
        # Only a rollout waits for workers; any wake makes the next one wait, and a growing backlog can't.
        ready_at_least=size.workers if situation.rolling and estimate.ready < size.workers else None,
    )
