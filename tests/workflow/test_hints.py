"""Hints at a real server: those of strangers cost nothing, and none that comes during a look is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from scaler.fleet import TargetKind
from tests.support.served_fleets import Served, controller_of
from tests.support.slow_target import Moment, SlowTarget


@pytest.fixture(scope="module")
async def slow(client: Client) -> AsyncIterator[SlowTarget]:
    target = SlowTarget()
    async with controller_of(client, {TargetKind.LOCAL: target}):
        yield target


@pytest.mark.usefixtures("slow")
async def test_a_strangers_hints_end_no_tick_and_leave_nothing(client: Client) -> None:
    fleet = await Served.start(client, "beside")
    await fleet.look()
    await asyncio.sleep(6)
    rested = await fleet.status()

    for number in range(20):
        await fleet.handle.execute_update("hint", {"worker": f"nobody-{number}", "slots_used": 8, "slots": 8})
    after = await fleet.status()

    assert rested is not None
    assert after is not None
    assert after.hints == ()
    assert after.ticks - rested.ticks <= 1


async def test_a_hint_during_a_look_is_kept_for_what_the_look_tells(client: Client, slow: SlowTarget) -> None:
    fleet = await Served.start(client, "looking")
    await fleet.look()
    name = slow.group("looking").names[0]
    hang = slow.hang("looking", Moment.BEFORE_RECORD)
    asked = asyncio.create_task(fleet.update("override", workers=3, for_="10m", reason="a test"))
    await asyncio.wait_for(hang.reached.wait(), 20)

    await fleet.handle.execute_update("hint", {"worker": name, "slots_used": 7, "slots": 8})
    hang.go_on.set()
    await asked
    state = await fleet.until(lambda state: state.observation is not None and len(state.observation.workers) == 3)

    assert [(hint.worker, hint.slots_used) for hint in state.hints] == [(name, 7)]
