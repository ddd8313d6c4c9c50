"""Temporal's own worker controller, `rate-based`: rates that are smoothed, a square-root reserve, +1 without a match.

Source: temporalio/temporal-auto-scaled-workers, wci/workflow/scaling_algorithm/rate_based.go as of server 1.32.0,
every default as there. It never compares its count with reality; it begins with the count it finds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scaler.fleet import Workers
from scaler.model.common import Size, TaskType
from scaler.model.observation import QueueSeen
from scaler.simulation.baselines.readings import answered
from scaler.simulation.policy import Briefing, MakePolicy, Seen

ALPHA: Final = 0.45
INITIAL_CAPACITY_PER_SECOND: Final = 2.0
DRAIN_PER_SECOND: Final = 2.0
MATERIAL_BACKLOG: Final = 50
HALFIN_WHITT_BETA: Final = 0.5
LARGEST_STEP: Final = 4
UP_COOLDOWN_SECONDS: Final = 2.0
DOWN_COOLDOWN_SECONDS: Final = 60.0
QUIET_SECONDS: Final = 90.0


@dataclass(slots=True)
class RateBased:
    """Polls statistics once a minute, and is told at once when tasks find no waiting poll."""

    utilisation: float
    bounds: Workers
    interval_seconds: float = 60.0
    push_interval_seconds: float = 0.5
    _count: int | None = None
    _arrivals: float | None = None
    _capacity: float | None = None
    _up_at: float = -math.inf
    _down_at: float = -math.inf
    _unmatched_at: float = -math.inf

    def task_added(self, seen: Seen) -> Size | None:
        """One more, if the last time is two seconds ago; then capacity is measured, with those that still start."""
        count = self._planned(seen)
        self._unmatched_at = seen.now
        if count < self.bounds.max and seen.now - self._up_at >= UP_COOLDOWN_SECONDS:
            count += 1
            self._up_at = seen.now
        dispatched = sum(queue.dispatches_per_second or 0.0 for queue in _told(seen).values())
        if count > 0 and dispatched > 0:
            self._capacity = _smoothed(dispatched / count, self._capacity, INITIAL_CAPACITY_PER_SECOND)
        self._count = count
        return Size(count)

    def resize(self, seen: Seen) -> Size | None:
        """Up by four at most, down by one."""
        count = self._planned(seen)
        desired = self._desired(_told(seen), count)
        if desired > count and seen.now - self._up_at >= UP_COOLDOWN_SECONDS:
            count += min(LARGEST_STEP, desired - count)
            self._up_at = seen.now
        elif desired < count and self._may_remove(seen.now):
            count = max(self.bounds.min, count - 1)
            self._down_at = seen.now
        self._count = count
        return Size(count)

    def _planned(self, seen: Seen) -> int:
        return seen.counts.desired if self._count is None else self._count

    def _may_remove(self, now: float) -> bool:
        return now - self._unmatched_at >= QUIET_SECONDS and now - self._down_at >= DOWN_COOLDOWN_SECONDS

    def _desired(self, told: Mapping[TaskType, QueueSeen], count: int) -> int:
        backlog = sum(queue.backlog_tasks or 0 for queue in told.values())
        if told:
            arrivals = sum(queue.arrivals_per_second or 0.0 for queue in told.values())
            dispatched = sum(queue.dispatches_per_second or 0.0 for queue in told.values())
            self._arrivals = _smoothed(arrivals, self._arrivals, arrivals)
            if not (backlog or arrivals or dispatched):
                self._arrivals = 0.0
            if backlog >= MATERIAL_BACKLOG and count > 0 and dispatched > 0:
                self._capacity = _smoothed(dispatched / count, self._capacity, INITIAL_CAPACITY_PER_SECOND)
        required = (self._arrivals or 0.0) + (DRAIN_PER_SECOND if backlog else 0.0)
        load = required / (self._capacity or INITIAL_CAPACITY_PER_SECOND)
        wanted = max(math.ceil(load / self.utilisation), math.ceil(load + HALFIN_WHITT_BETA * math.sqrt(load)))
        return max(self.bounds.min, min(wanted, self.bounds.max))


def rate_based(utilisation: float) -> MakePolicy:
    """With this target of utilisation."""

    def make(briefing: Briefing) -> RateBased:
        return RateBased(utilisation, briefing.fleet.workers)

    return make


def _told(seen: Seen) -> dict[TaskType, QueueSeen]:
    queues = {task_type: answered(seen, task_type) for task_type in seen.queues}
    return {task_type: queue for task_type, queue in queues.items() if queue is not None}


def _smoothed(value: float, before: float | None, first: float) -> float:
    return ALPHA * value + (1 - ALPHA) * (first if before is None else before)
