"""What workers tell of their slots: how many there are, how many are taken, and what they get done. Pure."""

from scaler.fleet import Fleet
from scaler.model.common import TaskType
from scaler.model.observation import Observation

DEFAULT_SLOTS = 100
"""What the SDKs give a worker that says nothing else."""


def done_per_second(seen: Observation, task_type: TaskType) -> float | None:
    """Tasks done by all workers; None unless every ready one beats, since a part would look like all."""
    if not (seen.all_beat and seen.any_beats):
        return None
    if task_type is TaskType.WORKFLOW:
        return sum(total.workflow_tasks_per_second for total in seen.totals)
    return sum(total.activities_per_second for total in seen.totals)


def busy_slots(seen: Observation, task_type: TaskType) -> int | None:
    """Occupied slots of all beating workers; None where nobody beats."""
    if not seen.any_beats:
        return None
    if task_type is TaskType.WORKFLOW:
        return sum(total.workflow_slots_used for total in seen.totals)
    return sum(total.activity_slots_used for total in seen.totals)


def all_busy_slots(seen: Observation, task_type: TaskType) -> int | None:
    """Occupied slots, if every ready worker tells: the part that some tell would pass for a fall of the load."""
    return busy_slots(seen, task_type) if seen.all_beat else None


def slots_per_worker(seen: Observation, fleet: Fleet, task_type: TaskType) -> int:
    """Slots that a beating worker has on average; what is declared, or the SDKs' default, where none tells."""
    workflow = task_type is TaskType.WORKFLOW
    beating = sum(total.beating for total in seen.totals)
    slots = sum(total.workflow_slots if workflow else total.activity_slots for total in seen.totals)
    if beating and slots >= beating:
        return slots // beating
    declared = fleet.workers.slots.workflow if workflow else fleet.workers.slots.activity
    return declared or DEFAULT_SLOTS
