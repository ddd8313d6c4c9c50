"""Turns observations into estimates, and remembers what the next one needs. Pure; time is an argument.

Learns only once from each observation, and only from workers that serve.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from scaler.fleet import Fleet
from scaler.learn import arrivals, footprint
from scaler.learn.cache_use import cache_use
from scaler.learn.level import level_after
from scaler.learn.replay_cost import miss_share
from scaler.learn.seen_queue import seen_queue
from scaler.model.common import Polled, TaskType
from scaler.model.estimate import Estimate
from scaler.model.observation import UNASKED, ExitReason, Observation, WorkerExit
from scaler.model.remembered import Demand, Level, Remembered
from scaler.wire.compact import millisecond

EXITS_KNOWN = 8
EXITS_COUNTED = 16
"""Ends of workers are told for ten minutes; one older than so many others is known without being remembered."""

START_TIME = timedelta(minutes=10)
FIRST_START_SECONDS = 10.0
"""Taken for the time to start until a worker was seen to."""


def learn(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> tuple[Estimate, Remembered]:
    """What an observation says together with those before it."""
    queues = tuple(seen_queue(seen, fleet, polled) for polled in fleet.polled)
    if memory.decided_on is None or seen.observed_at > memory.decided_on:
        demands = zip(_demands(memory, fleet), queues, strict=True)
        fed = tuple(arrivals.fed(demand, queue) for demand, queue in demands)
        memory = replace(_fed(seen, memory), demands=fed, workflow=None, activity=None)
    exits = sorted((ended for ended in seen.exits if ended.reason in UNASKED), key=attrgetter("at"))
    new = _new(exits, memory)
    estimate = Estimate(
        at=now,
        loads=tuple(
            arrivals.load(queue, fleet, demand, now)
            for queue, demand in zip(queues, _demands(memory, fleet), strict=True)
        ),
        memory=footprint.memory_use(memory.worker, seen, fleet, now),
        cache=cache_use(seen.replay, miss_share(seen.totals)),
        workflow_cores=seen.workflow_cores,
        start_seconds=memory.start_seconds.value or FIRST_START_SECONDS,
        schedule_floor=seen.schedule.floor,
        ready=sum(total.ready for total in seen.totals),
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
    known = {Polled(demand.queue, demand.task_type): demand for demand in memory.demands}
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
        worker=footprint.remembered(memory.worker, seen),
        start_seconds=_started(memory.start_seconds, seen),
    )


def _started(level: Level, seen: Observation) -> Level:
    """How long workers take to start: the slowest of those that are there, smoothed."""
    took = max((each.started_in_seconds for each in seen.workers if each.started_in_seconds is not None), default=None)
    return level_after(level, took, seen.observed_at, START_TIME)
