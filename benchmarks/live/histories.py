"""What histories tell once a load is over: every wait of its tasks, and when the fleet was first decided about."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from activities.requests import RECONCILE
from activities.sources.history_events import sampled
from examples.demo.waits import runs

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One task and how long it waited for a worker; next to nothing where it was never queued."""

    at_seconds: float  # scheduled so long after the load began
    seconds: float


@dataclass(slots=True, kw_only=True)
class Waits:
    """All tasks that were done at their first attempt, by type, in the order in which they were scheduled."""

    workflow_tasks: list[Wait] = field(default_factory=list)
    activities: list[Wait] = field(default_factory=list)


async def read_waits(client: Client, workflow_ids: Iterable[str], began_at: datetime) -> Waits:
    """Read the histories of these workflows; one that was never started has none."""
    waits, room = Waits(), asyncio.Semaphore(_AT_ONCE)

    async def read(workflow_id: str) -> None:
        async with room:
            for history in await runs(client, workflow_id):
                _add(history, began_at, waits)

    await asyncio.gather(*map(read, workflow_ids))
    for tasks in (waits.workflow_tasks, waits.activities):
        tasks.sort(key=lambda wait: wait.at_seconds)
    return waits


def first_decision(fleet: Iterable[WorkflowHistory]) -> datetime | None:
    """When the first observation of a fleet came in, on which the first decision was made at once."""
    return min((at for run in fleet for at in _observed(run)), default=None)


def _observed(run: WorkflowHistory) -> Iterable[datetime]:
    ticks = {
        event.event_id
        for event in run.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == RECONCILE
    }
    for event in run.events:
        completed = event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        if completed and event.activity_task_completed_event_attributes.scheduled_event_id in ticks:
            yield event.event_time.ToDatetime(UTC)


def _add(history: WorkflowHistory, began_at: datetime, waits: Waits) -> None:
    run = sampled(history.events)
    waits.workflow_tasks += [
        Wait(at_seconds=(task.scheduled_at - began_at).total_seconds(), seconds=task.waited_seconds)
        for task in run.workflow_tasks
    ]
    waits.activities += [
        Wait(at_seconds=(task.scheduled_at - began_at).total_seconds(), seconds=task.waited_seconds or 0.0)
        for task in run.activities
    ]
