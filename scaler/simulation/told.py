"""What a platform and its workers tell of a fleet, in plain figures: seconds, bytes, tasks.

Ages are seconds before the moment of telling; None is not known, which is never the same as zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.sources.heartbeats import Heartbeat, SlotsSeen
from activities.targets.contract import TargetLook, TargetWorker
from scaler.model.common import Quality, TaskType
from scaler.model.observation import (
    ExitReason,
    Fault,
    QueueSeen,
    ReplaySeen,
    TargetSeen,
    TaskTimesSeen,
    UnderWay,
    WorkerExit,
    WorkerSeen,
    WorkerState,
)

Replay = ReplaySeen
"""What a replay costs and how soon cached runs are used again, as `scaler.model.observation` describes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Task slots of one Worker object; `total` is None where its supplier does not know how many there are."""

    used: int
    total: int | None
    done_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerObject:
    """The newest heartbeat of one Worker object: what it polls one queue for, and how that goes."""

    queue: str
    age_seconds: float = 0.0
    workflow: Slots | None = None
    activity: Slots | None = None
    cached: int | None = None  # workflows in its cache; None where it has no workflows
    cache_hits_per_second: float | None = None
    cache_misses_per_second: float | None = None
    sdk: str = ""  # as the SDK names itself, such as temporal-python
    interval_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One process or pod as its target knows it, and the heartbeats of the Worker objects in it."""

    name: str
    state: str = "ready"  # or starting, draining, restarting
    age_seconds: float = 0.0
    cache: int | None = None  # the cache size it started under
    version: str = ""
    restarts: int = 0
    started_in_seconds: float | None = None  # from its start until it polled
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None
    memory_age_seconds: float = 0.0
    objects: tuple[WorkerObject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The server's statistics of one queue and task type; an age of None is a queue that could not be read."""

    name: str
    type: str  # workflow or activity
    age_seconds: float | None = 0.0
    backlog_tasks: int | None = None
    backlog_age_seconds: float | None = None
    arrivals_per_second: float | None = None
    dispatches_per_second: float | None = None
    rate_limited: bool | None = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimes:
    """What recent histories tell of one queue and type; waits are at the objective's percentile."""

    queue: str
    type: str
    age_seconds: float = 0.0
    samples: int = 0
    schedule_to_start_seconds: float | None = None
    service_mean_seconds: float | None = None
    service_scv: float | None = None
    longest_seconds: float | None = None
    under_way: int | None = None  # activities that have begun and not ended
    oldest_seconds: float = 0.0  # for how long the oldest of them has run


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The end of a worker process, told again for ten minutes."""

    worker: str
    reason: str  # oom_killed, crashed, evicted, drained, killed
    at: datetime
    cache: int | None = None
    cached: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The scale target beside its workers; an age of None is a target that could not be read."""

    desired: int | None
    cache: int | None = None  # what a worker that starts now would get
    memory_limit_bytes: int | None = None
    version: str = ""
    unschedulable: int = 0
    unschedulable_reason: str | None = None
    other_scaler: str | None = None
    age_seconds: float | None = 0.0
    chooses_victims: bool = True  # whether those leave that the levels name; else the platform takes whom it likes


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that is known of a fleet at one moment."""

    target: Target
    workers: tuple[Worker, ...] = ()
    queues: tuple[Queue, ...] = ()
    task_times: tuple[TaskTimes, ...] = ()
    replay: Replay = field(default_factory=Replay)
    exits: tuple[Exit, ...] = ()
    strangers: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()  # what could not be read, and why


def look(told: Told, now: datetime) -> TargetLook:
    """What the target would answer. Every worker has a host name of its own, as pods have."""
    workers = tuple(TargetWorker(seen=_row(worker), host_name=worker.name) for worker in told.workers)
    return TargetLook(target=_target(told.target, now), own_hosts=True, workers=workers, exits=_exits(told))


def heartbeats(told: Told, now: datetime) -> Iterator[Heartbeat]:
    """What the server's list of workers would show: those of the dead are left out after some missed beats."""
    for worker in told.workers:
        started = now - timedelta(seconds=worker.age_seconds - (worker.started_in_seconds or 0.0))
        for beat in worker.objects:
            heartbeat = Heartbeat(
                instance_key=f"{worker.name}/{beat.queue}",
                identity=worker.name,
                host_name=worker.name,
                process_id=None,
                queue=beat.queue,
                at=now - timedelta(seconds=beat.age_seconds),
                started_at=started,
                interval_seconds=beat.interval_seconds,
                workflow=_slots(beat.workflow),
                activity=_slots(beat.activity),
                cached=beat.cached,
                sdk=beat.sdk,
                cache_hits_per_second=beat.cache_hits_per_second,
                cache_misses_per_second=beat.cache_misses_per_second,
            )
            if heartbeat.fresh(now):
                yield heartbeat


def queues(told: Told, now: datetime) -> tuple[QueueSeen, ...]:
    """The statistics of all queues."""
    return tuple(
        QueueSeen(
            at=_at(queue.age_seconds, now),
            quality=_quality(queue.age_seconds),
            queue=queue.name,
            task_type=TaskType(queue.type),
            backlog_tasks=queue.backlog_tasks,
            backlog_age_seconds=queue.backlog_age_seconds,
            arrivals_per_second=queue.arrivals_per_second,
            dispatches_per_second=queue.dispatches_per_second,
            rate_limited=queue.rate_limited,
        )
        for queue in told.queues
    )


def task_times(told: Told, now: datetime) -> tuple[TaskTimesSeen, ...]:
    """What histories tell of all queues."""
    return tuple(
        TaskTimesSeen(
            at=_at(times.age_seconds, now),
            quality=Quality.FRESH,
            queue=times.queue,
            task_type=TaskType(times.type),
            samples=times.samples,
            schedule_to_start_seconds=times.schedule_to_start_seconds,
            service_mean_seconds=times.service_mean_seconds,
            service_scv=times.service_scv,
            longest_seconds=times.longest_seconds,
            under_way=None if times.under_way is None else UnderWay(times.under_way, times.oldest_seconds),
        )
        for times in told.task_times
    )


def faults(told: Told) -> tuple[Fault, ...]:
    """What could not be read."""
    return tuple(Fault(source, message) for source, message in told.faults)


def _row(worker: Worker) -> WorkerSeen:
    return WorkerSeen(
        name=worker.name,
        state=WorkerState(worker.state),
        age_seconds=worker.age_seconds,
        cache=worker.cache,
        version=worker.version,
        restarts=worker.restarts,
        started_in_seconds=worker.started_in_seconds,
        memory_bytes=worker.memory_bytes,
        memory_peak_bytes=worker.memory_peak_bytes,
        memory_age_seconds=None if worker.memory_bytes is None else worker.memory_age_seconds,
    )


def _target(target: Target, now: datetime) -> TargetSeen:
    if target.age_seconds is None:
        return TargetSeen()
    return TargetSeen(
        at=_at(target.age_seconds, now),
        quality=Quality.FRESH,
        desired=target.desired,
        cache=target.cache,
        memory_limit_bytes=target.memory_limit_bytes,
        version=target.version,
        unschedulable=target.unschedulable,
        unschedulable_reason=target.unschedulable_reason,
        other_scaler=target.other_scaler,
        chooses_victims=target.chooses_victims,
    )


def _exits(told: Told) -> tuple[WorkerExit, ...]:
    return tuple(
        WorkerExit(
            worker=ended.worker,
            reason=ExitReason(ended.reason),
            at=ended.at,
            cache=ended.cache,
            cached=ended.cached,
            memory_bytes=ended.memory_bytes,
        )
        for ended in told.exits
    )


def _slots(slots: Slots | None) -> SlotsSeen | None:
    if slots is None:
        return None
    return SlotsSeen(used=slots.used, total=slots.total, tasks_per_second=slots.done_per_second)


def _at(age_seconds: float | None, now: datetime) -> datetime | None:
    return None if age_seconds is None else now - timedelta(seconds=age_seconds)


def _quality(age_seconds: float | None) -> Quality:
    return Quality.MISSING if age_seconds is None else Quality.FRESH
