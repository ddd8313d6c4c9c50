"""Real controller processes that are killed at any moment: on restart the fleet goes on where it was."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from scaler.state import State
from tests.support.command_line import ended
from tests.support.controller import Site, controller
from tests.support.local_fleet import alive
from tests.support.served_fleets import Served
from workflows.messages import TASK_QUEUE

KILLS = 4
LONGEST_SECONDS = 60.0


@pytest.fixture
async def site(tmp_path_factory: pytest.TempPathFactory, client: Client) -> AsyncIterator[Site]:
    made = Site.made(tmp_path_factory.mktemp("site"), client)
    try:
        yield made
    finally:
        await made.end()


async def test_a_controller_killed_at_any_moment_goes_on_and_scales_nothing_twice(client: Client, site: Site) -> None:
    """Each asks for one worker more and is killed soon after; only the last may live."""
    chance = random.Random(11)
    async with controller(site):
        await site.run("apply", "-f", site.fleet_file("alpha", workers={"min": 2, "max": 2 + KILLS}))
        first = await site.pids_once("alpha", 2)
        fleet = Served(client.get_workflow_handle(f"{TASK_QUEUE}/alpha"))
    asked: list[asyncio.Task[State]] = []

    for number in range(KILLS):
        workers = 3 + number
        async with controller(site) as process:
            asked.append(asyncio.create_task(_override(fleet, workers)))
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            await ended(process, signal.SIGKILL)
        assert all(map(alive, first)), "the workers serve on"
    async with controller(site):
        await asyncio.gather(*asked)
        pids = await site.pids_once("alpha", 2 + KILLS)
        started = await _started(site)
        await site.run("stop", "alpha", "--drain")

    assert set(first) <= set(pids)
    assert started == 2 + KILLS
    assert not any(map(alive, pids))


async def _override(fleet: Served, workers: int) -> State:
    """Ask, and ask again where nobody was there to answer."""
    async with asyncio.timeout(LONGEST_SECONDS):
        try:
            asked = {"workers": workers, "for": "10m", "reason": "a test"}
            state: State = await fleet.handle.execute_update("override", asked, result_type=State)
        except WorkflowUpdateFailedError as error:
            raise AssertionError(str(error.cause)) from error
    return state


async def _started(site: Site) -> int:
    """How many workers the group ever had: each has a directory-wide number of its own in its name."""
    look = (await site.group("alpha").answer()).look
    return max(int(worker.seen.name.rpartition("-")[2]) for worker in look.workers)
