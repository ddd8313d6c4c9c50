"""What workers tell of their slots for one queue and type: how many, how many are taken, what they get done. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from scaler.fleet import Fleet
from scaler.model.common import Polled, TaskType
from scaler.model.observation import Observation, QueueSlots, WorkerSeen

DEFAULT_SLOTS = 100
"""What the SDKs give a worker that says nothing else."""

SERVED_FOR = timedelta(seconds=130)
"""Two heartbeats of the SDKs: whoever started within the first of them has slots taken before any task is done."""

SERVED_FOR_SECONDS = SERVED_FOR.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of all beating workers for one queue and type.

    `per_worker` is the SDKs' default where it is not `known`. `settled_used` and `settled_done_per_second` are of
    workers that have served for a while. `apportioned` figures are a part of what several queues have in common: good
    for a total, but they say nothing of what is peculiar to one queue.
    """

    per_worker: int
    known: bool
    used: float | None  # None where nobody tells
    done_per_second: float | None  # None unless every ready worker tells: a part would look like all
    settled_used: float
    settled_done_per_second: float
    apportioned: bool = False

    @property
    def counted(self) -> float | None:
        """Occupied slots as far as they are known to be of this queue."""
        return None if self.apportioned else self.used

    def times(self, factor: float) -> "Slots":
        """The slots of so many times the workers."""
        return replace(
            self,
            used=None if self.used is None else factor * self.used,
            done_per_second=None if self.done_per_second is None else factor * self.done_per_second,
            settled_used=factor * self.settled_used,
            settled_done_per_second=factor * self.settled_done_per_second,
        )


def slots_of(seen: Observation, fleet: Fleet, polled: Polled) -> Slots:
    """What workers tell of one queue."""
    declared = _declared(fleet, polled.task_type)
    if not seen.any_beats:
        return _slots(QueueSlots(queue=polled.queue, task_type=polled.task_type), declared, any_tells=False)
    if seen.slots:
        silent = QueueSlots(queue=polled.queue, task_type=polled.task_type)  # nobody polls it: nothing runs
        of_queue = (each for each in seen.slots if Polled.of(each) == polled)
        return _slots(next(of_queue, silent), declared, any_tells=True, all_tell=seen.all_beat)
    return _apportioned(seen, fleet, polled)


def has_settled(worker: WorkerSeen) -> bool:
    """Whether a worker has served for so long that what it has taken and what it gets done belong together."""
    return worker.age_seconds - (worker.started_in_seconds or 0.0) > SERVED_FOR_SECONDS


def settled_work(workers: Iterable[WorkerSeen]) -> tuple[int, float]:
    """Activity slots taken, and activities done a second, by those workers that tell both and have settled."""
    return _work_of(worker for worker in workers if _tells_settled(worker))


def _declared(fleet: Fleet, task_type: TaskType) -> int | None:
    slots = fleet.workers.slots
    return slots.workflow if task_type is TaskType.WORKFLOW else slots.activity


def _slots(told: QueueSlots, declared: int | None, *, any_tells: bool, all_tell: bool = False) -> Slots:
    """Slots that a beating worker has on average; what is declared, or the SDKs' default, where none tells."""
    sized = bool(told.sized) and told.slots >= told.sized
    return Slots(
        per_worker=told.slots // told.sized if sized else declared or DEFAULT_SLOTS,
        known=sized or declared is not None,
        used=told.used if any_tells else None,
        done_per_second=told.done_per_second if all_tell else None,
        settled_used=told.settled_used,
        settled_done_per_second=told.settled_done_per_second,
    )


def _apportioned(seen: Observation, fleet: Fleet, polled: Polled) -> Slots:
    """Where only sums over all queues are told: all of them for the only queue of its type, else a part by arrivals."""
    part, queues = _part(seen, fleet, polled)
    declared, all_of_it = _declared(fleet, polled.task_type), _sums(seen, polled)
    if queues == 1:
        return _slots(all_of_it, declared, any_tells=True, all_tell=seen.all_beat)
    per_worker = all_of_it.slots // all_of_it.sized // queues if all_of_it.sized else 0
    return Slots(
        per_worker=per_worker or declared or DEFAULT_SLOTS,
        known=per_worker > 0 or declared is not None,
        used=round(part * all_of_it.used),
        done_per_second=part * all_of_it.done_per_second if seen.all_beat else None,
        settled_used=0,
        settled_done_per_second=0.0,
        apportioned=True,
    )


def _part(seen: Observation, fleet: Fleet, polled: Polled) -> tuple[float, int]:
    """The queue's part of what all queues of its type have in common, by what arrives; and how many these are."""
    names = [each.queue for each in fleet.polled if each.task_type is polled.task_type]
    arrivals = {
        queue.queue: fleet.share(queue.queue) * (queue.arrivals_per_second or 0.0)
        for queue in seen.queues
        if queue.task_type is polled.task_type and queue.queue in names
    }
    total = sum(arrivals.values())
    return (arrivals.get(polled.queue, 0.0) / total if total else 1 / len(names)), len(names)


def _sums(seen: Observation, polled: Polled) -> QueueSlots:
    """The totals as slots of the only queue of a type."""
    workflow, beating = polled.task_type is TaskType.WORKFLOW, sum(total.beating for total in seen.totals)
    used = sum(total.workflow_slots_used if workflow else total.activity_slots_used for total in seen.totals)
    done = sum(total.workflow_tasks_per_second if workflow else total.activities_per_second for total in seen.totals)
    settled_used, settled_done = (0, 0.0) if workflow else _settled_work(seen)
    return QueueSlots(
        queue=polled.queue,
        task_type=polled.task_type,
        beating=beating,
        sized=beating,
        slots=sum(total.workflow_slots if workflow else total.activity_slots for total in seen.totals),
        used=used,
        done_per_second=done,
        settled_used=settled_used,
        settled_done_per_second=settled_done,
    )


def _settled_work(seen: Observation) -> tuple[int, float]:
    """Activity slots taken, and activities done a second, by workers that have served for a while.

    Of a fleet that is too large for a row each, rows are of the idlest, which would make tasks look short: there it is
    all that is told, without the young ones among the rows.
    """
    settled = settled_work(seen.ready)
    if seen.ready_count <= len(seen.ready) or not seen.all_beat:
        return settled
    young_used, young_done = _work_of(worker for worker in seen.ready if not _tells_settled(worker))
    used = sum(total.activity_slots_used for total in seen.totals) - young_used
    return used, sum(total.activities_per_second for total in seen.totals) - young_done


def _work_of(workers: Iterable[WorkerSeen]) -> tuple[int, float]:
    used, done = 0, 0.0
    for worker in workers:
        used += worker.activity_slots_used or 0
        done += worker.activities_per_second or 0.0
    return used, done


def _tells_settled(worker: WorkerSeen) -> bool:
    tells = worker.activities_per_second is not None and worker.activity_slots_used is not None
    return tells and has_settled(worker)
