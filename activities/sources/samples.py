"""What is kept of the runs that were read of one queue, each with what it was when it was read. Pure."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from temporalio.api.common.v1 import WorkflowExecution

from activities.sources.history_events import UNKNOWN_QUEUE, ActivitySample, RunSample, WorkflowTaskSample
from activities.sources.under_way import WATCHED_RUNS, OpenRun, Started, estimated
from scaler.learn.freshness import HISTORIES
from scaler.model.common import TaskType
from scaler.model.observation import Fault, UnderWay

KEPT_TASKS = 2000
KEPT_RUNS = 300


@dataclass(frozen=True, slots=True)
class Run:
    """What is kept of a run, as it was when it was read: what it has done since nobody knows."""

    sample: RunSample
    read_at: datetime
    execution: WorkflowExecution
    started: tuple[Started, ...] = ()
    watched: bool = False

    @property
    def silence_seconds(self) -> float | None:
        """For how long it had had no workflow task; None for a closed one."""
        newest = self.sample.newest
        return None if newest is None or self.sample.closed else max((self.read_at - newest).total_seconds(), 0.0)


@dataclass(slots=True)
class Samples:
    """What is kept of one queue's runs; of a run that is read again only what is new."""

    queue: str
    asked_at: datetime | None = None
    read_at: datetime | None = None
    fault: Fault | None = None
    open_runs: int | None = None  # when they were last counted
    calls: int = 0  # that the last reading took
    workflow_tasks: deque[WorkflowTaskSample] = field(default_factory=lambda: deque(maxlen=KEPT_TASKS))
    activities: deque[ActivitySample] = field(default_factory=lambda: deque(maxlen=KEPT_TASKS))
    runs: OrderedDict[str, Run] = field(default_factory=OrderedDict)

    def known_until(self, run_id: str) -> int:
        """The last event of the run that was read before."""
        run = self.runs.get(run_id)
        return run.sample.last_event_id if run is not None else 0

    def add(self, run: Run) -> None:
        """Take in what is new of one run."""
        self.workflow_tasks += run.sample.workflow_tasks
        self.activities += run.sample.activities
        run_id = run.execution.run_id
        self.runs.pop(run_id, None)
        self.runs[run_id] = replace(run, sample=replace(run.sample, workflow_tasks=(), activities=()))
        while len(self.runs) > KEPT_RUNS:
            self.runs.popitem(last=False)

    def drop(self, run_id: str) -> None:
        """Forget one run."""
        self.runs.pop(run_id, None)

    def watched(self) -> list[WorkflowExecution]:
        """The runs whose activities began first, of those that had any when they were read."""
        busy = [run for run in self.runs.values() if run.started]
        busy.sort(key=lambda run: min(each.at for each in run.started))
        return [run.execution for run in busy[:WATCHED_RUNS]]

    def under_way(self, queue: str, since: datetime) -> UnderWay | None:
        """Activities of a queue that the runs read since then had begun and not ended."""
        if self.open_runs is None or self.fault is not None:
            return None
        otherwise = self._unread_queue
        runs = [
            OpenRun(
                read_at=run.read_at,
                started=tuple(replace(each, queue=each.queue or otherwise) for each in run.started),
                watched=run.watched,
            )
            for run in self.runs.values()
            if run.read_at >= since and not run.sample.closed
        ]
        return estimated(queue, runs, self.open_runs)

    def tasks(self, queue: str, task_type: TaskType) -> Sequence[WorkflowTaskSample | ActivitySample]:
        """Tasks of one queue and type."""
        if task_type is TaskType.WORKFLOW:
            return [task for task in self.workflow_tasks if task.queue == queue]
        otherwise = self._unread_queue
        return [task for task in self.activities if (task.queue or otherwise) == queue]

    @property
    def _unread_queue(self) -> str:
        """The queue of activities whose own was not read: the only one known, or else that of the workflows."""
        known = {task.queue for task in self.activities} - {UNKNOWN_QUEUE}
        if not known:
            return self.queue
        return known.pop() if len(known) == 1 else UNKNOWN_QUEUE

    def forget(self, now: datetime) -> None:
        """Drop what is too old to say anything."""
        while self.workflow_tasks and now - self.workflow_tasks[0].scheduled_at > HISTORIES.usable:
            self.workflow_tasks.popleft()
        while self.activities and now - self.activities[0].scheduled_at > HISTORIES.usable:
            self.activities.popleft()
        while self.runs and now - next(iter(self.runs.values())).read_at > HISTORIES.usable:
            self.runs.popitem(last=False)
