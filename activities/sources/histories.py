"""Schedule-to-start latency, service times, replay cost and re-use of cached runs, from recent workflow histories.

Needs no metrics stack and no change of any worker. Reads the tail of a few runs now and then, within the budget;
only finished tasks show, so a queue that has stopped moving is seen by the age of its backlog instead.
"""

import asyncio
import logging
import math
import random
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import fmean

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from activities.sources.gate import Gate, SourceUnavailable
from activities.sources.history_events import ActivitySample, RunSample, WorkflowTaskSample, sampled
from scaler.fleet import Fleet, Switch
from scaler.learn.freshness import HISTORIES
from scaler.learn.replay_cost import sticky_tasks
from scaler.model.common import Quality, TaskType
from scaler.model.observation import GAP_EDGES_SECONDS, Fault, ReplaySeen, TaskTimesSeen

RUNS_PER_SAMPLE = 10
EVENTS_PER_RUN = 50
SHORTEST_INTERVAL = timedelta(seconds=20)
QUEUES_AT_ONCE = 4
"""Queues that are sampled at the same time: with more, none of many would be done before all are."""

SHORTEST_RETRY = timedelta(seconds=5)
FORGOTTEN = timedelta(minutes=10)

LATENCY_WINDOW = timedelta(minutes=2)
SERVICE_WINDOW = timedelta(minutes=15)
KEPT_TASKS = 2000
KEPT_RUNS = 300
FEWEST_WAITS = 5
"""With fewer recent tasks a percentile is an anecdote."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What is kept of a run, as it was when it was read: what it has done since nobody knows."""

    sample: RunSample
    read_at: datetime

    @property
    def silence_seconds(self) -> float | None:
        """For how long it had had no workflow task; None for a closed one."""
        newest = self.sample.newest
        return None if newest is None or self.sample.closed else max((self.read_at - newest).total_seconds(), 0.0)


@dataclass(slots=True)
class _Samples:
    """What is kept of one queue's runs; of a run that is read again only what is new."""

    asked_at: datetime | None = None
    read_at: datetime | None = None
    fault: Fault | None = None
    workflow_tasks: deque[WorkflowTaskSample] = field(default_factory=lambda: deque(maxlen=KEPT_TASKS))
    activities: deque[ActivitySample] = field(default_factory=lambda: deque(maxlen=KEPT_TASKS))
    runs: OrderedDict[str, _Run] = field(default_factory=OrderedDict)

    def known_until(self, run_id: str) -> int:
        """The last event of the run that was read before."""
        run = self.runs.get(run_id)
        return run.sample.last_event_id if run is not None else 0

    def add(self, run_id: str, run: RunSample, read_at: datetime) -> None:
        """Take in what is new of one run."""
        self.workflow_tasks += run.workflow_tasks
        self.activities += run.activities
        self.runs.pop(run_id, None)
        self.runs[run_id] = _Run(replace(run, workflow_tasks=(), activities=()), read_at)
        while len(self.runs) > KEPT_RUNS:
            self.runs.popitem(last=False)

    def forget(self, now: datetime) -> None:
        """Drop what is too old to say anything."""
        while self.workflow_tasks and now - self.workflow_tasks[0].scheduled_at > HISTORIES.usable:
            self.workflow_tasks.popleft()
        while self.activities and now - self.activities[0].scheduled_at > HISTORIES.usable:
            self.activities.popleft()
        while self.runs and now - next(iter(self.runs.values())).read_at > HISTORIES.usable:
            self.runs.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReading:
    """What the sampled runs of some workflow queues tell."""

    task_times: tuple[TaskTimesSeen, ...] = ()
    replay: ReplaySeen = field(default_factory=ReplaySeen)
    faults: tuple[Fault, ...] = ()


class HistorySource:
    """Samples the runs of workflow task queues through one client, in the background of whoever reads it."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self._service = client.workflow_service
        self._gate = gate
        self._samples: dict[tuple[str, str], _Samples] = {}
        self._sampling: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(QUEUES_AT_ONCE)
        self._random = random.Random()  # noqa: S311 (which runs are sampled is no secret)

    def read(self, namespace: str, fleet: Fleet) -> HistoryReading:
        """What is known now; looks for news in the background where that is due."""
        if fleet.signals.histories is not Switch.ON:
            return HistoryReading()
        now = self._gate.clock.now()
        queues = fleet.signals.history_queues or tuple(queue.name for queue in fleet.task_queues)
        samples = [self._refreshed(namespace, queue, now) for queue in queues]
        times = (
            _task_times(samples, queue.name, task_type, fleet.objective.percentile)
            for queue in fleet.task_queues
            for task_type in queue.types
        )
        return HistoryReading(
            task_times=tuple(self._of_late(each, now) for each in times),
            replay=_replay(samples),
            faults=tuple(each.fault for each in samples if each.fault is not None),
        )

    def _of_late(self, times: TaskTimesSeen, now: datetime) -> TaskTimesSeen:
        """Without waits that are over: tasks of a queue that is idle now, or stands still, are late no more or still.

        Its backlog tells which.
        """
        if times.at is not None and now - times.at <= max(LATENCY_WINDOW, 2 * self._interval):
            return times
        return replace(times, schedule_to_start_seconds=None)

    def _refreshed(self, namespace: str, queue: str, now: datetime) -> _Samples:
        key = (namespace, queue)
        samples = self._samples.setdefault(key, _Samples())
        samples.asked_at = now
        interval = self._interval if samples.fault is None else max(SHORTEST_RETRY, self._interval / 4)
        due = samples.read_at is None or now - samples.read_at >= interval
        if due and key not in self._sampling:
            self._forget(now)
            samples.read_at = now
            self._sampling[key] = asyncio.create_task(self._sample(key, samples))
        return samples

    @property
    def _interval(self) -> timedelta:
        """Long enough that all queues together stay within their share of the budget."""
        calls = len(self._samples) * (RUNS_PER_SAMPLE + len(_QUERIES))
        return max(SHORTEST_INTERVAL, self._gate.budget.sampling_time(calls))

    def _forget(self, now: datetime) -> None:
        for key in [key for key, samples in self._samples.items() if now - (samples.asked_at or now) > FORGOTTEN]:
            del self._samples[key]

    async def _sample(self, key: tuple[str, str], samples: _Samples) -> None:
        try:
            async with self._turns:
                for run in await self._runs(*key):
                    read = await self._tail(key[0], run, samples.known_until(run.run_id))
                    samples.add(run.run_id, read, self._gate.clock.now())
            samples.fault = None
        except SourceUnavailable as error:
            samples.fault = Fault(f"histories of {key[1]}", str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("Sampling histories of %s failed", key[1])
            samples.fault = Fault(f"histories of {key[1]}", f"{type(error).__name__} in the controller; see its log")
        finally:
            samples.forget(self._gate.clock.now())
            del self._sampling[key]

    async def _runs(self, namespace: str, queue: str) -> list[WorkflowExecution]:
        """A few runs of different kinds: just closed ones, the newest, and any that began before a random time."""
        now = self._gate.clock.now()
        found: dict[str, WorkflowExecution] = {}
        before = now - timedelta(seconds=self._random.expovariate(1 / SERVICE_WINDOW.total_seconds()))
        for query, share in _QUERIES.items():
            text = query.format(
                queue=queue.replace("'", "''"),
                since=_text(now - LATENCY_WINDOW),
                before=_text(before),
            )
            request = ListWorkflowExecutionsRequest(namespace=namespace, query=text, page_size=share)
            answer = await self._gate.call_for_sampling(self._service.list_workflow_executions, request)
            found |= {info.execution.run_id: info.execution for info in answer.executions}
        return list(found.values())

    async def _tail(self, namespace: str, run: WorkflowExecution, known_until: int) -> RunSample:
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=namespace, execution=run, maximum_page_size=EVENTS_PER_RUN
        )
        answer = await self._gate.call_for_sampling(self._service.get_workflow_execution_history_reverse, request)
        return sampled(answer.history.events, known_until)


_QUERIES = {
    "TaskQueue = '{queue}' AND CloseTime > '{since}'": 3,
    "TaskQueue = '{queue}' AND ExecutionStatus = 'Running'": 4,
    "TaskQueue = '{queue}' AND ExecutionStatus = 'Running' AND StartTime < '{before}'": 3,
}
"""Visibility queries and how many runs of each are read; together they make up `RUNS_PER_SAMPLE`."""


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _task_times(samples: Iterable[_Samples], queue: str, task_type: TaskType, percentile: float) -> TaskTimesSeen:
    """Waits of the last minutes, service times of the last quarter of an hour."""
    kept: Iterable[WorkflowTaskSample | ActivitySample] = (
        task
        for each in samples
        for task in (each.workflow_tasks if task_type is TaskType.WORKFLOW else each.activities)
        if task.queue == queue
    )
    tasks = list(kept)
    newest = max((task.scheduled_at for task in tasks), default=None)
    if newest is None:
        return TaskTimesSeen(queue=queue, task_type=task_type)
    recent = [task for task in tasks if newest - task.scheduled_at <= LATENCY_WINDOW]
    waits = sorted(task.waited_seconds for task in recent if task.waited_seconds is not None)
    ran = [task.ran_seconds for task in tasks if newest - task.scheduled_at <= SERVICE_WINDOW]
    mean = fmean(ran)
    variance = fmean((each - mean) ** 2 for each in ran)
    return TaskTimesSeen(
        at=newest,
        quality=Quality.FRESH if len(recent) >= FEWEST_WAITS else Quality.STALE,
        queue=queue,
        task_type=task_type,
        samples=len(ran),
        schedule_to_start_seconds=_percentile(waits, percentile),
        service_mean_seconds=mean,
        service_scv=variance / mean**2 if mean > 0 else None,
    )


def _replay(samples: Sequence[_Samples]) -> ReplaySeen:
    tasks = [task for each in samples for task in each.workflow_tasks]
    if not tasks:
        return ReplaySeen()
    newest = max(task.scheduled_at for task in tasks)
    recent = [task for task in tasks if newest - task.scheduled_at <= SERVICE_WINDOW]
    sticky = [task for task in recent if task.sticky]
    replayed = [task for task in recent if task.replayed_events]
    told = sticky_tasks((task.gap_seconds, task.ran_seconds) for task in sticky if task.gap_seconds is not None)
    runs = [run for each in samples for run in each.runs.values()]
    silences = (run.silence_seconds for run in runs)
    return ReplaySeen(
        at=newest,
        quality=Quality.FRESH,
        sticky_samples=len(sticky),
        sticky_seconds=fmean(task.ran_seconds for task in sticky) if sticky else None,
        hit_samples=told.hit_samples,
        hit_seconds=told.hit_seconds,
        slow_samples=told.slow_samples,
        slow_seconds=told.slow_seconds,
        normal_samples=len(replayed),
        normal_seconds=fmean(task.ran_seconds for task in replayed) if replayed else None,
        events=fmean(task.replayed_events for task in replayed) if replayed else None,
        gaps=_in_buckets(gap for run in runs for gap in run.sample.gaps_seconds),
        silences=_in_buckets(silence for silence in silences if silence is not None),
        closed=sum(run.sample.closed for run in runs),
    )


def _percentile(waits: Sequence[float], percentile: float) -> float | None:
    """The smallest wait that so many per cent do not exceed; None where no task was queued at all."""
    return waits[min(len(waits) - 1, math.ceil(len(waits) * percentile / 100) - 1)] if waits else None


def _in_buckets(times_seconds: Iterable[float]) -> tuple[int, ...]:
    counts = [0] * (len(GAP_EDGES_SECONDS) + 1)
    for time_seconds in times_seconds:
        counts[bisect_left(GAP_EDGES_SECONDS, time_seconds)] += 1
    return tuple(counts)
