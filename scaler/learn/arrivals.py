"""How much work arrives, and what of it is known how well. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from scaler.fleet import Fleet
from scaler.learn import freshness, margin
from scaler.learn.level import level_after
from scaler.learn.slot_time import service_after, times_of, variability
from scaler.learn.slots import all_busy_slots, busy_slots, done_per_second, slots_per_worker
from scaler.model.common import Quality, TaskType
from scaler.model.estimate import Load
from scaler.model.observation import Observation, QueueSeen
from scaler.model.remembered import Backlog, Demand, Level, figure

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

LIMIT_TIME = timedelta(minutes=2)
"""A queue at its limit says so only in the readings in which the limit just held a task back."""

SHORTEST_GROWTH, LONGEST_GROWTH = timedelta(seconds=4), timedelta(seconds=90)
"""Statistics are cached for 5 s: readings closer than this have no slope between them, ones far apart no news."""

SILENT_MARGIN = 1.5
"""Slots taken for occupied, against their mean number, where no worker tells."""

FIRST_BEAT_SECONDS = freshness.HEARTBEAT.fresh.total_seconds()


@dataclass(frozen=True, slots=True)
class Moment:
    """Which task type is asked about, and when."""

    task_type: TaskType
    now: datetime


def fed(demand: Demand, seen: Observation, task_type: TaskType) -> Demand:
    """What is remembered of one task type after one more observation; what is missing leaves it as it was."""
    at = seen.observed_at
    unqueued = _unqueued(demand, seen, task_type)
    rate = arrivals_per_second(seen, task_type, unqueued)
    level = level_after(demand.arrivals_per_second, rate, at, LEVEL_TIME)
    since, scv = _since(demand, at), variability(seen, task_type)
    news = margin.News(rate=rate, level=level, at=at, learning=at - since < LEARNING_TIME)
    return Demand(
        since=since if rate is not None else demand.since,
        arrivals_per_second=level,
        unqueued_per_second=unqueued,
        busy_slots=level_after(demand.busy_slots, all_busy_slots(seen, task_type), at, LEVEL_TIME),
        service_seconds=service_after(demand, seen, task_type, at - since),
        service_scv=figure(scv) if scv is not None else demand.service_scv,
        surprises=margin.surprises_after(demand, news),
        levels_before=margin.levels_after(demand, news),
        highest_per_second=margin.highest_after(demand, news),
        backlog=_backlog(demand, seen, task_type),
        limited_at=at if any(queue.rate_limited for queue in _queues(seen, task_type)) else demand.limited_at,
    )


def _since(demand: Demand, at: datetime) -> datetime:
    """From when on arrivals have been watched without a gap."""
    since, last = demand.since, demand.arrivals_per_second.at
    if since is None or last is None or at - last > LONGEST_GAP:
        return at
    return since


def arrivals_per_second(seen: Observation, task_type: TaskType, unqueued: Level) -> float | None:
    """Arrivals: what enters the queues, and what workers do without it ever having been queued.

    The server's statistics leave out sticky workflow tasks and eager activities, so these are what workers did
    beyond what was dispatched to them.
    """
    queues = _queues(seen, task_type)
    rates = [queue.arrivals_per_second for queue in queues if queue.arrivals_per_second is not None]
    if len(rates) < len(queues) or _worst(queues, seen.observed_at) is not Quality.FRESH:
        return None  # a part would pass for a fall of the load, and an old figure for news
    return sum(rates) + max(unqueued.value or 0.0, 0.0)


def _unqueued(demand: Demand, seen: Observation, task_type: TaskType) -> Level:
    """What workers did beyond what was dispatched to them, smoothed: below zero too, or its noise would add up.

    Workers that beat every two seconds count tens of tasks at a time: where all are queued, up to half as many more
    were seen done as were dispatched (of six a second by five workers), and in the next reading as many fewer.
    """
    done = done_per_second(seen, task_type)
    if done is None:
        return demand.unqueued_per_second
    dispatched = sum(queue.dispatches_per_second or 0.0 for queue in _queues(seen, task_type))
    return level_after(demand.unqueued_per_second, done - dispatched, seen.observed_at, LEVEL_TIME)


def load(seen: Observation, fleet: Fleet, demand: Demand, moment: Moment) -> Load | None:
    """The load of one task type; None where the fleet does not poll for it."""
    task_type = moment.task_type
    if not fleet.polls(task_type):
        return None
    queues, times = _queues(seen, task_type), times_of(seen, task_type)
    busy, service = busy_slots(seen, task_type), demand.service_seconds.value
    growth, silent = demand.backlog.growth_per_second, not seen.any_beats
    unread = _unread_for(queues, moment.now) > LONGEST_GAP
    rates = [_rate_read(seen, fleet, demand, task_type)]
    if unread:
        rates.append(demand.highest_per_second or 0.0)
    sampled = any(freshness.HISTORIES.quality(each, moment.now) is Quality.FRESH for each in times)
    if silent and sampled and service is not None:
        # Workers too old for heartbeats: what histories say of their tasks has to do, and some more.
        busy = math.ceil(SILENT_MARGIN * max(rates) * service)
    if growth > 0 and busy and service:
        # Statistics average over 30 s; while a backlog grows, what arrives is what is being served and the growth.
        rates.append(busy / service + growth)
    if service and demand.busy_slots.value and task_type is TaskType.ACTIVITY:
        # By Little's law as much arrives as is busy, and slots tell sooner than averages of a queue's rates.
        # Of workflow tasks, which last milliseconds, a momentary count of slots says next to nothing.
        rates.append(demand.busy_slots.value / service)
    rate = max(rates)
    waits = [each.schedule_to_start_seconds for each in times if each.schedule_to_start_seconds is not None]
    return Load(
        task_type=task_type,
        arrivals_per_second=rate,
        margin_per_second=margin.margin_per_second(demand, rate, fleet.objective.percentile),
        service_seconds=service,
        service_scv=demand.service_scv,
        backlog_tasks=sum(queue.backlog_tasks or 0 for queue in queues),
        backlog_growth_per_second=growth,
        backlog_age_seconds=max((queue.backlog_age_seconds or 0.0 for queue in queues), default=0.0),
        schedule_to_start_seconds=max(waits, default=None),
        done_per_second=done_per_second(seen, task_type),
        busy_slots=busy or 0,
        busy_known=seen.all_beat or (sampled and _never_beat(seen)),
        slots_per_worker=slots_per_worker(seen, fleet, task_type),
        rate_limited=demand.limited_at is not None and moment.now - demand.limited_at <= LIMIT_TIME,
        watched=moment.now - demand.since if demand.since is not None else timedelta(0),
        quality=_worst(queues, moment.now),
        unread=unread,
    )


def _rate_read(seen: Observation, fleet: Fleet, demand: Demand, task_type: TaskType) -> float:
    """What readings of the queues say of arrivals: their level, or the newest where it lies well above."""
    level = demand.arrivals_per_second.value or 0.0
    newest = arrivals_per_second(seen, task_type, demand.unqueued_per_second) or 0.0
    if newest <= level:
        return level
    covered = NEWEST_COVERED * margin.margin_per_second(demand, level, fleet.objective.percentile)
    return max(level, newest - covered)


def _unread_for(queues: Iterable[QueueSeen], now: datetime) -> timedelta:
    """For how long a queue has not been read; one that never was says nothing."""
    return max((now - queue.at for queue in queues if queue.at is not None), default=timedelta(0))


def _queues(seen: Observation, task_type: TaskType) -> list[QueueSeen]:
    return [queue for queue in seen.queues if queue.task_type is task_type]


def _never_beat(seen: Observation) -> bool:
    """Whether no worker tells of itself although one has had the time to: it never will.

    Where all are young, as after a rollout, they may be as busy as they like before the first one beats.
    """
    return not seen.any_beats and any(worker.age_seconds > FIRST_BEAT_SECONDS for worker in seen.ready)


def _backlog(demand: Demand, seen: Observation, task_type: TaskType) -> Backlog:
    """The newest backlog, and its slope since the reading before."""
    known = [queue for queue in _queues(seen, task_type) if queue.backlog_tasks is not None and queue.at is not None]
    if not known:
        return demand.backlog
    before, at = demand.backlog, max(queue.at for queue in known if queue.at is not None)
    tasks = sum(queue.backlog_tasks or 0 for queue in known)
    if before.at is None or at - before.at > LONGEST_GROWTH:
        return Backlog(tasks=tasks, at=at)
    if at - before.at < SHORTEST_GROWTH:
        return before
    growth = (tasks - before.tasks) / (at - before.at).total_seconds()
    return Backlog(tasks=tasks, at=at, growth_per_second=figure(growth))


def _worst(queues: Iterable[QueueSeen], now: datetime) -> Quality:
    qualities = {freshness.QUEUE_STATISTICS.quality(queue, now) for queue in queues}
    for quality in (Quality.MISSING, Quality.STALE, Quality.FRESH):
        if quality in qualities:
            return quality
    return Quality.MISSING
