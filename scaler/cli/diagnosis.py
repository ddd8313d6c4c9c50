"""Finds out why a fleet does not answer, in the words that somebody at night needs."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from scaler.cli import words
from scaler.cli.exits import CommandFailed, Exit
from workflows.messages import DRY_RUN_TASK_QUEUE

POLL_TIME = timedelta(seconds=75)
"""A controller that lives asks for work at least once a minute."""

_ENDS = {
    WorkflowExecutionStatus.COMPLETED: "it was stopped",
    WorkflowExecutionStatus.CANCELED: "it was cancelled",
    WorkflowExecutionStatus.TERMINATED: "its workflow was terminated",
    WorkflowExecutionStatus.FAILED: "it failed",
    WorkflowExecutionStatus.TIMED_OUT: "its workflow timed out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A fleet that did not answer in time."""

    name: str
    workflow_id: str
    task_queue: str
    waited: timedelta
    host: str | None = None  # where a local fleet's ticks are served
    did: str = ""  # what had been done before
    asked: bool = False  # for a change, which the server may still hand to the fleet

    def __str__(self) -> str:
        """`fleet agents gave no answer within 10s`."""
        return f"fleet {self.name} {self.did}gave no answer within {words.span(self.waited.total_seconds())}"


class Diagnosis:
    """Looks around where a fleet should be."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def not_running(self, name: str, workflow_id: str, running: Sequence[str]) -> CommandFailed:
        """Why there is no running workflow: never started, ended, or misspelt."""
        where = f"in namespace {self._client.namespace}"
        ended = await self._ended(workflow_id)
        if ended is not None:
            return CommandFailed(
                Exit.NOT_FOUND, f"fleet {name} does not run {where}: {ended}", "Start it with: temporal-scaler apply -f"
            )
        close = difflib.get_close_matches(name, running, n=1)
        known = f"Did you mean {close[0]}?" if close else f"Running: {', '.join(sorted(running)) or 'none'}."
        return CommandFailed(Exit.NOT_FOUND, f"there is no fleet {name} {where}", known)

    async def refusal(self, name: str, workflow_id: str) -> CommandFailed:
        """Why a fleet that was just started ended at once."""
        ended = await self._ended(workflow_id) or "nothing is known of it"
        return CommandFailed(Exit.REFUSED, f"fleet {name} was refused: {ended.removeprefix('it failed: ')}")

    async def silent(self, silence: Silence) -> CommandFailed:
        """Why nobody answered: no controller, none on the fleet's host, or one that is busy or stuck."""
        later = " What was asked may still come into force." if silence.asked else ""
        queues = [silence.task_queue]
        if silence.host is not None:
            queues.append(f"{silence.task_queue}@{silence.host}")
        for queue in queues:
            if not await self.polled(queue):
                place = f" on host {silence.host}" if queue != silence.task_queue else ""
                run = "run --dry-run" if silence.task_queue == DRY_RUN_TASK_QUEUE else "run"
                return CommandFailed(
                    Exit.UNCONFIRMED,
                    f"{silence}: no controller polls {queue} in namespace {self._client.namespace}",
                    f"Start one{place} with: temporal-scaler {run}. The fleet's workers are as they were.{later}",
                )
        return CommandFailed(
            Exit.UNCONFIRMED,
            f"{silence}, although a controller polled {queues[-1]} a minute ago or less",
            f"If it still runs, see its log, and: temporal workflow show --workflow-id {silence.workflow_id}.{later}",
        )

    async def polled(self, queue: str) -> bool:
        """Whether anybody has asked for work lately; taken for granted where that can't be found out."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
        try:
            answer = await self._client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=5))
        except RPCError:
            return True
        oldest = datetime.now(UTC) - POLL_TIME
        return any(poller.last_access_time.ToDatetime(UTC) > oldest for poller in answer.pollers)

    async def _ended(self, workflow_id: str) -> str | None:
        """How and when its last run ended; None where there is none."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            found: WorkflowExecutionDescription = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        if found.status is None or found.status not in _ENDS:
            return None
        when = words.ago(found.close_time, datetime.now(UTC))
        return f"{_ENDS[found.status]}{await self._reason(found)} ({when})"

    async def _reason(self, found: WorkflowExecutionDescription) -> str:
        if found.status is not WorkflowExecutionStatus.FAILED:
            return ""
        handle: Any = self._client.get_workflow_handle(found.id, run_id=found.run_id)
        try:
            await handle.result(follow_runs=False)
        except WorkflowFailureError as error:
            cause = error.cause
            return f": {cause.message}" if isinstance(cause, ApplicationError) else f": {cause}"
        return ""
