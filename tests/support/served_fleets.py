"""A real controller in the test's own event loop, and a hand on the fleets that it serves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue

from activities.targets.contract import Target
from scaler.cli.controller import Parts, serve, signal_source
from scaler.fleet import TargetKind
from scaler.model.decision import DecisionSummary
from scaler.state import State
from workflows.messages import TASK_QUEUE, WORKFLOW_TYPE
from workflows.payloads import DATA_CONVERTER

CALLS_PER_SECOND = 200.0
LONGEST_SECONDS = 60.0
"""More than a tick that is lost on its way costs: a server under load hands a task out and loses it (seen on 1.32)."""

HAND_OVER = "HandOver"


def declared(name: str, **changes: Any) -> dict[str, Any]:
    """A fleet of one to eight workers as its user writes it; its queue has its name."""
    plain: dict[str, Any] = {
        "name": name,
        "target": {"kind": "local", "name": name},
        "task_queues": [{"name": name}],
        "workers": {"min": 1, "max": 8},
        "cache": {"max": 400},
    }
    return plain | changes


def payload(data: bytes, encoding: bytes = b"json/plain") -> RawValue:
    """Bytes that go over the wire as they are."""
    return RawValue(Payload(metadata={"encoding": encoding}, data=data))


class NotSoon(AssertionError):  # noqa: N818 (it names what happened)
    """Something that a test waited for did not come to be."""


def _decided_after(state: State, moment: datetime) -> bool:
    """Whether the newest decision is on what was seen after a moment."""
    seen, decision = state.observation, state.decision
    return seen is not None and decision is not None and moment < seen.observed_at < decision.at


@dataclass(frozen=True)
class Served:
    """One fleet's workflow, spoken to as any client would."""

    handle: WorkflowHandle[Any, Any]

    @classmethod
    async def start(cls, client: Client, name: str, **changes: Any) -> "Served":
        """Start the fleet's workflow and wait until it has seen its target."""
        served = await cls.start_with(client, name, declared(name, **changes))
        await served.until(lambda state: state.observation is not None)
        return served

    @classmethod
    async def start_with(cls, client: Client, name: str, *payloads: Any) -> "Served":
        """Start it with any input whatever."""
        handle: WorkflowHandle[Any, Any] = await client.start_workflow(
            WORKFLOW_TYPE, args=payloads, id=f"{TASK_QUEUE}/{name}", task_queue=TASK_QUEUE
        )
        return cls(client.get_workflow_handle(handle.id))

    @classmethod
    async def continued(cls, client: Client, name: str, fleet: Any, state: Any) -> "Served":
        """A loop that goes on with a state from elsewhere; needs a worker of `tests.support.variants.HandOver`."""
        first: WorkflowHandle[Any, Any] = await client.start_workflow(
            HAND_OVER, args=[fleet, state], id=f"{TASK_QUEUE}/{name}", task_queue=TASK_QUEUE
        )
        async for event in first.fetch_history_events(wait_new_event=True):
            assert event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
        return cls(client.get_workflow_handle(first.id))

    async def status(self, *payloads: Any) -> State | None:
        """What the fleet knows; None until its declaration was checked."""
        state: State | None = await self.handle.query("status", args=payloads, result_type=State | None)  # type: ignore[arg-type]
        return state

    async def decisions(self, *payloads: Any) -> tuple[DecisionSummary, ...]:
        """Its decision log."""
        log: tuple[DecisionSummary, ...] = await self.handle.query(
            "decisions", args=payloads, result_type=tuple[DecisionSummary, ...]
        )
        return log

    async def update(self, name: str, *payloads: Any, **asked: Any) -> State:
        """Ask and wait for the answer; `asked` makes one JSON object."""
        arguments = [*payloads, {key.rstrip("_"): value for key, value in asked.items()}] if asked else payloads
        async with asyncio.timeout(LONGEST_SECONDS):
            state: State = await self.handle.execute_update(name, args=arguments, result_type=State)
        return state

    async def until(self, holds: Callable[[State], bool], seconds: float = LONGEST_SECONDS) -> State:
        """Look until something is so."""
        state: State | None = None
        try:
            async with asyncio.timeout(seconds):
                while (state := await self.status()) is None or not holds(state):  # noqa: ASYNC110 (it is elsewhere)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            known = None if state is None else (state.ticks, state.plan, state.decisions[-3:])
            raise NotSoon(f"it did not come to be; the newest plan and decisions: {known}") from None
        return state

    async def look(self) -> State:
        """Have it look now, by a hint that tells nothing, and tell what it saw and decided."""
        asked = datetime.now(UTC)
        async with asyncio.timeout(LONGEST_SECONDS):
            while True:
                # A look that was under way already is left to its end by the hint.
                await self._look_again()
                with suppress(NotSoon):
                    return await self.until(lambda state: _decided_after(state, asked), seconds=1.0)

    async def _look_again(self) -> None:
        """A hint of one of its workers; where it has none a `resume` does as well."""
        state = await self.status()
        seen = state.observation if state is not None else None
        if seen is not None and seen.workers:
            await self.handle.execute_update("hint", {"worker": seen.workers[0].name})
        else:
            await self.handle.execute_update("resume")

    async def events(self) -> list[HistoryEvent]:
        """The history of the newest run."""
        return [event async for event in self.handle.fetch_history_events()]

    async def faults(self) -> list[HistoryEvent]:
        """Workflow tasks that failed of themselves: the loop would be stuck in one for ever. A reset fails one too."""
        reset = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
        return [
            event
            for event in await self.events()
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
            and event.workflow_task_failed_event_attributes.cause != reset
        ]


@dataclass
class Controller:
    """A controller that serves here; `stop` has it leave as SIGTERM would."""

    parts: Parts
    _leave: asyncio.Event = field(default_factory=asyncio.Event)
    _serving: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Serve until told to leave."""
        self._leave.clear()
        self._serving = asyncio.create_task(serve(self.parts, self._leave))

    async def stop(self) -> None:
        """Leave, and wait until that is so."""
        self._leave.set()
        if self._serving is not None:
            await self._serving
        self._serving = None


def parts_of(client: Client, targets: Mapping[TargetKind, Target]) -> Parts:
    """What production wires, around targets of the test's choice."""
    return Parts(
        client=client,
        task_queue=TASK_QUEUE,
        targets=targets,
        signals=signal_source({None: client}, CALLS_PER_SECOND),
    )


async def connected(address: str, namespace: str) -> Client:
    """A client that speaks as the controller does."""
    return await Client.connect(address, namespace=namespace, data_converter=DATA_CONVERTER)


@asynccontextmanager
async def controller_of(client: Client, targets: Mapping[TargetKind, Target]) -> AsyncIterator[Controller]:
    """A controller that serves while the body runs."""
    controller = Controller(parts_of(client, targets))
    controller.begin()
    try:
        yield controller
    finally:
        await controller.stop()
