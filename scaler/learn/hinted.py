"""An observation as the hints of its own workers amend it, in their rows and in what is summed over them. Pure.

Hints are kept beside the observation and applied to each one until they are old: a look that was under way when one
came knows nothing of it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from scaler.hint import Hint
from scaler.learn.freshness import HEARTBEAT
from scaler.learn.slots import settled_work
from scaler.model.common import TaskType, mark
from scaler.model.observation import Observation, QueueSlots, WorkerSeen, WorkerState, WorkerTotals


def told_by(seen: Observation, hint: Hint) -> WorkerSeen | None:
    """The worker that a hint is of; None where the fleet has none of that name or identity."""
    named = [row for row in seen.workers if row.name == hint.worker]
    known = named or [row for row in seen.workers if row.known_as and mark(hint.worker).startswith(row.known_as)]
    return known[0] if len(known) == 1 else None


def with_hints(seen: Observation, hints: Iterable[Hint], now: datetime) -> Observation:
    """The observation with what its workers said since; a stranger's hint changes nothing."""
    for hint in hints:
        row = told_by(seen, hint) if hint.believed(now) else None
        if row is not None:
            seen = _amended(seen, row, _updated(row, hint, seen.observed_at))
    return seen


def _amended(seen: Observation, old: WorkerSeen, new: WorkerSeen) -> Observation:
    rows = tuple(new if row is old else row for row in seen.workers)
    totals = tuple(
        _moved(total, old, new) if (total.cache, total.version) == (old.cache, old.version) else total
        for total in seen.totals
    )
    return replace(seen, workers=rows, totals=totals, slots=_slots_moved(seen.slots, old, new))


def _updated(row: WorkerSeen, hint: Hint, observed_at: datetime) -> WorkerSeen:
    """Ages count from the observation, so what is newer than it has a negative one."""
    age_seconds = (observed_at - (hint.at or observed_at)).total_seconds()
    if hint.memory_bytes is not None and _newer(age_seconds, row.memory_age_seconds):
        row = replace(row, memory_bytes=hint.memory_bytes, memory_age_seconds=age_seconds)
    if hint.slots_used is not None and _newer(age_seconds, row.heartbeat_age_seconds):
        # The rate is of the heartbeat before: together with these slots it would tell how long no task ever takes.
        row = replace(
            row,
            activity_slots_used=hint.slots_used,
            activity_slots=hint.slots if hint.slots is not None else row.activity_slots,
            heartbeat_age_seconds=age_seconds,
            activities_per_second=None,
        )
    return row


def _newer(age_seconds: float, known_seconds: float | None) -> bool:
    return known_seconds is None or age_seconds < known_seconds


def _moved(total: WorkerTotals, old: WorkerSeen, new: WorkerSeen) -> WorkerTotals:
    memory_bytes = (new.memory_bytes or 0) - (old.memory_bytes or 0)
    total = replace(
        total,
        memory_bytes=total.memory_bytes + memory_bytes,
        memory_max_bytes=max(total.memory_max_bytes, new.memory_bytes or 0),
    )
    if not _beats(new) or new.activity_slots is None:
        return total
    before = old if _beats(old) else None
    return replace(
        total,
        beating=total.beating + (before is None),
        activity_slots=total.activity_slots + new.activity_slots - _slots(before),
        activity_slots_used=total.activity_slots_used + (new.activity_slots_used or 0) - _slots_used(before),
    )


def _slots_moved(told: tuple[QueueSlots, ...], old: WorkerSeen, new: WorkerSeen) -> tuple[QueueSlots, ...]:
    """A row is the sum of all that its worker polls: of several activity queues, it tells nothing of one."""
    activity = [each for each in told if each.task_type is TaskType.ACTIVITY]
    if len(activity) != 1 or not _beats(new):
        return told
    moved = _queue_moved(activity[0], old if _beats(old) else None, new)
    return tuple(moved if each is activity[0] else each for each in told)


def _queue_moved(told: QueueSlots, before: WorkerSeen | None, new: WorkerSeen) -> QueueSlots:
    was_used, was_done = settled_work([before] if before is not None else [])
    used, done = settled_work([new])
    return replace(
        told,
        beating=told.beating + (before is None),
        sized=told.sized + _is_sized(new) - _is_sized(before),
        slots=told.slots + _slots(new) - _slots(before),
        used=told.used + _slots_used(new) - _slots_used(before),
        settled_used=told.settled_used + used - was_used,
        settled_done_per_second=told.settled_done_per_second + done - was_done,
    )


def _is_sized(row: WorkerSeen | None) -> bool:
    return row is not None and row.activity_slots is not None


def _beats(row: WorkerSeen) -> bool:
    age_seconds = row.heartbeat_age_seconds
    serves = row.state is WorkerState.READY
    return serves and age_seconds is not None and age_seconds <= HEARTBEAT.fresh.total_seconds()


def _slots(row: WorkerSeen | None) -> int:
    return (row.activity_slots or 0) if row is not None else 0


def _slots_used(row: WorkerSeen | None) -> int:
    return (row.activity_slots_used or 0) if row is not None else 0
