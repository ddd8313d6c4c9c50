"""What the product is told of a lab world, as of a real server: rates over 30 s, heartbeats, sampled waits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from activities.joining import totals
from activities.targets.contract import StepTaken
from scaler.learn.freshness import HEARTBEAT
from scaler.model.common import Quality, TaskType
from scaler.model.observation import (
    Observation,
    QueueSeen,
    ReplaySeen,
    ScheduleSeen,
    TargetSeen,
    TaskTimesSeen,
    WorkerSeen,
)
from tests.support.lab.world import RATES_OVER_SECONDS, LabWorker, LabWorld, Queue, at

FEWEST_WAITS, MOST_SAMPLES = 5, 200
EXITS_TOLD_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What of a world is told beside its queues and workers."""

    limit_bytes: int | None = 2**30
    histories: bool = True
    workflow_cores: float | None = None
    floor: Callable[[float], int] = lambda _: 0
    replay: Callable[[float], ReplaySeen] = lambda _: ReplaySeen()


def observed(world: LabWorld, sight: Sight, taken: StepTaken, desired: int) -> Observation:
    """One observation at the world's present second."""
    now = at(world.second)
    world.exits = [each for each in world.exits if (now - each.at).total_seconds() < EXITS_TOLD_SECONDS]
    rows = tuple(_row(world, worker) for worker in world.workers)
    times = [_times(world, queue) for queue in world.queues] if sight.histories else []
    return Observation(
        observed_at=now,
        found=taken.found,
        applied=taken.applied,
        target=TargetSeen(
            at=now, quality=Quality.FRESH, desired=desired, cache=world.cache, memory_limit_bytes=sight.limit_bytes
        ),
        queues=tuple(_statistics(world, queue) for queue in world.queues),
        task_times=tuple(each for each in times if each is not None),
        replay=sight.replay(world.second),
        workers=rows,
        totals=totals(rows, HEARTBEAT.fresh.total_seconds()),
        exits=tuple(world.exits),
        workflow_cores=sight.workflow_cores,
        schedule=ScheduleSeen(floor=sight.floor(world.second)),
    )


def _statistics(world: LabWorld, queue: Queue) -> QueueSeen:
    return QueueSeen(
        at=at(world.second),
        quality=Quality.FRESH,
        queue=queue.name,
        task_type=queue.task_type,
        backlog_tasks=len(queue.waiting),
        backlog_age_seconds=world.second - queue.waiting[0] if queue.waiting else 0.0,
        arrivals_per_second=len(queue.added) / RATES_OVER_SECONDS,
        dispatches_per_second=len(queue.dispatched) / RATES_OVER_SECONDS,
        rate_limited=queue.limited,
    )


def _times(world: LabWorld, queue: Queue) -> TaskTimesSeen | None:
    if not queue.served:
        return None
    ran, waits = [seconds for _, seconds in queue.served], sorted(waited for _, waited in queue.waits)
    mean = sum(ran) / len(ran)
    rank = min(int(world.fleet.objective.percentile / 100 * len(waits)), len(waits) - 1)
    return TaskTimesSeen(
        at=at(world.second),
        quality=Quality.FRESH,
        queue=queue.name,
        task_type=queue.task_type,
        samples=min(len(ran), MOST_SAMPLES),
        service_mean_seconds=mean,
        service_scv=sum((each - mean) ** 2 for each in ran) / len(ran) / mean**2 if mean else 1.0,
        schedule_to_start_seconds=waits[rank] if len(waits) >= FEWEST_WAITS else None,
    )


def _row(world: LabWorld, worker: LabWorker) -> WorkerSeen:
    row = WorkerSeen(
        name=worker.name,
        state=worker.state(world.second),
        age_seconds=world.second - worker.born,
        cache=worker.cache,
        restarts=worker.restarts,
        started_in_seconds=world.start_seconds if world.second >= worker.ready_at else None,
        memory_bytes=worker.memory_bytes,
        memory_peak_bytes=worker.memory_bytes,
        memory_age_seconds=1.0,
    )
    if worker.beat is None:
        return row
    activities, workflows = _slots(world, TaskType.ACTIVITY), _slots(world, TaskType.WORKFLOW)
    done = worker.beat.done_per_second
    return replace(
        row,
        heartbeat_age_seconds=world.second - worker.beat.second,
        caches=1 if workflows else 0,
        cached=(worker.cache or 0) // 2 if workflows else 0,
        workflow_slots=workflows,
        workflow_slots_used=worker.beat.workflow_slots_used,
        activity_slots=activities,
        activity_slots_used=worker.beat.activity_slots_used,
        workflow_tasks_per_second=done if workflows else 0.0,
        activities_per_second=done if activities else 0.0,
        cache_hits_per_second=0.0,
        cache_misses_per_second=0.0,
    )


def _slots(world: LabWorld, task_type: TaskType) -> int:
    return sum(queue.slots for queue in world.queues if queue.task_type is task_type)
