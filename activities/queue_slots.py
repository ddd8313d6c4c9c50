"""Sums up, queue by queue, what workers say of their slots: each Worker object polls one queue with its own. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from activities.sources.heartbeats import Heartbeat, SlotsSeen
from scaler.learn.slots import has_settled
from scaler.model.common import Polled, TaskType
from scaler.model.observation import QueueSlots, WorkerSeen, WorkerState


@dataclass(frozen=True, slots=True)
class WorkerTold:
    """One worker, and what its Worker objects say."""

    worker: WorkerSeen
    beats: tuple[Heartbeat, ...]


def queue_slots(told: Iterable[WorkerTold], polled: Collection[Polled], fresh_seconds: float) -> tuple[QueueSlots, ...]:
    """The slots of ready workers for each queue and type that is asked for; older heartbeats count as none."""
    by_queue: dict[Polled, list[QueueSlots]] = defaultdict(list)
    for each in told:
        age_seconds = each.worker.heartbeat_age_seconds
        if each.worker.state is not WorkerState.READY or age_seconds is None or age_seconds > fresh_seconds:
            continue
        for queue, slots in _by_queue(each.beats).items():
            by_queue[queue].append(_of_worker(queue, slots, settled=has_settled(each.worker)))
    return tuple(_sum(queue, by_queue[queue]) for queue in polled if queue in by_queue)


def _by_queue(beats: Iterable[Heartbeat]) -> Mapping[Polled, list[SlotsSeen]]:
    """What one process says; several Worker objects may poll one queue."""
    slots: dict[Polled, list[SlotsSeen]] = defaultdict(list)
    for beat in beats:
        for task_type, seen in ((TaskType.WORKFLOW, beat.workflow), (TaskType.ACTIVITY, beat.activity)):
            if seen is not None:
                slots[Polled(beat.queue, task_type)].append(seen)
    return slots


def _of_worker(queue: Polled, slots: list[SlotsSeen], *, settled: bool) -> QueueSlots:
    used = sum(each.used for each in slots)
    done_per_second = sum(each.tasks_per_second or 0.0 for each in slots)
    known = all(each.total is not None for each in slots)
    return QueueSlots(
        queue=queue.queue,
        task_type=queue.task_type,
        beating=1,
        sized=int(known),
        slots=sum(each.total or 0 for each in slots) if known else 0,
        used=used,
        done_per_second=done_per_second,
        settled_used=used if settled else 0,
        settled_done_per_second=done_per_second if settled else 0.0,
    )


def _sum(queue: Polled, workers: list[QueueSlots]) -> QueueSlots:
    return QueueSlots(
        queue=queue.queue,
        task_type=queue.task_type,
        beating=len(workers),
        sized=sum(each.sized for each in workers),
        slots=sum(each.slots for each in workers),
        used=sum(each.used for each in workers),
        done_per_second=sum(each.done_per_second for each in workers),
        settled_used=sum(each.settled_used for each in workers),
        settled_done_per_second=sum(each.settled_done_per_second for each in workers),
    )
