"""What readings show of each queue: tasks that are late, and tasks that wait beside free slots. Pure.

Tasks wait beside free slots where the workers' pollers are gone, where a limit of the worker, the queue or the server
holds them back, or where the tasks are meant for another queue or version than these workers poll. More workers of the
same kind may not help then.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from scaler.fleet import Fleet
from scaler.learn.idle import took_nothing_since
from scaler.model.common import Polled, Quality, TaskType
from scaler.model.estimate import Estimate, Load
from scaler.model.observation import Observation

FREE_SHARE = 0.2
"""Part of the slots that must be free: a few free ones are between two tasks."""

AT_CAPACITY = 0.8
"""Workers that get done this part of the most that they were seen to are busy, however many slots are free."""

MOST_NAMED = 5


@dataclass(frozen=True)
class Readings:
    """One observation and what was learned up to it; nothing in it was predicted."""

    seen: Observation
    fleet: Fleet
    estimate: Estimate
    now: datetime

    @cached_property
    def late_loads(self) -> tuple[Load, ...]:
        """The loads whose tasks a fresh reading shows to wait longer than the objective."""
        return tuple(load for load in self.estimate.loads if self._late(load))

    @cached_property
    def beside_free_slots(self) -> tuple[Load, ...]:
        """The late loads whose tasks wait although slots for them were free all the while."""
        return tuple(load for load in self.late_loads if self._free_beside(load))

    @cached_property
    def taking_nothing(self) -> tuple[str, ...]:
        """Workers that ran nothing while tasks waited beside their free slots."""
        waited = max((load.backlog_age_seconds for load in self.beside_free_slots), default=0.0)
        idle = [worker.name for worker in self.seen.ready if took_nothing_since(worker, waited)]
        return tuple(idle[:MOST_NAMED])

    def dispatched_per_second(self, load: Load) -> float | None:
        """Tasks of one queue that were handed to workers; what they got done where that was not read."""
        polled = Polled.of(load)
        for queue in self.seen.queues:
            if Polled.of(queue) == polled:
                rate = queue.dispatches_per_second
                return load.done_per_second if rate is None else rate
        return load.done_per_second

    def _late(self, load: Load) -> bool:
        objective = self.fleet.objective_seconds(load.task_type)
        return load.quality is Quality.FRESH and load.observed_wait_seconds > objective

    def _free_beside(self, load: Load) -> bool:
        """Whether the last heartbeat of every worker told of free slots after the oldest task began to wait.

        Where workflow tasks share a core, a free slot does not say that the worker has time for one more.
        """
        if load.task_type is TaskType.WORKFLOW and self.estimate.workflow_cores is not None:
            return False
        ages = [each.heartbeat_age_seconds for each in self.seen.ready if each.heartbeat_age_seconds is not None]
        if not load.backlog_tasks or not load.busy_known or not ages or load.backlog_age_seconds <= max(ages):
            return False
        slots = load.slots_per_worker * self.estimate.ready
        return load.busy_slots <= (1 - FREE_SHARE) * slots and not self._at_capacity(load)

    def _at_capacity(self, load: Load) -> bool:
        rate, most = self.dispatched_per_second(load), load.most_per_second
        return rate is not None and most is not None and rate >= AT_CAPACITY * most * self.estimate.ready
