"""Workflows that kill workers: open runs whose workflow task came to no end in kill after kill for memory.

Asks only while a fleet has such kills. The server names runs whose workflow task timed out five times in a row
(`TemporalReportedProblems`, from server 1.30 on); one is a suspect where there was a kill for each of its failures. A
workflow whose activity kills workers is not found: no server keeps a list of those.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from activities.sources.gate import Gate, SourceUnavailable
from activities.sources.visibility import quoted
from scaler.model.observation import ExitReason, Fault, WorkerExit

INTERVAL = timedelta(seconds=10)
RUNS_READ = 10
EVENTS_READ = 10

MOST_SUSPECTS = 3
"""Where more runs than this come to no end, it is not single ones that are too large."""

FEWEST_FAILURES = 3

EXITS_REACH_BACK = timedelta(minutes=9)
"""Targets tell ends of workers for ten minutes: kills before are not known, so failures before are not counted."""

REPORTED = (
    "TaskQueue = {queue} AND ExecutionStatus = 'Running' AND TemporalReportedProblems = 'category=WorkflowTaskTimedOut'"
)


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """A workflow task that fails again and again: from when on its failures can be held against kills."""

    workflow_id: str
    since: datetime
    failures_before: int
    failures: int

    def kills(self, kills: Sequence[datetime]) -> bool:
        """Whether there was a kill for each failure, but for one that may have been missed."""
        failures = self.failures - self.failures_before
        return failures >= FEWEST_FAILURES and sum(at >= self.since for at in kills) >= failures - 1


@dataclass(slots=True)
class _Queue:
    read_at: datetime | None = None
    unfinished: dict[str, _Unfinished] = field(default_factory=dict)  # by run id
    convicted: set[str] = field(default_factory=set)  # run ids, while they are reported
    fault: Fault | None = None


class SuspectSource:
    """Looks for such workflows through one client, in the background of whoever reads it."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self._service = client.workflow_service
        self._gate = gate
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._reading: dict[tuple[str, str], asyncio.Task[None]] = {}

    def read(self, namespace: str, queue: str, exits: Sequence[WorkerExit]) -> tuple[tuple[str, ...], Fault | None]:
        """Ids of the workflows of a queue that are known to kill its workers, and why nobody knows."""
        key = (namespace, queue)
        kills = [ended.at for ended in exits if ended.reason is ExitReason.OOM_KILLED]
        if len(kills) < FEWEST_FAILURES - 1:
            self._queues.pop(key, None)
            return (), None
        known, now = self._queues.setdefault(key, _Queue()), self._gate.clock.now()
        if key not in self._reading and (known.read_at is None or now - known.read_at >= INTERVAL):
            known.read_at = now
            self._reading[key] = asyncio.create_task(self._refresh(key, known))
        known.convicted |= {run_id for run_id, run in known.unfinished.items() if run.kills(kills)}
        suspects = {run.workflow_id for run_id, run in known.unfinished.items() if run_id in known.convicted}
        return (tuple(sorted(suspects)) if len(suspects) <= MOST_SUSPECTS else ()), known.fault

    async def _refresh(self, key: tuple[str, str], known: _Queue) -> None:
        namespace, queue = key
        try:
            runs = await self._reported(namespace, queue)
            found = [await self._unfinished(namespace, run, known) for run in runs]
            known.unfinished = {run.run_id: each for run, each in zip(runs, found, strict=True) if each is not None}
            known.convicted &= known.unfinished.keys()
            known.fault = None
        except SourceUnavailable as error:
            known.fault = Fault(f"suspects of {queue}", str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("Looking for suspects of %s failed", queue)
            known.fault = Fault(f"suspects of {queue}", f"{type(error).__name__} in the controller; see its log")
        finally:
            del self._reading[key]

    async def _reported(self, namespace: str, queue: str) -> list[WorkflowExecution]:
        query = REPORTED.format(queue=quoted(queue))
        request = ListWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=RUNS_READ)
        answer = await self._gate.call_for_sampling(self._service.list_workflow_executions, request)
        return [info.execution for info in answer.executions]

    async def _unfinished(self, namespace: str, run: WorkflowExecution, known: _Queue) -> _Unfinished | None:
        request = DescribeWorkflowExecutionRequest(namespace=namespace, execution=run)
        answer = await self._gate.call_for_sampling(self._service.describe_workflow_execution, request)
        if not answer.HasField("pending_workflow_task"):
            return None
        failures, earlier = answer.pending_workflow_task.attempt - 1, known.unfinished.get(run.run_id)
        if earlier is not None:
            return replace(earlier, failures=failures)
        now, began = self._gate.clock.now(), await self._first_attempt(namespace, run)
        if began is not None and now - began <= EXITS_REACH_BACK:
            return _Unfinished(run.workflow_id, began, 0, failures)
        return _Unfinished(run.workflow_id, now, failures, failures)

    async def _first_attempt(self, namespace: str, run: WorkflowExecution) -> datetime | None:
        """When the pending workflow task was first scheduled. Of its attempts only the first is in the history."""
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=namespace, execution=run, maximum_page_size=EVENTS_READ
        )
        answer = await self._gate.call_for_sampling(self._service.get_workflow_execution_history_reverse, request)
        scheduled = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
        newest = (event for event in answer.history.events if event.event_type == scheduled)
        return next((event.event_time.ToDatetime(UTC) for event in newest), None)
