"""Estimates arrivals and backlog of one task queue and type, and how far each can be trusted. Pure."""

import math
from datetime import datetime, timedelta

from scaler.fleet import Fleet
from scaler.learn import freshness, margin
from scaler.learn.level import level_after
from scaler.learn.observed_capacity import most_done_after, most_per_second, waiting_since_after
from scaler.learn.seen_queue import SeenQueue
from scaler.learn.slot_time import service_after
from scaler.model.common import Quality, TaskType
from scaler.model.estimate import Load
from scaler.model.observation import QueueSeen
from scaler.model.remembered import Backlog, Demand, Level, figure, whole_second
from scaler.wire.compact import millisecond

LEVEL_TIME = timedelta(seconds=35)
"""Time constant of the arrival level; the server's own rates are averages over 30 s."""

LEARNING_TIME = timedelta(minutes=2)
"""The server's rates and the level both begin at nothing: so long their rise says nothing about the load."""

FIRST_RATES = timedelta(seconds=30)
"""The server divides by the few seconds that it has counted for (seen: three times the load), and by Little's law
tasks that have just begun pass for long ones: before, it takes tasks that wait to tell of a high load."""

LONGEST_GAP = timedelta(seconds=90)
"""After a longer time without readings the load is learned anew: what had waited meanwhile comes all at once. And until
there are readings again it may be as high as it was of late."""

NEWEST_COVERED = 0.5
"""So much of the margin the newest reading uses up before the load counts as higher: the larger of a level and of
readings that waver about it is always too much."""

HOURLY_PER_SECOND = 1 / 3600
"""A level below what one task an hour makes is no load."""

LONE_TASK_PER_SECOND = 0.02
"""Up to here one single task raises the level, which the server tells as 1/30 a second for half a minute: where nothing
runs, waits or comes in any more, such a level is the memory of a load that is over."""

LIMIT_TIME = timedelta(minutes=2)
"""A queue at its limit says so only in the readings in which the limit just held a task back."""

SHORTEST_GROWTH, LONGEST_GROWTH = timedelta(seconds=4), timedelta(seconds=90)
"""Statistics are cached for 5 s: readings closer than this have no slope between them, ones far apart no news."""

SILENT_MARGIN = 1.5
"""Slots taken for occupied, against their mean number, where no worker tells."""


def fed(demand: Demand, seen: SeenQueue) -> Demand:
    """What is remembered of one queue after one more observation; what is missing leaves it as it was."""
    at = seen.at
    unqueued = _unqueued(demand, seen)
    rate = arrivals_per_second(seen, unqueued)
    level = level_after(demand.arrivals_per_second, rate, at, LEVEL_TIME)
    busy = level_after(demand.busy_slots, seen.whole.counted if seen.observed.all_beat else None, at, LEVEL_TIME)
    if rate is not None and _is_over(level, seen):
        level = unqueued = busy = Level(0.0, whole_second(at))
    since, scv = _since(demand, at), seen.times.service_scv
    news = margin.News(rate=rate, level=level, at=at, learning=at - since < LEARNING_TIME)
    most_done, most_done_service = most_done_after(demand, seen)
    return Demand(
        queue=seen.polled.queue,
        task_type=seen.polled.task_type,
        since=since if rate is not None else demand.since,
        arrivals_per_second=level,
        unqueued_per_second=unqueued,
        busy_slots=busy,
        service_seconds=service_after(demand, seen, at - since),
        service_scv=figure(scv) if scv is not None else demand.service_scv,
        surprises=margin.surprises_after(demand, news),
        levels_before=margin.levels_after(demand, news),
        highest_per_second=margin.highest_after(demand, news),
        backlog=_backlog(demand, seen.statistics),
        limited_at=millisecond(at) if seen.statistics.rate_limited else demand.limited_at,
        waiting_since=waiting_since_after(demand, seen),
        most_done=most_done,
        most_done_service=most_done_service,
        slots=_slots_told(demand, seen),
    )


def _is_over(level: Level, seen: SeenQueue) -> bool:
    """Whether a level that fades is no load any more: an exponential one never comes to nothing by itself."""
    if level.value is None or level.value < HOURLY_PER_SECOND:
        return True
    statistics, slots = seen.statistics, seen.whole
    quiet = not statistics.arrivals_per_second and not statistics.backlog_tasks
    idle = seen.observed.all_beat and slots.counted == 0 and not slots.done_per_second
    return quiet and idle and level.value < LONE_TASK_PER_SECOND


def _since(demand: Demand, at: datetime) -> datetime:
    """From when on arrivals have been watched without a gap."""
    since, last = demand.since, demand.arrivals_per_second.at
    if since is None or last is None or at - last > LONGEST_GAP:
        return whole_second(at)
    return since


def arrivals_per_second(seen: SeenQueue, unqueued: Level) -> float | None:
    """Arrivals: what enters the queue, and what workers do without it ever having been queued.

    The server's statistics leave out sticky workflow tasks and eager activities, so these are what workers did
    beyond what was dispatched to them.
    """
    rate = seen.statistics.arrivals_per_second
    if rate is None or seen.quality(seen.at) is not Quality.FRESH:
        return None
    return rate + max(unqueued.value or 0.0, 0.0)


def _unqueued(demand: Demand, seen: SeenQueue) -> Level:
    """What workers did beyond what was dispatched to them, smoothed: below zero too, or its noise would add up.

    Workers that beat every two seconds count tens of tasks at a time: where all are queued, up to half as many more
    were seen done as were dispatched (of six a second by five workers), and in the next reading as many fewer.
    """
    done = seen.whole.done_per_second
    if done is None:
        return demand.unqueued_per_second
    unqueued = done - (seen.statistics.dispatches_per_second or 0.0)
    return level_after(demand.unqueued_per_second, unqueued, seen.at, LEVEL_TIME)


def load(seen: SeenQueue, fleet: Fleet, demand: Demand, now: datetime) -> Load:
    """The load of one queue and type: this fleet's share of what comes in the queue."""
    task_type, statistics, share = seen.polled.task_type, seen.statistics, seen.share
    busy, service = seen.whole.used, demand.service_seconds.value
    growth, silent = demand.backlog.growth_per_second, not seen.observed.any_beats
    unread = statistics.at is not None and now - statistics.at > LONGEST_GAP
    rates = [_rate_read(seen, fleet, demand)]
    if unread:
        rates.append(demand.highest_per_second or 0.0)
    sampled = freshness.HISTORIES.quality(seen.times, now) is Quality.FRESH
    if silent and sampled and service is not None:
        # Workers too old for heartbeats: what histories say of their tasks has to do, and some more.
        busy = SILENT_MARGIN * max(rates) * service
    if silent and seen.times.under_way is not None:
        # What has not ended is in no service time yet.
        busy = max(busy or 0.0, seen.times.under_way.tasks)
    if growth > 0 and seen.whole.used and service and task_type is TaskType.ACTIVITY:
        # Statistics average over 30 s; while a backlog grows, what arrives is what is being served and the growth.
        # Only what workers tell counts as served: where all of them just crashed nothing is.
        rates.append(seen.whole.used / service + growth)
    if service and demand.busy_slots.value and task_type is TaskType.ACTIVITY:
        # By Little's law as much arrives as is busy, and slots tell sooner than averages of a queue's rates.
        # Of workflow tasks, which last milliseconds, a momentary count of slots says next to nothing.
        rates.append(demand.busy_slots.value / service)
    rate, told = max(rates), _slots_told(demand, seen)
    slots_per_worker = told if told is not None else seen.slots.per_worker
    return Load(
        queue=seen.polled.queue,
        task_type=task_type,
        arrivals_per_second=share * rate,
        margin_per_second=share * margin.margin_per_second(demand, rate, fleet.objective.percentile),
        service_seconds=service,
        service_scv=demand.service_scv,
        backlog_tasks=math.ceil(share * (statistics.backlog_tasks or 0)),  # the last one that waits is somebody's
        backlog_growth_per_second=share * growth,
        backlog_age_seconds=statistics.backlog_age_seconds or 0.0,
        schedule_to_start_seconds=seen.times.schedule_to_start_seconds,
        done_per_second=seen.slots.done_per_second,
        busy_slots=math.ceil(share * (busy or 0.0) - 1e-9),
        busy_told=seen.observed.any_beats and not seen.slots.apportioned,
        busy_known=seen.observed.all_beat or (seen.never_beats and (sampled or seen.times.under_way is not None)),
        slots_per_worker=slots_per_worker,
        most_per_second=most_per_second(demand, slots_per_worker, now),
        slots_known=seen.slots.known or told is not None,
        read_at=statistics.at,
        rate_limited=demand.limited_at is not None and now - demand.limited_at <= LIMIT_TIME,
        watched=max(now - demand.since, timedelta(0)) if demand.since is not None else timedelta(0),
        quality=seen.quality(now),
        unread=unread,
    )


def _slots_told(demand: Demand, seen: SeenQueue) -> int | None:
    """Slots of a worker as workers last told: new ones are silent until their first heartbeat.

    A hint tells one sum for all queues; an equal part of it is no news of a queue whose own slots were told.
    """
    if seen.slots.apportioned and demand.slots is not None:
        return demand.slots
    return seen.slots.per_worker if seen.observed.any_beats and seen.slots.known else demand.slots


def _rate_read(seen: SeenQueue, fleet: Fleet, demand: Demand) -> float:
    """What readings of the queue say of arrivals: their level, or the newest where it lies well above."""
    level = demand.arrivals_per_second.value or 0.0
    newest = arrivals_per_second(seen, demand.unqueued_per_second) or 0.0
    if newest <= level:
        return level
    covered = NEWEST_COVERED * margin.margin_per_second(demand, level, fleet.objective.percentile)
    return max(level, newest - covered)


def _backlog(demand: Demand, statistics: QueueSeen) -> Backlog:
    """The newest backlog, and its slope since the reading before."""
    before, tasks = demand.backlog, statistics.backlog_tasks
    if statistics.at is None or tasks is None:
        return before
    at = millisecond(statistics.at)
    if before.at is None or at - before.at > LONGEST_GROWTH:
        return Backlog(tasks=tasks, at=at)
    if at - before.at < SHORTEST_GROWTH:
        return before
    growth = (tasks - before.tasks) / (at - before.at).total_seconds()
    return Backlog(tasks=tasks, at=at, growth_per_second=figure(growth))
