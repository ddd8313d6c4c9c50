"""A controller whose own clock is minutes wrong serves as any other at a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from activities.server_time import ServerTime
from scaler.cli.controller import signal_source
from scaler.fleet import TargetKind
from scaler.model.common import Quality
from scaler.state import State
from tests.support.paper_target import PaperTarget
from tests.support.served_fleets import CALLS_PER_SECOND, Controller, Served, parts_of

WATCHED_SECONDS = 12.0


@asynccontextmanager
async def controller_behind(client: Client, behind: timedelta) -> AsyncIterator[None]:
    """A controller on a host whose clock shows another time."""
    clock = ServerTime(wall=lambda: datetime.now(UTC) - behind)
    parts = replace(
        parts_of(client, {TargetKind.LOCAL: PaperTarget()}),
        signals=signal_source({None: client}, CALLS_PER_SECOND, clock),
    )
    controller = Controller(parts)
    controller.begin()
    try:
        yield
    finally:
        await controller.stop()


@pytest.mark.parametrize("minutes", [-2, 2])
async def test_a_fleet_at_rest_rests_and_its_readings_are_fresh(client: Client, minutes: int) -> None:
    name = f"skewed-{minutes}".replace("--", "-behind-")
    async with controller_behind(client, timedelta(minutes=minutes)):
        fleet = await Served.start(client, name)
        began = await fleet.until(_all_fresh)
        await asyncio.sleep(WATCHED_SECONDS)
        later = await fleet.look()
        await fleet.until(_all_fresh)
        await fleet.update("stop")

    assert later.ticks - began.ticks <= 5
    assert later.observation is not None
    assert abs(later.observation.observed_at - datetime.now(UTC)) < timedelta(seconds=10)


def _all_fresh(state: State) -> bool:
    seen = state.observation
    return (
        seen is not None
        and bool(seen.queues)
        and all(queue.quality is Quality.FRESH for queue in seen.queues)
        and abs(min(queue.at for queue in seen.queues if queue.at is not None) - datetime.now(UTC))
        < timedelta(minutes=1)
    )
