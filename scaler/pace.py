"""How long the next tick lasts and what would end it early. Pure."""

import math
from datetime import datetime, timedelta

from scaler.model.common import Size, TaskType
from scaler.model.plan import LONGEST_TICK, SHORTEST_TICK, WakeAt
from scaler.search import UTILISATION_CAP
from scaler.situation import EMERGENCY_FRACTION, Situation

WATCHFUL_TICK = timedelta(seconds=15)
WATCH_MEMORY_FRACTION = 0.85


def until(situation: Situation, *, busy: bool) -> datetime:
    """The end of the next tick: soon while something is under way, and at the next known deadline at the latest."""
    now, estimate = situation.now, situation.estimate
    loads = estimate.loads
    if busy or estimate.starting or estimate.restarting or any(load.backlog_tasks for load in loads):
        length = SHORTEST_TICK
    elif any(load.arrivals_per_second for load in loads):
        length = WATCHFUL_TICK
    else:
        length = LONGEST_TICK
    deadlines = [deadline for deadline in _deadlines(situation) if deadline > now]
    return min(now + length, *deadlines) if deadlines else now + length


def _deadlines(situation: Situation) -> list[datetime]:
    operator = situation.memory.operator
    ends = [operator.pause.until if operator.pause else None, operator.override.until if operator.override else None]
    return [end for end in ends if end is not None]


def wake(situation: Situation, size: Size) -> WakeAt:
    """Thresholds at which a new decision would differ."""
    limit, activity = situation.estimate.memory.limit_bytes, situation.estimate.activity
    workers = max(situation.estimate.ready, 1)
    slots = math.ceil(workers * activity.slots_per_worker * UTILISATION_CAP[TaskType.ACTIVITY]) if activity else None
    objectives = [
        situation.fleet.objective_seconds(task_type)
        for task_type in (TaskType.WORKFLOW, TaskType.ACTIVITY)
        if situation.fleet.polls(task_type)
    ]
    return WakeAt(
        memory_bytes=int(limit * WATCH_MEMORY_FRACTION) if limit else None,
        emergency_memory_bytes=int(limit * EMERGENCY_FRACTION) if limit else None,
        backlog_tasks=1,
        backlog_age_seconds=min(objectives, default=None),
        activity_slots_used=slots,
        ready_below=situation.estimate.ready or None,
        ready_at_least=size.workers if situation.estimate.ready < size.workers else None,
    )
