"""Reads what a fleet's own workflow once saw and planned from its history: of the server, or as a JSON file."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from activities.requests import RECONCILE, Reconcile
from scaler.cli.exits import CommandFailed, Exit
from scaler.model.observation import Observation
from scaler.model.remembered import Remembered
from scaler.simulation.backtest import Tick, memory_of
from scaler.state import State
from workflows.payloads import DATA_CONVERTER

MOST_RUNS: Final = 200
"""A run is about an hour; older ones are usually beyond the namespace's retention."""


@dataclass(slots=True)
class Recorded:
    """Ticks in the order of their time, and what was remembered before the first."""

    ticks: list[Tick] = field(default_factory=list)
    memory: Remembered | None = None


def read_history_file(path: Path) -> Recorded:
    """One run, as `temporal workflow show --output json` writes it."""
    try:
        history = WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandFailed(Exit.REFUSED, f"{path} can't be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 (JSON, protobuf and base64 each have errors of their own)
        remedy = "Write one with temporal workflow show --output json."
        raise CommandFailed(Exit.REFUSED, f"{path} is no workflow history: {error}"[:300], remedy) from None
    return recorded([list(history.events)])


async def fetch_history(client: Client, workflow_id: str) -> Recorded:
    """All runs of a fleet's workflow that the server still has."""
    runs = [events async for events in _runs_backwards(client, workflow_id)]
    return recorded(list(reversed(runs)))


def recorded(runs: list[list[HistoryEvent]]) -> Recorded:
    """The ticks of several runs, the earliest first."""
    found = Recorded()
    for number, events in enumerate(runs):
        state = _state(events[0]) if events else None
        if number == 0 and state is not None:
            found.memory = memory_of(state)
        found.ticks += _ticks(events, state.observation if state is not None else None)
    return found


async def _runs_backwards(client: Client, workflow_id: str) -> AsyncIterator[list[HistoryEvent]]:
    run_id: str | None = None
    for _ in range(MOST_RUNS):
        try:
            history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if run_id is None:
                raise CommandFailed(Exit.NOT_FOUND, f"there is no workflow {workflow_id}") from None
            return  # beyond retention
        yield list(history.events)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return


def _ticks(events: list[HistoryEvent], seen: Observation | None) -> Iterator[Tick]:
    """Each observation with the plan that was made on it: the next request."""
    scheduled: set[int] = set()
    now = datetime.fromtimestamp(0, UTC)
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
            now = event.event_time.ToDatetime(tzinfo=UTC)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            attributes = event.activity_task_scheduled_event_attributes
            if attributes.activity_type.name == RECONCILE:
                scheduled.add(event.event_id)
                request: Reconcile = _read(attributes.input.payloads[0], Reconcile)
                if seen is not None:
                    yield Tick(at=now, fleet=request.fleet, seen=seen, plan=request.plan)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            if done.scheduled_event_id in scheduled:
                seen = _read(done.result.payloads[0], Observation)


def _state(started: HistoryEvent) -> State | None:
    """What the run before handed over; none where there was none."""
    attributes = started.workflow_execution_started_event_attributes
    payloads = attributes.input.payloads
    if not attributes.continued_execution_run_id or len(payloads) != 2:  # noqa: PLR2004 (fleet and state)
        return None
    state: State = _read(payloads[1], State)
    return state


def _read(payload: Payload, kind: type[Any]) -> Any:
    try:
        return DATA_CONVERTER.payload_converter.from_payload(payload, kind)
    except Exception as error:  # noqa: BLE001 (whatever a stranger's payload does to pydantic or JSON)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CommandFailed(
            Exit.REFUSED,
            f"the history holds no {kind.__name__} that can be read: {lines[0]}",
            "It must be of a ScaleFleet workflow, and not encrypted.",
        ) from None
