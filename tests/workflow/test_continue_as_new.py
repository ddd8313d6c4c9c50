"""A fleet's loop starts a new run every hundred ticks, and nobody can tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities.requests import FLEET_MEMO, FleetMemo
from scaler.cli.recorded_history import fetch_history
from scaler.model.plan import Plan
from scaler.simulation.backtest import backtested
from scaler.state import DECISIONS_KEPT, State
from tests.support.paper_target import Group
from tests.support.scripted_world import Scene, ScriptedWorld, on_paper, world_of
from tests.support.served_fleets import Served, declared
from workflows.scale_fleet import PATIENT_TICKS, TICKS_PER_RUN

BUSY = Scene(arrivals_per_second=4.0, busy_slots=12)
INTO_THE_NEXT_RUN = TICKS_PER_RUN + 10


@pytest.fixture(scope="module")
async def world(client: Client) -> AsyncIterator[ScriptedWorld]:
    world = ScriptedWorld()
    async with world_of(client, world):
        yield world


@asynccontextmanager
async def started(client: Client, name: str, **changes: Any) -> AsyncIterator[Served]:
    """A fleet whose ticks follow each other at once; ended with the body, or it would do so for ever."""
    fleet = await Served.start(client, name, target=on_paper(name), **changes)
    try:
        yield fleet
    finally:
        await fleet.handle.terminate()


async def in_the_next_run(fleet: Served) -> State:
    """Once it has continued as new."""
    state = await fleet.until(lambda state: state.ticks >= INTO_THE_NEXT_RUN, seconds=90)
    (first, *_) = await fleet.events()
    started = first.workflow_execution_started_event_attributes
    assert started.first_execution_run_id != started.original_execution_run_id
    return state


async def test_what_was_asked_and_learned_outlives_its_run(client: Client, world: ScriptedWorld) -> None:
    world.scripts["lasting"] = world.scripts["resting"] = lambda _: BUSY
    async with started(client, "lasting") as working, started(client, "resting") as resting:
        override = (await working.update("override", workers=5, for_="1h", reason="a sale")).memory.operator.override
        pause = (await resting.update("pause", reason="a long look", for_="1h")).memory.operator.pause
        learned = await working.until(lambda state: state.memory.worker.fullest_bytes.value is not None)
        later, paused = await asyncio.gather(in_the_next_run(working), in_the_next_run(resting))

    assert override is not None
    assert pause is not None
    assert later.memory.operator.override == override
    assert later.memory.worker.points
    assert later.memory.good_since == learned.memory.good_since
    assert later.generation.epoch == learned.generation.epoch
    assert world.paper.group("lasting").desired == 5
    assert paused.memory.operator.pause == pause
    assert paused.decisions[-1].repeated > TICKS_PER_RUN // 2, "the log goes along too"


async def test_what_a_fleet_claims_is_still_claimed_by_its_next_run(client: Client, world: ScriptedWorld) -> None:
    """Others are held against the memo; a run that was continued has none of its own accord."""
    world.scripts["claiming"] = lambda _: BUSY
    async with started(client, "claiming") as fleet:
        await in_the_next_run(fleet)
        claimed = await (await fleet.handle.describe()).memo_value(FLEET_MEMO, type_hint=FleetMemo)
        async with asyncio.timeout(30):
            on_its_target = await _refusal(client, "on-its-target", target=on_paper("claiming"))
            on_its_queue = await _refusal(client, "on-its-queue", task_queues=[{"name": "claiming"}])

    assert (claimed.name, [queue.name for queue in claimed.task_queues]) == ("claiming", ["claiming"])
    assert "is scaled by fleet claiming already" in on_its_target
    assert "both must declare their share" in on_its_queue


async def _refusal(client: Client, name: str, **changes: Any) -> str:
    fleet = await Served.start_with(client, name, declared(name, **({"target": on_paper(name)} | changes)))
    with pytest.raises(WorkflowFailureError) as refused:
        await fleet.handle.result()
    return str(refused.value.cause)


async def test_what_all_runs_decided_is_decided_again_from_the_servers_histories(
    client: Client, world: ScriptedWorld
) -> None:
    """Tasks begin to wait before the end of the first run: what was learned of them goes along into the second."""
    late = Scene(arrivals_per_second=4.0, busy_slots=12, backlog_tasks=60, backlog_age_seconds=5.0)
    world.scripts["recorded"] = lambda tick: BUSY if tick < TICKS_PER_RUN - 10 else late
    async with started(client, "recorded") as fleet:
        state = await in_the_next_run(fleet)
        recorded = await fetch_history(client, fleet.handle.id)
        rows = list(backtested(recorded.ticks, recorded.memory))

    assert len(rows) >= state.ticks - 1 > TICKS_PER_RUN
    assert [row.decided_now for row in rows] == [row.decided_then for row in rows]
    assert len({row.decided_now for row in rows}) > 1


async def test_an_override_runs_out_in_a_later_run(client: Client, world: ScriptedWorld) -> None:
    world.scripts["expiring"] = lambda _: BUSY
    async with started(client, "expiring") as fleet:
        asked = await fleet.update("override", workers=5, for_="9s", reason="a short sale")
        run = (await fleet.handle.describe()).run_id
        over = await fleet.until(lambda state: state.memory.operator.override is None)
        later_run = (await fleet.handle.describe()).run_id

    assert asked.memory.operator.override is not None
    assert datetime.now(UTC) >= asked.memory.operator.override.until
    assert over.ticks > TICKS_PER_RUN
    assert later_run != run


async def test_no_update_is_lost_wherever_it_meets_the_end_of_a_run(client: Client, world: ScriptedWorld) -> None:
    """Each is answered with a state that holds what it asked for, and stays in force."""
    world.scripts["stormy"] = lambda _: BUSY
    asked = 0
    async with started(client, "stormy") as fleet:
        state = await fleet.update("resume")
        while state.ticks < 2 * INTO_THE_NEXT_RUN:
            asked += 1
            state = await fleet.update("override", workers=1 + asked % 8, for_="1h", reason=f"update {asked}")
            override = state.memory.operator.override
            assert override is not None
            assert override.reason == f"update {asked}"
        held = await fleet.status()
        log = await fleet.decisions()
        faults = await fleet.faults()

    assert held is not None
    assert held.memory.operator.override is not None
    assert held.memory.operator.override.reason == f"update {asked}"
    assert 1 < len(log) <= DECISIONS_KEPT
    assert faults == []


async def test_updates_that_come_all_at_once_are_answered_across_runs(client: Client, world: ScriptedWorld) -> None:
    world.scripts["crowded"] = lambda _: BUSY

    async def ask(fleet: Served, number: int) -> int:
        """One person who asks again and again; how often that was."""
        times = 0
        while (state := await fleet.update("pause", reason=f"person {number}", for_="1h")).ticks < INTO_THE_NEXT_RUN:
            times += 1
            assert state.memory.operator.pause is not None
        return times

    async with started(client, "crowded") as fleet:
        times = await asyncio.gather(*(ask(fleet, number) for number in range(5)))
        faults = await fleet.faults()

    assert min(times) > 0
    assert faults == []


class Stubborn(Group):
    """Workers that never leave."""

    def _settle(self, total: int, plan: Plan) -> None:
        super()._settle(max(total, len(self.names)), plan)


async def test_an_update_that_waits_for_ever_is_told_so_and_its_run_ends_as_any(
    client: Client, world: ScriptedWorld
) -> None:
    """What it asked for stays in force."""
    world.paper.groups["endless"] = Stubborn()
    async with started(client, "endless") as fleet:
        first = (await fleet.handle.describe()).run_id
        stop = asyncio.create_task(fleet.update("stop", drain=True))
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await stop
        state = await fleet.until(lambda state: state.ticks > PATIENT_TICKS + 5)
        later = (await fleet.handle.describe()).run_id
        faults = await fleet.faults()

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "NotConfirmed"
    assert state.memory.operator.stop is not None
    assert state.memory.operator.stop.drain
    assert later != first
    assert faults == []
