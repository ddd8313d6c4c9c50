"""A fleet can always be stopped or cancelled, also where its target is another's, not allowed, or silent."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, CancelledError

from activities.targets.contract import StepTaken, TargetUnreachable
from scaler.fleet import Fleet, TargetKind
from scaler.model.common import Generation, Owner, Size
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from tests.support.paper_target import PaperTarget
from tests.support.served_fleets import Served, controller_of

OTHER = Owner("default", "worker-scaler/another")
SOON_SECONDS = 20.0
SILENT_SECONDS = 90.0


class RefusingTarget(PaperTarget):
    """On paper; some fleets may not be touched, some can't be reached."""

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        if fleet.name.startswith("silent"):
            raise TargetUnreachable("nobody answers there")
        if fleet.name.startswith("forbidden"):
            applied = Applied(generation=stamp.generation, outcome=StepOutcome.NOT_ALLOWED, detail="it is not listed")
            return StepTaken(found=None, applied=applied)
        return await super().step(fleet, plan, stamp)


@pytest.fixture(scope="module")
async def refusing(client: Client) -> AsyncIterator[RefusingTarget]:
    target = RefusingTarget()
    async with controller_of(client, {TargetKind.LOCAL: target}):
        yield target


async def blocked(client: Client, target: RefusingTarget, name: str) -> Served:
    """A fleet that has seen that it can't do anything."""
    if name.startswith("taken"):
        target.group(name).record = TargetRecord(owner=OTHER, generation=Generation(1.0, 1), intended=Size(3))
        target.group(name).desired = 3
    return await Served.start(client, name)


@pytest.mark.parametrize("why", ["taken", "forbidden"])
async def test_a_blocked_fleet_is_stopped_at_once_and_touches_nothing(
    client: Client, refusing: RefusingTarget, why: str
) -> None:
    fleet = await blocked(client, refusing, f"{why}-stopped")
    record = refusing.group(f"{why}-stopped").record

    async with asyncio.timeout(SOON_SECONDS):
        await fleet.update("stop")
        await fleet.handle.result()

    assert refusing.group(f"{why}-stopped").record == record


async def test_what_could_not_be_emptied_is_not_said_to_be_empty(client: Client, refusing: RefusingTarget) -> None:
    fleet = await blocked(client, refusing, "taken-drained")

    async with asyncio.timeout(SOON_SECONDS):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await fleet.update("stop", drain=True)
        await fleet.handle.result()

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "NotConfirmed"
    assert "it was given up, but its workers could not be taken away" in str(refused.value.cause)


@pytest.mark.parametrize("why", ["taken", "forbidden"])
async def test_a_blocked_fleet_can_be_cancelled(client: Client, refusing: RefusingTarget, why: str) -> None:
    fleet = await blocked(client, refusing, f"{why}-cancelled")

    await fleet.handle.cancel()
    async with asyncio.timeout(SOON_SECONDS):
        with pytest.raises(WorkflowFailureError) as ended:
            await fleet.handle.result()

    assert isinstance(ended.value.cause, CancelledError)


async def test_a_fleet_whose_target_never_answers_is_given_up_after_a_while(
    client: Client, refusing: RefusingTarget
) -> None:
    stopped, cancelled = [await blocked(client, refusing, f"silent-{name}") for name in ("stopped", "cancelled")]

    await cancelled.handle.cancel()
    async with asyncio.timeout(SILENT_SECONDS):
        await stopped.update("stop")
        await stopped.handle.result()
        with pytest.raises(WorkflowFailureError):
            await cancelled.handle.result()

    assert await stopped.faults() == []


async def test_an_update_that_meets_the_end_is_not_said_to_be_carried_out(
    client: Client, refusing: RefusingTarget
) -> None:
    fleet = await blocked(client, refusing, "silent-asked")

    stop = asyncio.create_task(fleet.update("stop"))
    await fleet.until(lambda state: (stop := state.memory.operator.stop) is not None and stop.unanswered > 2)
    late = asyncio.create_task(fleet.update("override", workers=3, for_="10m", reason="too late"))
    await stop
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await late

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type in ("NotConfirmed", "FleetStopped")


async def test_a_paused_fleet_is_not_asked_to_drain(client: Client, refusing: RefusingTarget) -> None:
    fleet = await Served.start(client, "resting")
    await fleet.update("pause", reason="a long look")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await fleet.update("stop", drain=True)
    state = await fleet.status()
    await fleet.update("stop")
    await fleet.handle.result()

    assert "resume it" in str(refused.value.cause)
    assert state is not None
    assert state.memory.operator.stop is None
    assert refusing.group("resting").names == ["w-1"]
