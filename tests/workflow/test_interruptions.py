"""Whatever comes between a plan and its echo, the target ends where the newest decision wants it."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from scaler.fleet import TargetKind
from scaler.rules.hold_after_cut import HOLD_WINDOW
from tests.support.paper_target import LIMIT_BYTES, Group
from tests.support.served_fleets import LONGEST_SECONDS, Served, controller_of
from tests.support.slow_target import Hang, Moment, SlowTarget

FULL_BYTES = int(0.97 * LIMIT_BYTES)
CALM_BYTES = LIMIT_BYTES // 4


@pytest.fixture(scope="module")
def slow() -> SlowTarget:
    return SlowTarget()


@pytest.fixture(scope="module")
async def served(client: Client, slow: SlowTarget) -> AsyncIterator[Client]:
    async with controller_of(client, {TargetKind.LOCAL: slow}):
        yield client
        for hang in slow.hangs.values():
            hang.go_on.set()


async def comes_to(fleet: Served, group: Group, workers: int) -> None:
    """Wait until the target has so many workers, and see that a further look changes nothing."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while group.desired != workers:
            await fleet.look()
    await fleet.look()
    assert (group.desired, len(group.names)) == (workers, workers)
    assert await fleet.faults() == []


async def overridden(fleet: Served, workers: int) -> None:
    """Ask for a size, and let nobody wait for the answer."""
    await fleet.update("override", workers=workers, for_="10m", reason="a test")


async def reached(hang: Hang) -> None:
    async with asyncio.timeout(LONGEST_SECONDS):
        await hang.reached.wait()


@pytest.mark.parametrize("moment", Moment)
async def test_an_update_while_a_slow_target_applies_wins_and_the_late_orphan_loses(
    served: Client, slow: SlowTarget, moment: Moment
) -> None:
    name = f"slow-{moment.name.lower().replace('_', '-')}"
    fleet, group = await Served.start(served, name), slow.group(name)
    await comes_to(fleet, group, 1)
    hang = slow.hang(name, moment)

    first = asyncio.create_task(overridden(fleet, 3))
    await reached(hang)
    await overridden(fleet, 5)
    await first
    await comes_to(fleet, group, 5)
    newest = group.record
    hang.go_on.set()
    await hang.over.wait()

    assert group.record == newest
    await comes_to(fleet, group, 5)


@pytest.mark.parametrize("moment", Moment)
async def test_a_controller_that_dies_within_a_step_leaves_nothing_half_done(
    served: Client, slow: SlowTarget, moment: Moment
) -> None:
    """Between the record and the act too: whoever comes next reads what was intended."""
    name = f"dies-{moment.name.lower().replace('_', '-')}"
    fleet, group = await Served.start(served, name), slow.group(name)
    await comes_to(fleet, group, 1)
    hang = slow.hang(name, moment, dies=True)

    first = asyncio.create_task(overridden(fleet, 4))
    await reached(hang)
    await fleet.update("pause", reason="the controller is gone")
    held = group.desired
    await fleet.update("resume")
    await first
    await comes_to(fleet, group, 4)

    assert held in (1, 4)
    assert group.started == 4, "nothing is scaled twice"
    hang.go_on.set()
    await hang.over.wait()
    await comes_to(fleet, group, 4)


async def test_updates_at_any_moment_of_a_tick_end_with_the_newest(served: Client, slow: SlowTarget) -> None:
    chance = random.Random(7)

    async def storm(number: int) -> None:
        name = f"any-moment-{number}"
        fleet, group = await Served.start(served, name), slow.group(name)
        wanted = 1
        for _ in range(12):
            wanted = chance.randint(1, 8)
            update = asyncio.create_task(overridden(fleet, wanted))
            await asyncio.sleep(chance.choice((0.0, 0.005, 0.02, 0.05, 0.15)))
            if chance.random() < 0.5:
                await update
            else:
                await fleet.handle.execute_update("hint", {"worker": "w-1"})
                await update
        await comes_to(fleet, group, wanted)

    await asyncio.gather(*(storm(number) for number in range(4)))


async def test_many_updates_at_once_are_all_answered(served: Client, slow: SlowTarget) -> None:
    fleet, group = await Served.start(served, "crowd"), slow.group("crowd")

    await asyncio.gather(*(overridden(fleet, 3) for _ in range(8)), fleet.update("resume"))

    await comes_to(fleet, group, 3)


async def reset(client: Client, fleet: Served, completed_task: int) -> None:
    """`temporal workflow reset` to the end of one of its workflow tasks; the last counts from the end."""
    events = await fleet.events()
    tasks = [event.event_id for event in events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=fleet.handle.id),
            reason="a test",
            workflow_task_finish_event_id=tasks[completed_task],
            request_id=uuid4().hex,
        )
    )


@pytest.mark.parametrize("point", [0, 1, 3, -3], ids=lambda point: f"workflow task {point}")
async def test_a_reset_workflow_is_not_locked_out_of_its_target(served: Client, slow: SlowTarget, point: int) -> None:
    name = f"reset-{point}".replace("--", "-z")
    fleet, group = await Served.start(served, name), slow.group(name)
    for workers in (3, 6, 2, 4):
        await overridden(fleet, workers)
        await fleet.look()
    await comes_to(fleet, group, 4)
    ahead = group.record

    await reset(served, fleet, point)
    await overridden(fleet, 5)
    await comes_to(fleet, group, 5)

    assert ahead is not None
    assert group.record is not None
    assert group.record.generation > ahead.generation


async def test_a_cache_cuts_hold_outlives_a_reset_to_before_it(served: Client, slow: SlowTarget) -> None:
    """The record on the target has it, so even a workflow that never heard of the cut respects it."""
    fleet, group = await Served.start(served, "cut"), slow.group("cut")
    await overridden(fleet, 3)
    await comes_to(fleet, group, 3)
    async with asyncio.timeout(LONGEST_SECONDS):
        while (cache := group.cache) is None:  # the first one is set a tick or two after the workers
            await fleet.look()
    group.memory_bytes = FULL_BYTES
    async with asyncio.timeout(LONGEST_SECONDS):
        while group.cache == cache:
            await fleet.look()
    group.memory_bytes = CALM_BYTES

    await reset(served, fleet, 1)
    await fleet.update("override", workers=1, **{"for": "10m"}, reason="too few")
    for _ in range(3):
        state = await fleet.look()

    assert group.record is not None
    assert group.record.cut is not None
    assert state.decision is not None
    assert state.decision.at - group.record.cut.at < HOLD_WINDOW
    assert group.desired == 3
