"""A controller that leaves hands its fleets over: no decision waits for its cache, and no lost tick is missed long."""

import asyncio

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from scaler.fleet import TargetKind
from tests.support.paper_target import PaperTarget
from tests.support.served_fleets import Controller, Served, parts_of
from workflows.scale_fleet import DEAD_CONTROLLER

FLEETS = 12
SECONDS = 15.0


async def test_the_next_controller_serves_within_seconds(client: Client) -> None:
    controller = Controller(parts_of(client, {TargetKind.LOCAL: PaperTarget()}))
    controller.begin()
    fleets = await asyncio.gather(*(Served.start(client, f"handed-{number}") for number in range(FLEETS)))
    for fleet in fleets:
        await fleet.look()
    await asyncio.sleep(1)  # a tick that was planned a moment ago may not be served by anybody yet
    await controller.stop()
    left = [len(await fleet.events()) for fleet in fleets]
    controller.begin()
    states = await asyncio.gather(*(fleet.status() for fleet in fleets))
    ticks = [state.ticks for state in states if state is not None]
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(
            *(
                fleet.until(lambda state, before=before: state.ticks > before)  # type: ignore[misc]
                for fleet, before in zip(fleets, ticks, strict=True)
            )
        )
    histories = [await fleet.events() for fleet in fleets]
    await controller.stop()

    timed_out = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
    assert [event for events in histories for event in events if event.event_type == timed_out] == []
    for events, before in zip(histories, left, strict=True):
        last = [each for each in events[:before] if each.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED][-1]
        timeout = last.activity_task_scheduled_event_attributes.start_to_close_timeout.ToTimedelta()
        assert timeout == DEAD_CONTROLLER, "what a leaving controller told is decided there, and a short look follows"
