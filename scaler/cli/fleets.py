"""Talks to the fleets of one controller: each is a workflow, reached by its public names and JSON.

Whatever keeps a fleet from answering comes out as `CommandFailed`, with the remedy.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import QueryRejectCondition, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.running_fleets import RUNNING_FLEETS
from scaler.cli.connection import connected
from scaler.cli.diagnosis import Diagnosis, Silence
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.options import Fleets
from scaler.cli.patience import QUERY_TIME, Answer, NoAnswer, patiently, until_answered
from scaler.cli.server_answers import namespace_missing
from scaler.model.decision import DecisionSummary
from scaler.state import State
from workflows.messages import DRY_RUN_TASK_QUEUE, TASK_QUEUE, WORKFLOW_TYPE

ANSWER_TIME = timedelta(seconds=10)
"""A controller answers within milliseconds; one that was just restarted first replays all its fleets."""

CONFIRM_TIME = timedelta(seconds=60)
"""The tick after an update confirms it, once the step that was under way is through."""

_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class RunningFleet:
    """A fleet as the list of workflows shows it."""

    name: str
    workflow_id: str
    started_at: datetime | None


@asynccontextmanager
async def fleet_workflows(fleets: Fleets, patience: timedelta | None = None) -> AsyncIterator["FleetWorkflows"]:
    """The workflows of all fleets that a command is about, for as long as the body runs.

    Args:
        fleets: Which ones, and how to reach them.
        patience: How long to wait for an answer where the command line does not say.

    """
    async with connected(fleets) as client:
        yield FleetWorkflows(client, dry_run=fleets.dry_run, patience=fleets.command_timeout or patience)


class FleetWorkflows:
    """The fleets of the controllers that poll one task queue.

    Args:
        client: Of their namespace.
        dry_run: Those of controllers in dry run.
        patience: How long to wait for an answer; None for what suits the question.

    """

    def __init__(self, client: Client, *, dry_run: bool, patience: timedelta | None) -> None:
        self._client = client
        self._diagnosis = Diagnosis(client)
        self._queue = DRY_RUN_TASK_QUEUE if dry_run else TASK_QUEUE
        self._patience = patience

    @property
    def namespace(self) -> str:
        """Where they run."""
        return self._client.namespace

    def workflow_id(self, name: str) -> str:
        """The id of a fleet's workflow."""
        return f"{self._queue}/{name}"

    async def running(self) -> AsyncIterator[RunningFleet]:
        """All that run; the list may be a moment late."""
        async for found in self._client.list_workflows(RUNNING_FLEETS):
            if found.id.startswith(f"{self._queue}/"):
                yield RunningFleet(found.id.removeprefix(f"{self._queue}/"), found.id, found.start_time)

    async def start(self, name: str, declared: Mapping[str, Any]) -> bool:
        """Start the fleet's workflow; False where it runs already."""
        try:
            await self._client.start_workflow(
                WORKFLOW_TYPE,
                dict(declared),
                id=self.workflow_id(name),
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def taken_in(self, name: str) -> State:
        """Wait for the verdict on a fleet that was just started; its refusal has every reason in it."""
        try:
            return await self._waited_for(self._checked(name), CONFIRM_TIME)
        except NoAnswer as silence:
            raise await self._silent(name, silence.waited, did="was started but ") from None
        except (WorkflowQueryRejectedError, RPCError) as error:
            if not _closed(error):
                raise
            raise await self._diagnosis.refusal(name, self.workflow_id(name)) from error

    async def _checked(self, name: str) -> State:
        """The state of a fleet once its declaration was checked."""
        pause_seconds = _FIRST_LOOK_SECONDS
        while (state := await self._query_status(name)) is None:
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_LOOK_SECONDS)
        return state

    async def status(self, name: str) -> State:
        """All that is known of a fleet."""
        state = await self._answered(name, self._query_status(name))
        if state is None:
            raise CommandFailed(
                Exit.UNCONFIRMED, f"fleet {name} was started and its declaration is not checked yet", "Ask again."
            )
        return state

    async def decisions(self, name: str) -> tuple[DecisionSummary, ...]:
        """The newest decisions that differ, oldest first."""
        answer: tuple[DecisionSummary, ...] = await self._answered(
            name, self._query(name, "decisions", tuple[DecisionSummary, ...])
        )
        return answer

    async def update(
        self, name: str, update: str, request: BaseModel | Mapping[str, Any], patience: timedelta = CONFIRM_TIME
    ) -> State:
        """Send an update and wait until it is confirmed."""
        if isinstance(request, BaseModel):
            request = request.model_dump(mode="json", by_alias=True, exclude_none=True)
        sent = self._handle(name).execute_update(update, dict(request), result_type=State)
        try:
            answer: State = await self._waited_for(sent, patience)
        except WorkflowUpdateFailedError as error:
            raise _refused(name, error) from error
        except ValidationError as error:
            raise _unreadable(name) from error
        except NoAnswer as silence:
            raise await self._silent(name, silence.waited, asked=True) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise await self._silent(name, self._patience or patience, asked=True) from None
        except RPCError as error:
            if not _closed(error):
                raise
            raise await self._not_running(name) from error
        else:
            return answer

    async def _waited_for(self, answer: Awaitable[Answer], patience: timedelta) -> Answer:
        return await patiently(answer, self._patience or patience, lambda: self._diagnosis.polled(self._queue))

    async def _answered(self, name: str, query: Awaitable[Answer]) -> Answer:
        try:
            return await self._waited_for(query, ANSWER_TIME)
        except NoAnswer as silence:
            raise await self._silent(name, silence.waited) from None
        except (WorkflowQueryRejectedError, RPCError) as error:
            if not _closed(error):
                raise
            raise await self._not_running(name) from error
        except ValidationError as error:
            raise _unreadable(name) from error
        except WorkflowQueryFailedError as error:
            raise CommandFailed(
                Exit.UNCONFIRMED,
                f"fleet {name} can't answer: {error}",
                f"Its history says more: temporal workflow show --workflow-id {self.workflow_id(name)}",
            ) from error

    async def _query_status(self, name: str) -> State | None:
        """What the fleet says of itself; None until its declaration was checked."""
        state: State | None = await self._query(name, "status", State | None)
        return state

    async def _query(self, name: str, query: str, result_type: Any) -> Any:
        handle = self._handle(name)
        return await until_answered(
            lambda: handle.query(
                query,
                result_type=result_type,
                reject_condition=QueryRejectCondition.NOT_OPEN,
                rpc_timeout=QUERY_TIME,
            )
        )

    def _handle(self, name: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(self.workflow_id(name))

    async def _not_running(self, name: str) -> CommandFailed:
        running = [fleet.name async for fleet in self.running()]
        return await self._diagnosis.not_running(name, self.workflow_id(name), running)

    async def _silent(self, name: str, waited: timedelta, *, did: str = "", asked: bool = False) -> CommandFailed:
        served = await self._diagnosis.polled(self._queue)
        silence = Silence(
            name=name,
            workflow_id=self.workflow_id(name),
            task_queue=self._queue,
            waited=waited,
            host=await self._host(name) if served else None,
            did=did,
            asked=asked,
        )
        return await self._diagnosis.silent(silence)

    async def _host(self, name: str) -> str | None:
        """Where a local fleet's ticks are served; None where nobody tells."""
        try:
            async with asyncio.timeout(2):
                state = await self._query_status(name)
        except (TimeoutError, RPCError, WorkflowQueryRejectedError, WorkflowQueryFailedError, ValidationError):
            return None
        return state.host if state is not None else None


def _closed(error: Exception) -> bool:
    """Whether there is no running workflow of that id."""
    if isinstance(error, RPCError):
        return error.status is RPCStatusCode.NOT_FOUND and not namespace_missing(error)
    return isinstance(error, WorkflowQueryRejectedError)


def _unreadable(name: str) -> CommandFailed:
    return CommandFailed(
        Exit.UNCONFIRMED,
        f"fleet {name} gave an answer that this version can't read",
        "Use the version that its controller runs; temporal-scaler version tells this one.",
    )


def _refused(name: str, error: WorkflowUpdateFailedError) -> CommandFailed:
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return CommandFailed(Exit.REFUSED, f"fleet {name} refused it: {cause}")
    if cause.type == "NotConfirmed":
        return CommandFailed(
            Exit.UNCONFIRMED, f"fleet {name}: {cause.message}", f"Watch it with: temporal-scaler status {name} --watch"
        )
    return CommandFailed(Exit.REFUSED, f"fleet {name} refused it: {cause.message}")
