"""What workers tell of their slots for one queue and type: how many, how many are taken, what they get done. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from scaler.fleet import Fleet
from scaler.model.common import Polled, TaskType
from scaler.model.observation import Observation, WorkerSeen

DEFAULT_SLOTS = 100
"""What the SDKs give a worker that says nothing else."""

SERVED_FOR = timedelta(seconds=130)
"""Two heartbeats of the SDKs: whoever started within the first of them has slots taken before any task is done."""

SERVED_FOR_SECONDS = SERVED_FOR.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of all beating workers for one queue and type.

    `settled_used` and `settled_done_per_second` are of workers that have served for a while. `apportioned` figures are
    a part of what several queues have in common: good for a total, but not for what is peculiar to one queue.
    """

    per_worker: int
    used: int | None  # None where nobody tells
    done_per_second: float | None  # None unless every ready worker tells: a part would look like all
    settled_used: int
    settled_done_per_second: float
    apportioned: bool

    @property
    def counted(self) -> int | None:
        """Occupied slots as far as they are known to be of this queue."""
        return None if self.apportioned else self.used


def slots_of(seen: Observation, fleet: Fleet, polled: Polled) -> Slots:
    """What workers tell of one queue."""
    part, queues = _part(seen, fleet, polled)
    used, done = _used(seen, polled.task_type), _done_per_second(seen, polled.task_type)
    settled_used, settled_done = _settled_work(seen) if queues == 1 else (0, 0.0)
    return Slots(
        per_worker=_per_worker(seen, fleet, polled.task_type, queues),
        used=None if used is None else round(part * used),
        done_per_second=None if done is None else part * done,
        settled_used=settled_used,
        settled_done_per_second=settled_done,
        apportioned=queues > 1,
    )


def _part(seen: Observation, fleet: Fleet, polled: Polled) -> tuple[float, int]:
    """The queue's part of what all queues of its type have in common, by what arrives; and how many these are."""
    names = [each.queue for each in fleet.polled if each.task_type is polled.task_type]
    arrivals = {
        queue.queue: queue.arrivals_per_second or 0.0
        for queue in seen.queues
        if queue.task_type is polled.task_type and queue.queue in names
    }
    total = sum(arrivals.values())
    return (arrivals.get(polled.queue, 0.0) / total if total else 1 / len(names)), len(names)


def _done_per_second(seen: Observation, task_type: TaskType) -> float | None:
    if not (seen.all_beat and seen.any_beats):
        return None
    if task_type is TaskType.WORKFLOW:
        return sum(total.workflow_tasks_per_second for total in seen.totals)
    return sum(total.activities_per_second for total in seen.totals)


def _used(seen: Observation, task_type: TaskType) -> int | None:
    if not seen.any_beats:
        return None
    if task_type is TaskType.WORKFLOW:
        return sum(total.workflow_slots_used for total in seen.totals)
    return sum(total.activity_slots_used for total in seen.totals)


def _per_worker(seen: Observation, fleet: Fleet, task_type: TaskType, queues: int) -> int:
    """Slots that a beating worker has on average; what is declared, or the SDKs' default, where none tells."""
    workflow = task_type is TaskType.WORKFLOW
    beating = queues * sum(total.beating for total in seen.totals)
    slots = sum(total.workflow_slots if workflow else total.activity_slots for total in seen.totals)
    if beating and slots >= beating:
        return slots // beating
    declared = fleet.workers.slots.workflow if workflow else fleet.workers.slots.activity
    return declared or DEFAULT_SLOTS


def _settled_work(seen: Observation) -> tuple[int, float]:
    """Activity slots taken, and activities done a second, by workers that have served for a while.

    Of a fleet that is too large for a row each, rows are of the idlest, which would make tasks look short: there it is
    all that is told, without the young ones among the rows.
    """
    settled = _sums(worker for worker in seen.ready if _settled(worker))
    if seen.ready_count <= len(seen.ready) or not seen.all_beat:
        return settled
    young_used, young_done = _sums(worker for worker in seen.ready if not _settled(worker))
    used = sum(total.activity_slots_used for total in seen.totals) - young_used
    return used, sum(total.activities_per_second for total in seen.totals) - young_done


def _sums(workers: Iterable[WorkerSeen]) -> tuple[int, float]:
    used, done = 0, 0.0
    for worker in workers:
        used += worker.activity_slots_used or 0
        done += worker.activities_per_second or 0.0
    return used, done


def _settled(worker: WorkerSeen) -> bool:
    told = worker.activities_per_second is not None and worker.activity_slots_used is not None
    return told and worker.age_seconds - (worker.started_in_seconds or 0.0) > SERVED_FOR_SECONDS
