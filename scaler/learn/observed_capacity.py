"""What a worker was seen to get done at most while tasks waited: the most that it can be taken to be able to do. Pure.

By its slots a worker does slots ÷ task time. A limit on its rate, too few pollers or a saturated downstream hold it far
below that, and nothing tells of those but what it gets done while more would be there to do.
"""

import math
from datetime import datetime, timedelta

from scaler.learn.idle import took_nothing_since
from scaler.learn.seen_queue import SeenQueue
from scaler.model.common import Quality, TaskType
from scaler.model.remembered import Demand, Level, figure, whole_second
from scaler.wire.compact import millisecond

COUNTED_OVER = timedelta(seconds=30)
"""The server's rates are averages over so much time; tasks must have waited, and workers served, for all of it."""

BINDS_BELOW = 0.8
"""Part of what slots allow, below which what was seen counts; closer to it the two can't be told apart."""

OTHER_TASKS = 0.7
"""Tasks that take less than this part of what they took when it was seen are other tasks, and may be done faster."""

KNOWN_FOR = timedelta(hours=12)

STUCK_BEYOND = 3.0
"""A task that waits for so many times as long as all before it take waits for something else than a free worker."""


def waiting_since_after(demand: Demand, seen: SeenQueue) -> datetime | None:
    """From when on tasks have waited without a break, since the oldest always came before the reading before."""
    at, tasks, age = seen.statistics.at, seen.statistics.backlog_tasks, seen.statistics.backlog_age_seconds
    if at is None or not tasks or age is None:
        return None
    began, read_before = at - timedelta(seconds=age), demand.backlog.at
    unbroken = demand.waiting_since is not None and read_before is not None and began <= read_before
    return demand.waiting_since if unbroken else millisecond(began)


def most_done_after(demand: Demand, seen: SeenQueue) -> tuple[Level, float | None]:
    """The most that one worker was seen to get done in a second while tasks waited, and how long a task took then.

    Workflow tasks take as long as their replays, so that what was done with cold caches says nothing of warm ones.
    """
    known, done = demand.most_done, _done(demand, seen)
    if known.at is None or known.value is None or seen.at - known.at > KNOWN_FOR:
        shown = done is not None and seen.polled.task_type is TaskType.ACTIVITY and _stands(demand, seen)
        return (
            (Level(figure(done), whole_second(seen.at)), demand.service_seconds.value)
            if shown and done
            else (Level(), None)
        )
    higher = done is not None and done > known.value
    return Level(figure(done), whole_second(seen.at)) if higher and done else known, demand.most_done_service


def most_per_second(demand: Demand, slots_per_worker: int, now: datetime) -> float | None:
    """What a worker can be taken to get done at most, where that is well below what its slots allow."""
    most, service = demand.most_done, demand.service_seconds.value
    if most.value is None or most.at is None or not service or now - most.at > KNOWN_FOR:
        return None
    if demand.most_done_service is not None and service < OTHER_TASKS * demand.most_done_service:
        return None
    return most.value if most.value < BINDS_BELOW * slots_per_worker / service else None


def _done(demand: Demand, seen: SeenQueue) -> float | None:
    """Tasks a second of one worker, at the upper end of what chance explains."""
    rate = seen.statistics.dispatches_per_second
    if rate is None or not seen.observed.ready_count or seen.quality(seen.at) is not Quality.FRESH:
        return None
    counted = (rate + max(demand.unqueued_per_second.value or 0.0, 0.0)) * COUNTED_OVER.total_seconds()
    return (
        (counted + math.sqrt(counted)) / COUNTED_OVER.total_seconds() / seen.observed.ready_count if counted else None
    )


def _stands(demand: Demand, seen: SeenQueue) -> bool:
    """Whether tasks waited and the same workers served for all of the time that rates are averages over.

    Where some do nothing beside tasks that wait, as where their pollers died, what all do together is the work of the
    others: spread over all, it made one worker that works pass for a quarter of one.
    """
    since, long_enough = waiting_since_after(demand, seen), COUNTED_OVER.total_seconds()
    if since is None or seen.statistics.rate_limited or not _moves(seen):
        return False
    waited = seen.at - since
    idle = any(took_nothing_since(worker, waited.total_seconds()) for worker in seen.observed.ready)
    return waited >= COUNTED_OVER and seen.observed.served_for_seconds >= long_enough and not idle


def _moves(seen: SeenQueue) -> bool:
    """Whether the oldest task is about as old as a queue of this length gets; one that nobody takes is far older."""
    rate, tasks = seen.statistics.dispatches_per_second or 0.0, seen.statistics.backlog_tasks or 0
    passes = STUCK_BEYOND * tasks / rate if rate else 0.0
    return (seen.statistics.backlog_age_seconds or 0.0) <= passes + COUNTED_OVER.total_seconds()
