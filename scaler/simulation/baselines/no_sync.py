"""Temporal's own worker controller, `no-sync`: one more instance whenever a task finds no waiting poll.

Source: temporalio/temporal-auto-scaled-workers, wci/workflow/scaling_algorithm/no_sync_match.go. It never takes an
instance away: each leaves by itself after ten minutes, those that are found at the start too.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from scaler.fleet import Workers
from scaler.model.common import Size
from scaler.simulation.baselines.readings import answered
from scaler.simulation.policy import Briefing, MakePolicy, Seen

LIFETIME_SECONDS: Final = 600.0
DEFAULT_COOLOFF_SECONDS: Final = 0.1


@dataclass(slots=True)
class NoSync:
    """Invocations, and when each of them ends."""

    cooloff_seconds: float
    bounds: Workers
    interval_seconds: float = 60.0
    push_interval_seconds: float = 0.5
    _ends: deque[float] | None = None
    _up_at: float = field(default=-LIFETIME_SECONDS)

    def task_added(self, seen: Seen) -> Size | None:
        """Invoke one, however many tasks it were in half a second."""
        return self._invoked(seen) if seen.now - self._up_at >= self.cooloff_seconds else self._left(seen)

    def resize(self, seen: Seen) -> Size | None:
        """One for any backlog."""
        queues = [answered(seen, task_type) for task_type in seen.queues]
        waiting = any(queue is not None and queue.backlog_tasks for queue in queues)
        cooled = seen.now - self._up_at >= self.cooloff_seconds
        return self._invoked(seen) if waiting and cooled else self._left(seen)

    def _invoked(self, seen: Seen) -> Size:
        self._up_at = seen.now
        ends = self._alive(seen)
        if len(ends) < self.bounds.max:
            ends.append(seen.now + LIFETIME_SECONDS)
        return self._left(seen)

    def _left(self, seen: Seen) -> Size:
        return Size(max(self.bounds.min, len(self._alive(seen))))

    def _alive(self, seen: Seen) -> deque[float]:
        if self._ends is None:
            self._ends = deque([seen.now + LIFETIME_SECONDS] * seen.counts.desired)
        while self._ends and self._ends[0] <= seen.now:
            self._ends.popleft()
        return self._ends


def no_sync(cooloff_seconds: float) -> MakePolicy:
    """With this least time between two invocations."""

    def make(briefing: Briefing) -> NoSync:
        return NoSync(cooloff_seconds, briefing.fleet.workers)

    return make
