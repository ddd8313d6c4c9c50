"""The server's statistics of task queues as `DescribeTaskQueue` gives them: cached, averaged, without sticky tasks."""

from collections import deque
from dataclasses import replace
from typing import Any, Final

import numpy as np

from scaler.model.common import Quality, TaskType
from scaler.model.observation import Fault, QueueSeen
from scaler.simulation.catalogue import QUEUE, task_types
from scaler.simulation.clock import moment
from scaler.simulation.scenario import MetricPath, SignalName
from scaler.simulation.visibility import Darkness
from scaler.simulation.world import World

BUCKET_SECONDS: Final = 5.0
"""The server counts in buckets of this length (temporal.md §1.2)."""


class QueueStatistics:
    """One queue and task type. A read that fails leaves the one before standing, with its own time."""

    def __init__(self, world: World[Any], task_type: TaskType, rng: np.random.Generator) -> None:
        self._world = world
        self._task_type = task_type
        self._rng = rng
        self._path: MetricPath = world.scenario.metrics
        self._darkness = Darkness(self._path.blackouts)
        buckets = max(1, round(self._path.queue_window.total_seconds() / BUCKET_SECONDS))
        self._counts: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)], maxlen=buckets)
        self._answer = QueueSeen(queue=QUEUE, task_type=task_type)
        self._answered_at = -np.inf
        self._read_at = -np.inf
        self._seen_at: float | None = None
        self._newest = self._answer
        self._failed = False

    def count(self, now: float) -> None:
        """A bucket of the server's counters is full; to be called once a second or more often."""
        if now - self._counts[-1][0] >= BUCKET_SECONDS:
            figures = self._world.figures(self._task_type)
            self._counts.append((now, figures.added, figures.dispatched))

    def read(self, now: float) -> QueueSeen:
        """Ask the server, once a moment however often this is called. The answer's time is when it was computed."""
        if now > self._read_at:
            self._read_at = now
            lost = self._path.queue_loss and self._rng.random() < self._path.queue_loss
            self._failed = bool(lost) or self._darkness.hides(SignalName.QUEUES, now)
            if not self._failed:
                self._newest, self._seen_at = self._now(now), now
        return self._newest

    def reading(self, now: float) -> QueueSeen:
        """What the source tells: the newest answer, with the time at which it came."""
        self.read(now)
        return self._newest if self._seen_at is None else replace(self._newest, at=moment(self._seen_at))

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What the last read ran into."""
        return (Fault(f"task queue {QUEUE} ({self._task_type})", "the server did not answer"),) if self._failed else ()

    def _now(self, now: float) -> QueueSeen:
        if now - self._answered_at < self._path.queue_cache.total_seconds():
            return self._answer
        figures = self._world.figures(self._task_type)
        since, added, dispatched = self._counts[0]
        seconds = max(now - since, 1.0)
        self._answered_at = now
        self._answer = QueueSeen(
            at=moment(now),
            quality=Quality.FRESH,
            queue=QUEUE,
            task_type=self._task_type,
            backlog_tasks=figures.waiting,
            backlog_age_seconds=now - figures.oldest_at if figures.oldest_at is not None else 0.0,
            arrivals_per_second=(figures.added - added) / seconds,
            dispatches_per_second=(figures.dispatched - dispatched) / seconds,
            rate_limited=figures.rate_limited,
        )
        return self._answer


def statistics_of(world: World[Any], rng: np.random.Generator) -> dict[TaskType, QueueStatistics]:
    """The statistics of all that the fleet polls for."""
    return {task_type: QueueStatistics(world, task_type, rng) for task_type in task_types(world.scenario)}
