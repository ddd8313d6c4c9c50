"""Replays a load of conversations against a task queue.

Open loop: a turn is sent when it arrives, however many are still unanswered, and its latency counts from its arrival.
A turn outlives the worker that was answering it and a lost connection; it fails by an error, or when patience ends.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from examples.agents.arrivals import Arrival
from examples.agents.conversation import Conversation
from examples.agents.draws import draws
from examples.agents.messages import Agent, Opening, Turn
from examples.agents.tally import Outcome, Tally

_PASSING: Final = frozenset(
    {
        RPCStatusCode.ABORTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.UNKNOWN,
    }
)
"""What a restarting or overloaded server says: the same turn is sent again."""

_LARGEST_CONTEXT_IN_MEANS: Final = 8.0
_SEND_AGAIN_AFTER_SECONDS: Final = 0.5
_HANG_UP_WITHIN_SECONDS: Final = 10.0
_HANG_UP_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Who is talked to, and where. Workflow ids begin with the name, which no other load on the server may have."""

    name: str
    seed: int
    agent: Agent
    task_queue: str = "agents"
    patience: timedelta = timedelta(seconds=120)
    context_spread: float = 0.0  # of the logarithm: a few conversations know much more than the rest, most a bit less

    def workflow_id(self, conversation: int) -> str:
        """The workflow that serves this conversation."""
        return f"{self.name}/{conversation}"

    def opening(self, conversation: int) -> Opening:
        """How this conversation begins."""
        spread = self.context_spread
        in_means = draws(self.seed, "context", conversation).lognormvariate(-spread * spread / 2, spread)
        context_bytes = round(self.agent.context_bytes * min(in_means, _LARGEST_CONTEXT_IN_MEANS))
        return Opening(agent=replace(self.agent, context_bytes=context_bytes), seed=f"{self.seed}/{conversation}")


class Replay:
    """One run of a load, counted in `tally` as it goes."""

    def __init__(self, client: Client, load: Load) -> None:
        self.load = load
        self._client = client
        self._open: dict[int, _Line] = {}
        self.tally = Tally()

    async def run(self, arrivals: Iterable[Arrival]) -> None:
        """Send every turn when it arrives; return when each is answered or has failed, at most patience later.

        Cancel it to stop early. Whichever way it ends, conversations still open are terminated, in ten seconds at most.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.TaskGroup() as turns:
                for arrival in arrivals:
                    await asyncio.sleep(began + arrival.at_seconds - clock())
                    self.tally.arrived += 1
                    turns.create_task(self._take(arrival, began + arrival.at_seconds))
        finally:
            await self._hang_up()

    async def _take(self, arrival: Arrival, arrived: float) -> None:
        line = self._open.setdefault(arrival.conversation, _Line(self._client, self.load, arrival.conversation))
        fault = None
        try:
            async with asyncio.timeout_at(arrived + self.load.patience.total_seconds()):
                await line.say(Turn(number=arrival.turn, last=arrival.last))
        except TimeoutError:
            fault = "no answer in time"
        except (RPCError, WorkflowAlreadyStartedError, WorkflowUpdateFailedError) as error:
            fault = f"{type(error).__name__}: {error}"
        else:
            if arrival.last:
                del self._open[arrival.conversation]
        latency = asyncio.get_running_loop().time() - arrived
        self.tally.outcomes.append(Outcome(at_seconds=arrival.at_seconds, latency_seconds=latency, fault=fault))

    async def _hang_up(self) -> None:
        lines = asyncio.Semaphore(_HANG_UP_AT_ONCE)

        async def end(line: _Line) -> None:
            async with lines:
                await line.hang_up()

        with suppress(TimeoutError):
            async with asyncio.timeout(_HANG_UP_WITHIN_SECONDS):
                await asyncio.gather(*map(end, self._open.values()))


class _Line:
    """A user's end of one conversation. Turns go out one by one, in order."""

    def __init__(self, client: Client, load: Load, conversation: int) -> None:
        self._client = client
        self._task_queue = load.task_queue
        self._workflow_id = load.workflow_id(conversation)
        self._opening = load.opening(conversation)
        self._speaking = asyncio.Lock()

    async def say(self, turn: Turn) -> None:
        """Send a turn and wait for its answer, again and again while the server can't take it."""
        async with self._speaking:
            while True:
                try:
                    await (self._begin(turn) if turn.number == 0 else self._go_on(turn))
                except WorkflowUpdateRPCTimeoutOrCancelledError:
                    _raise_if_cancelled()
                except RPCError as error:
                    if error.status not in _PASSING:
                        raise
                else:
                    return
                await asyncio.sleep(_SEND_AGAIN_AFTER_SECONDS)

    async def _begin(self, turn: Turn) -> None:
        start = WithStartWorkflowOperation(
            Conversation.run,
            self._opening,
            id=self._workflow_id,
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,  # this turn, sent once more
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
        started = asyncio.ensure_future(start.workflow_handle())
        try:
            await self._client.execute_update_with_start_workflow(
                Conversation.turn, turn, start_workflow_operation=start, id=_update_id(turn)
            )
        finally:  # a fault is raised here and kept there, and asyncio complains of one that nobody looks at
            started.cancel()
            await asyncio.gather(started, return_exceptions=True)

    async def _go_on(self, turn: Turn) -> None:
        conversation = self._client.get_workflow_handle_for(Conversation.run, self._workflow_id)
        await conversation.execute_update(Conversation.turn, turn, id=_update_id(turn))

    async def hang_up(self) -> None:
        """End the conversation, if it hasn't ended by itself."""
        with suppress(RPCError):
            await self._client.get_workflow_handle(self._workflow_id).terminate("the load has ended")


def _update_id(turn: Turn) -> str:
    """The server takes a turn that is sent twice for one."""
    return f"turn-{turn.number}"


def _raise_if_cancelled() -> None:
    """The SDK calls a cancelled wait timed out; only the task knows the difference."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
