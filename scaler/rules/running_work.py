"""Which workers may be asked to leave without losing what they run. Pure.

A worker that leaves has its drain to finish in, and is killed then. So it may leave only if what it runs, on any
queue, ends within that time; of what is not known to be idle nothing is known to end.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from scaler.fleet import Fleet
from scaler.learn.freshness import HEARTBEAT
from scaler.learn.task_length import DEVIATIONS, TaskLength, task_length
from scaler.model.common import TaskType
from scaler.model.estimate import Estimate
from scaler.model.observation import Observation, TaskTimesSeen, WorkerSeen, WorkerState

FRESH_SECONDS = HEARTBEAT.fresh.total_seconds()

LIKELY_BEGUN = 0.1
"""So many tasks that outlast the drain may be expected to have begun on a worker since it reported itself idle: of a
hundred such workers that leave ten lose a task at most."""


@dataclass(frozen=True)
class RunningWork:
    """What the workers of one observation run, against the time that they would be given to finish it."""

    seen: Observation
    fleet: Fleet
    estimate: Estimate
    now: datetime

    @cached_property
    def may_leave(self) -> tuple[WorkerSeen, ...]:
        """Workers that would lose nothing; of a fleet that is too large for a row each, only those with a row.

        Where the platform takes whom it likes, any of them may be the one that goes: all may leave, or none.
        """
        free = tuple(worker for worker in self.seen.live if self._may_leave(worker))
        return free if self.seen.target.chooses_victims or self._nobody_is_busy(free) else ()

    def _nobody_is_busy(self, free: tuple[WorkerSeen, ...]) -> bool:
        """Whether every worker would lose nothing; of those without a row that holds where all tasks are short."""
        rows = len(self.seen.live)
        return len(free) == rows and (rows >= self.seen.live_count or not self._lasting)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of those that may leave."""
        return frozenset([worker.name for worker in self.may_leave])

    @cached_property
    def staying(self) -> int:
        """How many workers stay because nobody can be named to go: busy ones, and those without a row.

        Where nobody is named anyway, those without a row are as good to go as the others.
        """
        if not self.seen.target.chooses_victims and self.may_leave:
            return 0
        return max(self.seen.live_count - len(self.may_leave), 0)

    @cached_property
    def busy(self) -> int:
        """How many of the workers with a row run, or may run, what would not end within their drain."""
        return len(self.seen.live) - len(self.may_leave)

    @cached_property
    def silent(self) -> int:
        """How many of the busy ones are so only because they report nothing of themselves."""
        unknown = (worker for worker in self.seen.live if worker.name not in self.names)
        return sum(_is_silent(worker) for worker in unknown)

    @property
    def _drain_seconds(self) -> float:
        return self.fleet.behaviour.drain.total_seconds()

    def _may_leave(self, worker: WorkerSeen) -> bool:
        if worker.state is WorkerState.RESTARTING:
            return True
        if _is_silent(worker):
            return self._silent_ends_in_time
        if worker.elsewhere_slots_used and not self._elsewhere_ends_in_time(worker):
            return False
        return all(self._stays_idle(worker, task_type) for task_type in self._lasting)

    @cached_property
    def _lengths(self) -> dict[TaskType, TaskLength]:
        loads, times = self.estimate.loads, self.seen.task_times
        return {each: task_length(loads, times, each) for each in (TaskType.ACTIVITY, TaskType.WORKFLOW)}

    @cached_property
    def _lasting(self) -> tuple[TaskType, ...]:
        """The types of which some tasks may outlast a drain."""
        drain_seconds = self._drain_seconds
        return tuple(each for each, length in self._lengths.items() if length.longest_seconds > drain_seconds)

    def _elsewhere_ends_in_time(self, worker: WorkerSeen) -> bool:
        """Whether what runs on queues that the fleet does not declare is short, by Little's law."""
        used, done_per_second = worker.elsewhere_slots_used or 0, worker.elsewhere_tasks_per_second or 0.0
        return (1 + DEVIATIONS) * used <= self._drain_seconds * done_per_second

    def _stays_idle(self, worker: WorkerSeen, task_type: TaskType) -> bool:
        """Whether a worker reported no such task, and has most likely begun none since that outlasts its drain."""
        if worker.activity_slots_used if task_type is TaskType.ACTIVITY else worker.workflow_slots_used:
            return False
        reported_seconds = worker.heartbeat_age_seconds or 0.0
        since_seconds = reported_seconds + max((self.now - self.seen.observed_at).total_seconds(), 0.0)
        return self._lasting_begun[task_type] * since_seconds <= LIKELY_BEGUN

    @cached_property
    def _lasting_begun(self) -> dict[TaskType, float]:
        """How many tasks that may outlast a drain begin on one worker a second."""
        workers = max(self.seen.ready_count, 1)
        return {each: self._begun_per_second(each) / workers for each in self._lasting}

    def _begun_per_second(self, task_type: TaskType) -> float:
        arrivals = sum(load.arrivals_per_second for load in self.estimate.loads if load.task_type is task_type)
        return self._lengths[task_type].beyond(self._drain_seconds, arrivals)

    @cached_property
    def _silent_ends_in_time(self) -> bool:
        """Whether workers that report nothing of themselves are known to be idle, or to run short tasks only.

        Sampled histories tell what is under way; without them nothing does.
        """
        queues = [queue.name for queue in self.fleet.task_queues if TaskType.ACTIVITY in queue.types]
        told = {times.queue: times for times in self.seen.task_times if times.task_type is TaskType.ACTIVITY}
        under_way = [told.get(queue, _NOTHING_TOLD).under_way for queue in queues]
        if None in under_way or self._lengths[TaskType.WORKFLOW].longest_seconds > self._drain_seconds:
            return False
        idle = all(each is None or not each.tasks for each in under_way)
        return idle or self._lengths[TaskType.ACTIVITY].longest_seconds <= self._drain_seconds


def _is_silent(worker: WorkerSeen) -> bool:
    age_seconds = worker.heartbeat_age_seconds
    return worker.state is WorkerState.READY and (age_seconds is None or age_seconds > FRESH_SECONDS)


_NOTHING_TOLD = TaskTimesSeen(queue="", task_type=TaskType.ACTIVITY)
