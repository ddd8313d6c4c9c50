"""What a fleet costs while nothing happens: events and billed Actions, counted in real histories."""

from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from devserver import Server
from tests.support.scripted_world import Scene, ScriptedWorld, on_paper, world_of
from tests.support.served_fleets import Served, connected
from workflows.scale_fleet import TICKS_PER_RUN

MOST_EVENTS_PER_TICK = 7.0
MOST_ACTIONS_PER_TICK = 1.2

STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
CONTINUED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
TICK = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
BILLED = {
    STARTED,  # a continued run's start is the continue-as-new, billed once
    TICK,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    EventType.EVENT_TYPE_MARKER_RECORDED,
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED,
}
"""What https://docs.temporal.io/cloud/actions counts, as the history shows it. Upserted memos are not in it."""


@pytest.fixture(scope="module")
async def world(temporal_server: Server, namespace: str) -> AsyncIterator[ScriptedWorld]:
    world = ScriptedWorld()
    async with world_of(await connected(temporal_server.address, namespace), world):
        yield world


def actions(events: list[HistoryEvent]) -> int:
    """Billed Actions; each retry of an activity is one too."""
    retries = sum(
        event.activity_task_started_event_attributes.attempt - 1
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    )
    return sum(event.event_type in BILLED for event in events) + retries


async def whole_runs(client: Client, name: str, count: int) -> list[list[HistoryEvent]]:
    """The histories of a fleet's first runs, once so many are over."""
    fleet = await Served.start(client, name, target=on_paper(name))
    runs: list[list[HistoryEvent]] = []
    run_id: str | None = await first_run(fleet)
    while run_id is not None and len(runs) < count:
        handle = client.get_workflow_handle(fleet.handle.id, run_id=run_id)
        events = [event async for event in handle.fetch_history_events(wait_new_event=True)]
        runs.append(events)
        run_id = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id or None
    await fleet.handle.terminate()
    return runs


async def first_run(fleet: Served) -> str:
    events = await fleet.events()
    run_id: str = events[0].workflow_execution_started_event_attributes.first_execution_run_id
    return run_id


@pytest.mark.usefixtures("world")
async def test_a_quiet_tick_costs_at_most_seven_events_and_a_fifth_more_than_one_action(client: Client) -> None:
    """Over a whole continued run, its start and its continue-as-new included."""
    runs = await whole_runs(client, "quiet", 2)
    events = runs[1]
    ticks = sum(event.event_type == TICK for event in events)

    assert [run[-1].event_type for run in runs] == [CONTINUED] * 2
    assert ticks == TICKS_PER_RUN
    assert len(events) / ticks <= MOST_EVENTS_PER_TICK
    assert actions(events) / ticks <= MOST_ACTIONS_PER_TICK


async def test_the_shape_of_a_tick_is_the_same_whatever_is_decided(client: Client, world: ScriptedWorld) -> None:
    """A changed decision replays old histories for this reason alone."""
    world.scripts["restless"] = lambda tick: Scene(
        backlog_tasks=50 * (tick % 3), arrivals_per_second=10.0 * (tick % 2), busy_slots=tick, memory_bytes=2**20 * tick
    )
    (run,) = await whole_runs(client, "restless", 1)
    cycle = Counter[tuple[int, ...]]()
    ticks = [index for index, event in enumerate(run) if event.event_type == TICK]
    for start, end in pairwise(ticks[1:]):
        cycle[tuple(event.event_type for event in run[start:end])] += 1

    assert len(cycle) == 1, cycle
    assert sum(map(len, cycle)) == 6
