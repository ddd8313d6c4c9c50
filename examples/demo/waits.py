"""How long tasks waited, from the histories of the load's own conversations: every task, none sampled."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from activities.sources.history_events import RunSample, sampled
from examples.demo.recording import Recording, Wait

_AT_ONCE = 8


async def read_waits(client: Client, workflow_ids: Iterable[str], began: datetime, recording: Recording) -> None:
    """Add the waits of these workflows' tasks to the recording; times count from `began`."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def read(workflow_id: str) -> None:
        async with room:
            for run in await runs(client, workflow_id):
                _add(sampled(run.events), began, recording)

    await asyncio.gather(*map(read, workflow_ids))
    recording.activity_waits.sort(key=lambda wait: wait.at_seconds)
    recording.workflow_task_waits.sort(key=lambda wait: wait.at_seconds)


def _add(run: RunSample, began: datetime, recording: Recording) -> None:
    recording.activity_waits += [
        Wait(at_seconds=(task.scheduled_at - began).total_seconds(), seconds=task.waited_seconds)
        for task in run.activities
        if task.waited_seconds is not None  # else it was never queued
    ]
    recording.workflow_task_waits += [
        Wait(
            at_seconds=(task.scheduled_at - began).total_seconds(),
            seconds=task.waited_seconds,
            replayed=task.replayed_events > 0,
        )
        for task in run.workflow_tasks
    ]


async def runs(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """The histories of all runs of a workflow, newest first; none where there is no such workflow."""
    found: list[WorkflowHistory] = []
    run_id: str | None = None
    while run_id is not None or not found:
        try:
            found.append(await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history())
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                break
            raise
        started = found[-1].events[0].workflow_execution_started_event_attributes
        run_id = started.continued_execution_run_id or None
        if run_id is None:
            break
    return found
