"""Turns observations into estimates, and remembers what the next one needs. Pure; time is an argument.

Learns only from warm, ready workers and only once from each observation.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scaler import freshness
from scaler.envelope import memory_use, with_points
from scaler.fleet import Fleet
from scaler.model.common import Quality, TaskType
from scaler.model.estimate import Estimate, Load
from scaler.model.memory import Demand, Level, Memory
from scaler.model.observation import ExitReason, Observation, QueueSeen, TaskTimesSeen, WorkerSeen, WorkerState

LEVEL_TIME = timedelta(seconds=35)
"""Time constant of the arrival level; the server's own rates are averages over 30 s."""

SERVICE_TIME = timedelta(minutes=2)
"""Time constant of the service time level."""

DEFAULT_SLOTS = 100
"""What the SDKs give a worker that says nothing else."""

EXITS_KNOWN = 50
"""Targets tell each end of a worker for ten minutes; more than this they do not tell."""

CRASHES = (ExitReason.CRASHED, ExitReason.EVICTED)


@dataclass(frozen=True, slots=True)
class _Known:
    memory: Memory
    now: datetime


def learn(seen: Observation, fleet: Fleet, memory: Memory, now: datetime) -> tuple[Estimate, Memory]:
    """What an observation says together with those before it."""
    news = memory.decided_on is None or seen.observed_at > memory.decided_on
    if news:
        memory = replace(
            memory,
            decided_on=seen.observed_at,
            workflow=_fed(memory.workflow, seen, TaskType.WORKFLOW),
            activity=_fed(memory.activity, seen, TaskType.ACTIVITY),
            envelope=with_points(memory.envelope, seen),
        )
    exits = [ended for ended in seen.exits if ended.at not in memory.exits_known]
    ready = sum(total.ready for total in seen.totals)
    starting = sum(total.workers - total.ready - total.draining - total.restarting for total in seen.totals)
    estimate = Estimate(
        at=now,
        workflow=_load(seen, fleet, TaskType.WORKFLOW, _Known(memory, now)),
        activity=_load(seen, fleet, TaskType.ACTIVITY, _Known(memory, now)),
        memory=memory_use(memory.envelope, seen, fleet, now),
        ready=ready,
        starting=starting,
        restarting=sum(total.restarting for total in seen.totals),
        new_oom_kills=tuple(ended for ended in exits if ended.reason is ExitReason.OOM_KILLED),
        new_crashes=sum(ended.reason in CRASHES for ended in exits),
    )
    return estimate, replace(memory, exits_known=tuple(ended.at for ended in seen.exits)[-EXITS_KNOWN:])


def _fed(demand: Demand, seen: Observation, task_type: TaskType) -> Demand:
    """The levels of one task type after one more observation; what is missing leaves them as they are."""
    rate = _arrivals(seen, task_type)
    service = _service_seconds(seen, task_type)
    return Demand(
        arrivals_per_second=_level(demand.arrivals_per_second, rate, seen.observed_at, LEVEL_TIME),
        service_seconds=_level(demand.service_seconds, service, seen.observed_at, SERVICE_TIME),
    )


def _level(level: Level, sample: float | None, at: datetime, time_constant: timedelta) -> Level:
    """An exponentially weighted level whose weight follows the time between samples, not their number."""
    if sample is None:
        return level
    if level.value is None or level.at is None:
        return Level(value=sample, at=at)
    passed = max((at - level.at) / time_constant, 0.0)
    return Level(value=level.value + (sample - level.value) * (1 - math.exp(-passed)), at=at)


def _arrivals(seen: Observation, task_type: TaskType) -> float | None:
    """Arrivals per second: what enters the queues, and what workers do without it ever having been queued."""
    queues = [queue for queue in seen.queues if queue.task_type is task_type and queue.arrivals_per_second is not None]
    if not queues:
        return None
    queued = sum(queue.arrivals_per_second or 0.0 for queue in queues)
    dispatched = sum(queue.dispatches_per_second or 0.0 for queue in queues)
    done = _done_per_second(seen, task_type)
    return queued + (max(0.0, done - dispatched) if done is not None else 0.0)


def _done_per_second(seen: Observation, task_type: TaskType) -> float | None:
    """Tasks done by all workers; None unless every ready one beats, since a part would look like all."""
    if any(total.beating < total.ready for total in seen.totals):
        return None
    if task_type is TaskType.WORKFLOW:
        return sum(total.workflow_tasks_per_second for total in seen.totals)
    return sum(total.activities_per_second for total in seen.totals)


def _service_seconds(seen: Observation, task_type: TaskType) -> float | None:
    """Slot time of one task: from histories where they are sampled, else busy slots per throughput (Little)."""
    sampled = [times for times in _times(seen, task_type) if times.service_mean_seconds is not None and times.samples]
    if sampled:
        weight = sum(times.samples for times in sampled)
        return sum((times.service_mean_seconds or 0.0) * times.samples for times in sampled) / weight
    done, busy = _done_per_second(seen, task_type), _busy_slots(seen, task_type)
    return busy / done if done and busy else None


def _times(seen: Observation, task_type: TaskType) -> list[TaskTimesSeen]:
    return [times for times in seen.task_times if times.task_type is task_type]


def _busy_slots(seen: Observation, task_type: TaskType) -> int | None:
    """Occupied slots of all beating workers; None where nobody beats."""
    if not any(total.beating for total in seen.totals):
        return None
    if task_type is TaskType.WORKFLOW:
        return sum(total.workflow_slots_used for total in seen.totals)
    return sum(total.activity_slots_used for total in seen.totals)


def _load(seen: Observation, fleet: Fleet, task_type: TaskType, known: _Known) -> Load | None:
    if not fleet.polls(task_type):
        return None
    demand = known.memory.workflow if task_type is TaskType.WORKFLOW else known.memory.activity
    queues = [queue for queue in seen.queues if queue.task_type is task_type]
    newest = _arrivals(seen, task_type)
    level = demand.arrivals_per_second.value or 0.0
    times = _times(seen, task_type)
    waits = [each.schedule_to_start_seconds for each in times if each.schedule_to_start_seconds is not None]
    return Load(
        task_type=task_type,
        arrivals_per_second=max(level, newest or 0.0),
        service_seconds=demand.service_seconds.value,
        service_scv=max((each.service_scv or 1.0 for each in times), default=1.0),
        backlog_tasks=sum(queue.backlog_tasks or 0 for queue in queues),
        backlog_age_seconds=max((queue.backlog_age_seconds or 0.0 for queue in queues), default=0.0),
        schedule_to_start_seconds=max(waits, default=None),
        busy_slots=_busy_slots(seen, task_type),
        slots_per_worker=_slots_per_worker(seen.workers, fleet, task_type),
        rate_limited=any(queue.rate_limited for queue in queues),
        quality=_worst(queues, known.now),
    )


def _worst(queues: Iterable[QueueSeen], now: datetime) -> Quality:
    qualities = {freshness.QUEUE_STATISTICS.quality(queue, now) for queue in queues}
    for quality in (Quality.MISSING, Quality.STALE, Quality.FRESH):
        if quality in qualities:
            return quality
    return Quality.MISSING


def _slots_per_worker(workers: Iterable[WorkerSeen], fleet: Fleet, task_type: TaskType) -> int:
    """The fewest slots that a ready worker reports; what the fleet declares, or the SDKs' default, without reports."""
    workflow = task_type is TaskType.WORKFLOW
    reported = [
        worker.workflow_slots if workflow else worker.activity_slots
        for worker in workers
        if worker.state is WorkerState.READY
    ]
    declared = fleet.workers.slots.workflow if workflow else fleet.workers.slots.activity
    return min((slots for slots in reported if slots), default=declared or DEFAULT_SLOTS)
