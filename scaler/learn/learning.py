"""Turns observations into estimates, and remembers what the next one needs. Pure; time is an argument.

Learns only once from each observation, and only from workers that serve.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from scaler.fleet import Fleet
from scaler.learn import arrivals, footprint
from scaler.learn.cache_use import cache_use
from scaler.learn.level import clamped, level_after, not_ahead
from scaler.learn.replay_cost import miss_share
from scaler.learn.seen_queue import seen_queue
from scaler.model.common import Polled, TaskType
from scaler.model.estimate import Estimate
from scaler.model.observation import UNASKED, ExitReason, Observation, WorkerExit
from scaler.model.remembered import Demand, Level, Remembered, Turns
from scaler.wire.compact import millisecond

EXITS_KNOWN = 8
EXITS_COUNTED = 16
"""Ends of workers are told for ten minutes; one older than so many others is known without being remembered."""

LATEST_STARTS, FEWEST_FOR_PERCENTILE, MOST_STARTS = 20, 5, 0.8
"""How many starts count, the youngest workers', and what part of them is most."""

START_TIME = timedelta(minutes=10)
FIRST_START_SECONDS = 10.0
"""Taken for the time to start until a worker was seen to."""


def learn(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> tuple[Estimate, Remembered]:
    """What an observation says together with those before it."""
    queues = tuple(seen_queue(seen, fleet, polled) for polled in fleet.polled)
    if memory.decided_on != seen.observed_at:
        demands = zip((not_ahead(each, seen.observed_at) for each in _demands(memory, fleet)), queues, strict=True)
        fed = tuple(arrivals.fed(demand, queue) for demand, queue in demands)
        memory = replace(_fed(seen, memory), demands=fed, workflow=None, activity=None)
    exits = sorted((ended for ended in seen.exits if ended.reason in UNASKED), key=attrgetter("at"))
    new = _new(exits, memory)
    start_seconds = memory.start_seconds.value or FIRST_START_SECONDS
    estimate = Estimate(
        at=now,
        loads=tuple(
            arrivals.load(queue, fleet, demand, now)
            for queue, demand in zip(queues, _demands(memory, fleet), strict=True)
        ),
        memory=footprint.memory_use(memory.worker, seen, fleet, now),
        cache=cache_use(seen.replay, miss_share(seen.totals)),
        workflow_cores=seen.workflow_cores,
        start_seconds=start_seconds,
        answered_until=_answered_until(memory.turns, start_seconds),
        schedule_floor=seen.schedule.floor,
        ready=seen.ready_count,
        starting=sum(total.workers - total.ready - total.draining - total.restarting for total in seen.totals),
        restarting=sum(total.restarting for total in seen.totals),
        new_oom_kills=tuple(ended for ended in new if ended.reason is ExitReason.OOM_KILLED),
        new_crashes=sum(ended.reason is not ExitReason.OOM_KILLED for ended in new),
    )
    return estimate, _counted(exits, memory)


def _new(exits: Sequence[WorkerExit], memory: Remembered) -> list[WorkerExit]:
    """Ends that did not count yet: told apart by identity, since platforms' times are whole seconds and come late."""
    counted = set(memory.exits_counted)
    if not counted:  # what a version remembered that told them apart by their times
        known = tuple(map(millisecond, memory.exits_known))
        return [
            ended
            for ended in exits
            if (at := millisecond(ended.at)) not in known and (len(known) < EXITS_KNOWN or at > known[0])
        ]
    remembered = [ended.at for ended in exits if ended.identity in counted]
    since = min(remembered) if remembered and len(counted) >= EXITS_COUNTED else datetime.min.replace(tzinfo=UTC)
    return [ended for ended in exits if ended.identity not in counted and ended.at >= since]


def _counted(exits: Sequence[WorkerExit], memory: Remembered) -> Remembered:
    """The newest ends by their times; those that are not told, maybe not any more, are forgotten first."""
    if not exits:
        return memory
    told = [ended.identity for ended in exits]
    counted = (*(each for each in memory.exits_counted if each not in told), *told)[-EXITS_COUNTED:]
    known = tuple(sorted({millisecond(ended.at) for ended in exits})[-EXITS_KNOWN:])
    return replace(memory, exits_counted=counted, exits_known=known)


def _demands(memory: Remembered, fleet: Fleet) -> tuple[Demand, ...]:
    """What is remembered of each queue and type that the fleet polls.

    Where there is just one queue of a type, what a version told that knew one load per type is that queue's.
    """
    types = [polled.task_type for polled in fleet.polled]
    known = {Polled.of(demand): demand for demand in memory.demands}
    former = {TaskType.WORKFLOW: memory.workflow, TaskType.ACTIVITY: memory.activity}
    return tuple(
        known.get(polled)
        or (former.get(polled.task_type) if types.count(polled.task_type) == 1 else None)
        or Demand(queue=polled.queue, task_type=polled.task_type)
        for polled in fleet.polled
    )


def _fed(seen: Observation, memory: Remembered) -> Remembered:
    return replace(
        memory,
        decided_on=seen.observed_at,
        worker=footprint.remembered(
            replace(memory.worker, fullest_bytes=clamped(memory.worker.fullest_bytes, seen.observed_at)), seen
        ),
        start_seconds=_started(memory.start_seconds, seen),
    )


def _answered_until(turns: Turns, start_seconds: float) -> datetime | None:
    """Until when readings show nothing yet of the workers that were last added."""
    if not turns.up or turns.at is None:
        return None
    return turns.at + timedelta(seconds=start_seconds)


def _started(level: Level, seen: Observation) -> Level:
    """How long workers take to start: what most of the latest starts took, smoothed.

    The slowest would bind for as long as that worker lives (one image pull made every start of a fleet count as five
    minutes for days).
    """
    started = [each for each in seen.workers if each.started_in_seconds is not None]
    latest = sorted(started, key=lambda each: each.age_seconds)[:LATEST_STARTS]
    took = sorted(each.started_in_seconds or 0.0 for each in latest)
    return level_after(
        clamped(level, seen.observed_at), took[_rank(len(took))] if took else None, seen.observed_at, START_TIME
    )


def _rank(count: int) -> int:
    """The middle one of a few, the higher of two; of five and more the 80th percentile."""
    return count // 2 if count < FEWEST_FOR_PERCENTILE else math.ceil(MOST_STARTS * count) - 1
