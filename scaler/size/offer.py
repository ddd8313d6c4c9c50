"""What one worker offers each task type at a size: its slots, and how long a task takes, replays included. Pure."""

import math

from scaler.model.common import Size, TaskType
from scaler.model.estimate import Estimate, Load
from scaler.size.capacity import Service
from scaler.size.miss_ratio import miss_ratio

POLLERS_HELD = 4
"""Workflow task slots that idle sticky polls hold: concurrency is about cache − 4 (measured, sdk-core)."""

LONGEST_ON_CORE_SECONDS = 0.05
"""Workflow code takes milliseconds of a core; what holds its slot for longer waits, for a local activity or a query."""


class Offers:
    """What one worker offers at every size, for one estimate; what sizes share is worked out once."""

    def __init__(self, estimate: Estimate) -> None:
        self._estimate = estimate
        self._workflow_tasks_per_second = sum(load.arrivals_per_second for load in estimate.workflow_loads)
        self._miss_ratios: dict[int, float | None] = {}  # by how many runs all caches hold together

    def service(self, load: Load, size: Size) -> Service | None:
        """What a worker offers the tasks of one queue; None while nobody knows how long one takes."""
        if load.task_type is TaskType.WORKFLOW:
            task_seconds = self._workflow_seconds(load, size)
            return None if task_seconds is None else Service(self._workflow_slots(load, size), task_seconds)
        # The cache does not touch activities: the same at every size.
        return None if load.service_seconds is None else Service(_activity_slots(load), load.service_seconds)

    def misses(self, size: Size) -> float | None:
        """Share of workflow tasks that need a replay; None while nobody knows. All queues share the caches."""
        if not self._estimate.workflow_loads or size.cache is None:
            return None
        capacity = size.workers * size.cache * self._estimate.memory.caches
        if capacity not in self._miss_ratios:
            self._miss_ratios[capacity] = miss_ratio(self._estimate.cache, self._workflow_tasks_per_second, capacity)
        return self._miss_ratios[capacity]

    def _workflow_seconds(self, workflow: Load, size: Size) -> float | None:
        """Mean slot time of a workflow task with the replays that this size leads to."""
        use, misses = self._estimate.cache, self.misses(size)
        if misses is None or use.hit_seconds is None or use.replay_seconds is None:
            return workflow.service_seconds
        return use.hit_seconds + misses * use.replay_seconds

    def _workflow_slots(self, workflow: Load, size: Size) -> float:
        """Workflow tasks that one worker runs at a time; cores and a small cache hold them back."""
        slots = min(float(workflow.slots_per_worker), self._side_by_side(workflow, size))
        return max(1.0, slots if size.cache is None else min(slots, float(size.cache - POLLERS_HELD)))

    def _side_by_side(self, workflow: Load, size: Size) -> float:
        """Tasks that keep the cores busy together: a task that holds its slot and waits leaves them to others."""
        cores, task_seconds = self._estimate.workflow_cores, self._workflow_seconds(workflow, size)
        if cores is None:
            return math.inf
        core_seconds = self.core_seconds(workflow, size)
        return cores * task_seconds / core_seconds if task_seconds and core_seconds else cores

    def core_seconds(self, workflow: Load, size: Size) -> float | None:
        """Time of a core that a workflow task takes: its own and that of the replays that this size leads to.

        Of a long task most is a wait, as for a local activity. Workers that have more of them under way at once than
        cores show that each takes no more of a core than its part.
        """
        use, misses, cores = self._estimate.cache, self.misses(size), self._estimate.workflow_cores
        own_seconds, replay_seconds = workflow.service_seconds, 0.0
        if misses is not None and use.hit_seconds is not None and use.replay_seconds is not None:
            own_seconds, replay_seconds = use.hit_seconds, misses * use.replay_seconds
        if own_seconds is None or cores is None:
            return None
        if own_seconds > LONGEST_ON_CORE_SECONDS:
            at_once = workflow.busy_slots / max(self._estimate.ready, 1)
            own_seconds = min(LONGEST_ON_CORE_SECONDS, own_seconds * cores / max(at_once, cores))
        return own_seconds + replay_seconds


def _activity_slots(load: Load) -> float:
    """Slots of one worker that tasks are run in at a time, by Little's law, at what it was seen to get done at most."""
    if load.most_per_second is None or load.service_seconds is None:
        return float(load.slots_per_worker)
    return min(float(load.slots_per_worker), load.most_per_second * load.service_seconds)
