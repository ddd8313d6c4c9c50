"""Which thresholds of a plan an observation crosses, and which of them end a tick before its time. Pure."""

from collections.abc import Iterator
from datetime import datetime

from scaler.model.observation import UNASKED, Observation, Wake
from scaler.model.plan import Plan, Stamp, WakeAt


def crossed(wake: WakeAt, seen: Observation, since: datetime) -> frozenset[Wake]:
    """Everything in an observation that would need a decision now; missing figures cross nothing.

    Workers that ended unasked count from `since` on, when the watch began.
    """
    died = any(ended.reason in UNASKED and ended.at > since for ended in seen.exits)
    return frozenset(_levels(wake, seen)) | ({Wake.WORKERS_LOST} if died else frozenset())


def ends_tick(new: frozenset[Wake], now: datetime, wake_from: datetime) -> Wake | None:
    """What of all that was crossed since the watch began ends the tick: an emergency at once, all else from then on."""
    if Wake.EMERGENCY_MEMORY in new:
        return Wake.EMERGENCY_MEMORY
    return min(new, default=None) if now >= wake_from else None


def held(plan: Plan, seen: Observation) -> tuple[Wake, ...]:
    """What was crossed already in the observation that a plan was made from, so that it need wake nobody."""
    return tuple(sorted(_levels(plan.wake, seen)))


def ends_known(seen: Observation) -> tuple[str, ...]:
    """The ends of workers that nobody asked for, as far as an observation tells them."""
    return tuple(ended.identity for ended in seen.exits if ended.reason in UNASKED)


def news(wake: WakeAt, stamp: Stamp, seen: Observation) -> frozenset[Wake] | None:
    """What is crossed and was not when the plan was made; None where its sender did not tell what was.

    A burst between that moment and the watch's first sample is news, and so is a second worker's end after a first.
    """
    if stamp.held is None:
        return None
    died = any(ended.reason in UNASKED and ended.identity not in stamp.ends_known for ended in seen.exits)
    new = frozenset(_levels(wake, seen)) - frozenset(stamp.held)
    return new | {Wake.WORKERS_LOST} if died else new


def _levels(wake: WakeAt, seen: Observation) -> Iterator[Wake]:
    fullest = max((worker.memory_bytes or 0 for worker in seen.workers), default=0)
    if _reaches(fullest, wake.emergency_memory_bytes):
        yield Wake.EMERGENCY_MEMORY
    if _reaches(fullest, wake.memory_bytes):
        yield Wake.MEMORY
    backlog = sum(queue.backlog_tasks or 0 for queue in seen.queues)
    age_seconds = max((queue.backlog_age_seconds or 0.0 for queue in seen.queues), default=0.0)
    if _reaches(backlog, wake.backlog_tasks) or _reaches(age_seconds, wake.backlog_age_seconds):
        yield Wake.BACKLOG
    if _reaches(sum(total.activity_slots_used for total in seen.totals), wake.activity_slots_used):
        yield Wake.SLOTS
    ready = seen.ready_count
    if wake.ready_below is not None and ready < wake.ready_below:
        yield Wake.WORKERS_LOST
    if _reaches(ready, wake.ready_at_least):
        yield Wake.WORKERS_READY


def _reaches(figure: float, threshold: float | None) -> bool:
    return threshold is not None and figure >= threshold
