"""What is told of a lab world, as a real server and platform tell it: rates over 30 s, heartbeats, sampled waits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from activities.targets.contract import EXITS_TOLD
from scaler.model.common import TaskType
from scaler.simulation.told import Exit, Replay, Slots, Target, TaskTimes, Told, Worker, WorkerObject
from scaler.simulation.told import Queue as Statistics
from tests.support.lab.world import RATES_OVER_SECONDS, LabWorker, LabWorld, Queue

FEWEST_WAITS, MOST_SAMPLES = 5, 200


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What of a world is told beside its queues and workers."""

    limit_bytes: int | None = 2**30
    histories: bool = True
    under_way: bool = False  # whether histories tell what has begun and not ended
    sdk: str = ""
    replay: Callable[[float], Replay] = lambda _: Replay()


def told(world: LabWorld, sight: Sight, desired: int) -> Told:
    """All that is known at the world's present second."""
    world.exits = [each for each in world.exits if (world.now - each.at).total_seconds() < EXITS_TOLD.total_seconds()]
    declared = [queue for queue in world.queues if _declares(world, queue)]
    times = [_times(world, sight, queue) for queue in declared] if sight.histories else []
    return Told(
        target=Target(desired=desired, cache=world.cache, memory_limit_bytes=sight.limit_bytes),
        workers=tuple(_worker(world, worker, sight.sdk) for worker in world.workers),
        queues=tuple(_statistics(world, queue) for queue in declared),
        task_times=tuple(each for each in times if each is not None),
        replay=sight.replay(world.second),
        exits=tuple(
            Exit(worker=each.worker, reason=each.reason.value, at=each.at, cache=each.cache) for each in world.exits
        ),
    )


def _declares(world: LabWorld, queue: Queue) -> bool:
    return any(queue.name == each.name and queue.task_type in each.types for each in world.fleet.task_queues)


def _statistics(world: LabWorld, queue: Queue) -> Statistics:
    return Statistics(
        name=queue.name,
        type=queue.task_type.value,
        backlog_tasks=queue.fleets * len(queue.waiting),
        backlog_age_seconds=world.second - queue.waiting[0] if queue.waiting else 0.0,
        arrivals_per_second=queue.fleets * len(queue.added) / RATES_OVER_SECONDS,
        dispatches_per_second=queue.fleets * len(queue.dispatched) / RATES_OVER_SECONDS,
        rate_limited=queue.limited,
    )


def _times(world: LabWorld, sight: Sight, queue: Queue) -> TaskTimes | None:
    if not sight.under_way:
        return _ended(world, queue) if queue.served else None
    times = _ended(world, queue) if queue.served else TaskTimes(queue=queue.name, type=queue.task_type.value)
    ages = [world.second - task.began for worker in world.workers for task in worker.running if task.queue is queue]
    return replace(times, under_way=len(ages), oldest_seconds=max(ages, default=0.0))


def _ended(world: LabWorld, queue: Queue) -> TaskTimes:
    waits, count = sorted(waited for _, waited in queue.waits), len(queue.served)
    mean = queue.ran_seconds / count
    rank = min(int(world.fleet.objective.percentile / 100 * len(waits)), len(waits) - 1)
    return TaskTimes(
        queue=queue.name,
        type=queue.task_type.value,
        samples=min(count, MOST_SAMPLES),
        service_mean_seconds=mean,
        service_scv=max(queue.ran_squared / count / mean**2 - 1, 0.0) if mean else 1.0,
        schedule_to_start_seconds=waits[rank] if len(waits) >= FEWEST_WAITS else None,
    )


def _worker(world: LabWorld, worker: LabWorker, sdk: str) -> Worker:
    names = dict.fromkeys(queue.name for queue in world.queues) if worker.beat is not None else ()
    return Worker(
        name=worker.name,
        state=worker.state(world.second).value,
        age_seconds=world.second - worker.born,
        cache=worker.cache,
        restarts=worker.restarts,
        started_in_seconds=world.start_seconds if world.second >= worker.ready_at else None,
        memory_bytes=worker.memory_bytes,
        memory_peak_bytes=worker.memory_bytes,
        memory_age_seconds=1.0,
        objects=tuple(_object(world, worker, name, sdk) for name in names),
    )


def _object(world: LabWorld, worker: LabWorker, name: str, sdk: str) -> WorkerObject:
    """The Worker object for one queue, whatever it polls it for."""
    assert worker.beat is not None
    polled = {queue.task_type: queue for queue in world.queues if queue.name == name}
    slots = {
        task_type: Slots(
            used=worker.beat.used.get(queue.key, 0),
            total=queue.slots,
            done_per_second=worker.beat.done_per_second.get(queue.key, 0.0),
        )
        for task_type, queue in polled.items()
    }
    return WorkerObject(
        queue=name,
        age_seconds=world.second - worker.beat.second,
        workflow=slots.get(TaskType.WORKFLOW),
        activity=slots.get(TaskType.ACTIVITY),
        cached=(worker.cache or 0) // 2 if TaskType.WORKFLOW in polled else None,
        cache_hits_per_second=0.0,
        cache_misses_per_second=0.0,
        sdk=sdk,
        interval_seconds=world.beat_seconds,
    )
