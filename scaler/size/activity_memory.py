"""How far the memory of activities bounds the worker count: with few workers each runs more of them. Pure."""

import math
from dataclasses import dataclass

from scaler.learn.memory_points import TAIL, most_running
from scaler.model.common import TaskType
from scaler.model.estimate import Estimate, MemoryUse

FULLER = 1.25


@dataclass(frozen=True, slots=True)
class RunningActivities:
    """Activities that run in the whole fleet on average, and how many one worker can run at a time."""

    taken: float
    slots: int

    @classmethod
    def of(cls, estimate: Estimate) -> "RunningActivities":
        """As many as arrivals keep busy, or as occupy slots where those are more than chance makes of that load."""
        loads = [load for load in estimate.loads if load.task_type is TaskType.ACTIVITY]
        taken = sum(max(load.busy_slots - TAIL * math.sqrt(load.busy_slots), load.erlangs or 0.0) for load in loads)
        return cls(taken, sum(load.slots_per_worker for load in loads))

    def most_on_one(self, workers: int) -> float:
        """Activities that one of so many workers runs, at a high percentile."""
        return most_running(self.taken / max(workers, 1), self.slots)

    def fewest_workers(self, most: float) -> int | None:
        """The fewest workers of which each runs at most so many; None where no number is enough."""
        if most >= self.slots or self.taken <= 0:
            return 0
        if most < 1:
            return None
        # `most_running` turned around: mean + TAIL · √mean = most.
        mean = ((math.sqrt(TAIL * TAIL + 4 * most) - TAIL) / 2) ** 2
        return math.ceil(self.taken / mean - 1e-9)


def fewest_workers(memory: MemoryUse, running: RunningActivities, cache: int | None, usable_bytes: float) -> int | None:
    """The fewest workers with which memory holds the activities of each beside a full cache; 0 where any number does.

    None where no number is enough. Caches are taken little fuller than any was seen: of runs that end, many never fill
    theirs, and workers for what may never come are better added when it does.
    """
    if not memory.activity_bytes:
        return 0
    held = math.ceil(FULLER * memory.most_held)
    full = held if cache is None else min(cache, held)
    return running.fewest_workers((usable_bytes - memory.predicted_bytes(full)) / memory.activity_bytes)
