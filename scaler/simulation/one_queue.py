"""Slots queue by queue, in worlds whose workers poll a single queue. Pure."""

from collections.abc import Iterable, Sequence

from scaler.learn.slots import has_settled
from scaler.model.common import Polled, TaskType
from scaler.model.observation import QueueSlots, WorkerSeen, WorkerState


def slots_of_one_queue(
    workers: Sequence[WorkerSeen], polled: Iterable[Polled], fresh_seconds: float
) -> tuple[QueueSlots, ...]:
    """What all beating workers tell, for each type of task of the only queue."""
    beating = [
        worker
        for worker in workers
        if worker.state is WorkerState.READY
        and worker.heartbeat_age_seconds is not None
        and worker.heartbeat_age_seconds <= fresh_seconds
    ]
    return tuple(_told(beating, each) for each in polled) if beating else ()


def _told(beating: Sequence[WorkerSeen], polled: Polled) -> QueueSlots:
    slots = [_slots(worker, polled.task_type) for worker in beating]
    used = [_used(worker, polled.task_type) for worker in beating]
    done = [_done_per_second(worker, polled.task_type) for worker in beating]
    settled = [has_settled(worker) for worker in beating]
    return QueueSlots(
        queue=polled.queue,
        task_type=polled.task_type,
        beating=len(beating),
        sized=sum(each is not None for each in slots),
        slots=sum(each or 0 for each in slots),
        used=sum(used),
        done_per_second=sum(done),
        settled_used=sum(each for each, counts in zip(used, settled, strict=True) if counts),
        settled_done_per_second=sum(each for each, counts in zip(done, settled, strict=True) if counts),
    )


def _slots(worker: WorkerSeen, task_type: TaskType) -> int | None:
    return worker.workflow_slots if task_type is TaskType.WORKFLOW else worker.activity_slots


def _used(worker: WorkerSeen, task_type: TaskType) -> int:
    return (worker.workflow_slots_used if task_type is TaskType.WORKFLOW else worker.activity_slots_used) or 0


def _done_per_second(worker: WorkerSeen, task_type: TaskType) -> float:
    workflow = task_type is TaskType.WORKFLOW
    return (worker.workflow_tasks_per_second if workflow else worker.activities_per_second) or 0.0
