"""Schedule-to-start latency, service times, replay cost and re-use of cached runs, from recent workflow histories.

Needs no metrics stack and no change of any worker. Reads the tail of a few runs now and then, within the budget, and
asks what those run whose activities have not all ended. Only finished tasks tell how long they took and waited, so a
queue that has stopped moving is seen by the age of its backlog instead.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from activities.sources.gate import Gate, SourceUnavailable
from activities.sources.history_events import RunSample, sampled
from activities.sources.history_figures import LATENCY_WINDOW, SERVICE_WINDOW, replay_seen, task_times
from activities.sources.samples import Run, Samples
from activities.sources.under_way import Started, started
from activities.sources.visibility import quoted
from scaler.fleet import Fleet, Switch
from scaler.model.common import TaskType
from scaler.model.observation import Fault, ReplaySeen, TaskTimesSeen, UnderWay

RUNS_PER_SAMPLE = 10
EVENTS_PER_RUN = 50
SHORTEST_INTERVAL = timedelta(seconds=20)
QUEUES_AT_ONCE = 4
"""Queues that are sampled at the same time: with more, none of many would be done before all are."""

SHORTEST_RETRY = timedelta(seconds=5)
FORGOTTEN = timedelta(minutes=10)
FIRST_CALLS = 2 * RUNS_PER_SAMPLE
"""Of a first reading: three lists, a count, the tails of ten runs, and what half of them run."""


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
        self._samples: dict[tuple[str, str], Samples] = {}
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
        times = [
            self._of_late(task_times(samples, polled.queue, polled.task_type, fleet.objective.percentile), now)
            for polled in fleet.polled
        ]
        return HistoryReading(
            task_times=tuple(self._with_under_way(each, samples, fleet, now) for each in times),
            replay=replay_seen(samples),
            faults=tuple(each.fault for each in samples if each.fault is not None),
        )

    def _of_late(self, times: TaskTimesSeen, now: datetime) -> TaskTimesSeen:
        """Without waits that are over: tasks of a queue that is idle now, or stands still, are late no more or still.

        Its backlog tells which.
        """
        if times.at is not None and times.at >= self._lately(now):
            return times
        return replace(times, schedule_to_start_seconds=None)

    def _with_under_way(
        self, times: TaskTimesSeen, samples: Sequence[Samples], fleet: Fleet, now: datetime
    ) -> TaskTimesSeen:
        """With the activities that have begun and not ended, where these runs are known to be what schedules them."""
        queue = times.queue
        its_own = fleet.signals.history_queues or any(
            each.queue == queue and each.task_type is TaskType.WORKFLOW for each in fleet.polled
        )
        seen = any(each.tasks(queue, TaskType.ACTIVITY) for each in samples)
        if times.task_type is not TaskType.ACTIVITY or not (its_own or seen):
            return times
        parts = [each.under_way(queue, self._lately(now)) for each in samples]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return times
        oldest_seconds = max((part.oldest_seconds for part in known), default=0.0)
        return replace(times, under_way=UnderWay(sum(part.tasks for part in known), oldest_seconds))

    def _lately(self, now: datetime) -> datetime:
        return now - max(LATENCY_WINDOW, 2 * self._interval)

    def _refreshed(self, namespace: str, queue: str, now: datetime) -> Samples:
        key = (namespace, queue)
        samples = self._samples.setdefault(key, Samples(queue))
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
        calls = sum(samples.calls or FIRST_CALLS for samples in self._samples.values())
        return max(SHORTEST_INTERVAL, self._gate.budget.sampling_time(calls))

    def _forget(self, now: datetime) -> None:
        for key in [key for key, samples in self._samples.items() if now - (samples.asked_at or now) > FORGOTTEN]:
            del self._samples[key]

    async def _sample(self, key: tuple[str, str], samples: Samples) -> None:
        try:
            async with self._turns:
                await self._read_runs(key[0], samples)
            samples.fault = None
        except SourceUnavailable as error:
            samples.fault = Fault(f"histories of {key[1]}", str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("Sampling histories of %s failed", key[1])
            samples.fault = Fault(f"histories of {key[1]}", f"{type(error).__name__} in the controller; see its log")
        finally:
            samples.forget(self._gate.clock.now())
            del self._sampling[key]

    async def _read_runs(self, namespace: str, samples: Samples) -> None:
        samples.open_runs = await self._count_open(namespace, samples.queue)
        chosen = await self._runs(namespace, samples.queue)
        watched = [run for run in samples.watched() if run.run_id not in {each.run_id for each in chosen}]
        asked = 0
        for run in (*chosen, *watched):
            known_until = samples.known_until(run.run_id)
            if run in watched:
                samples.drop(run.run_id)  # the server may have dropped it too: it is not to fail each reading after
            read = await self._tail(namespace, run, known_until)
            running = await self._started(namespace, run) if read.may_run_activities else ()
            asked += 1 + read.may_run_activities
            samples.add(Run(read, self._gate.clock.now(), run, running, watched=run in watched))
        samples.calls = asked + len(_QUERIES) + 1

    async def _count_open(self, namespace: str, queue: str) -> int:
        request = CountWorkflowExecutionsRequest(namespace=namespace, query=_OPEN.format(queue=quoted(queue)))
        answer = await self._gate.call_for_sampling(self._service.count_workflow_executions, request)
        return answer.count

    async def _started(self, namespace: str, run: WorkflowExecution) -> tuple[Started, ...]:
        request = DescribeWorkflowExecutionRequest(namespace=namespace, execution=run)
        answer = await self._gate.call_for_sampling(self._service.describe_workflow_execution, request)
        return started(answer.pending_activities, self._gate.clock.now())

    async def _runs(self, namespace: str, queue: str) -> list[WorkflowExecution]:
        """A few runs of different kinds: just closed ones, the newest, and any that began before a random time."""
        now = self._gate.clock.now()
        found: dict[str, WorkflowExecution] = {}
        before = now - timedelta(seconds=self._random.expovariate(1 / SERVICE_WINDOW.total_seconds()))
        for query, share in _QUERIES.items():
            text = query.format(
                queue=quoted(queue),
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


_OPEN = "TaskQueue = {queue} AND ExecutionStatus = 'Running'"
_QUERIES = {
    "TaskQueue = {queue} AND CloseTime > '{since}'": 3,
    _OPEN: 4,
    f"{_OPEN} AND StartTime < '{{before}}'": 3,
}
"""Visibility queries and how many runs of each are read; together they make up `RUNS_PER_SAMPLE`."""


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
