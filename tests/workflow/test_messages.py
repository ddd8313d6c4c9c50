"""What people ask of a running fleet is done at once, lasts as long as they said, and is not forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError

from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.remembered import Stop
from scaler.state import State
from tests.support.paper_target import LIMIT_BYTES, PaperTarget
from tests.support.served_fleets import LONGEST_SECONDS, Served

FULL_BYTES = int(0.97 * LIMIT_BYTES)


async def settled(fleet: Served, workers: int) -> State:
    """Once the fleet has seen that it has so many workers."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while _ready(state := await fleet.look()) != workers:
            pass
    return state


async def test_an_override_goes_to_its_size_and_ends_by_itself(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "sale", behaviour={"scale_in_window": "0s"})

    asked = await fleet.update("override", workers=4, for_="2s", reason="a sale")
    await settled(fleet, 4)
    ended = await fleet.until(lambda state: state.memory.operator.override is None)

    override = asked.memory.operator.override
    assert override is not None
    assert override.reason == "a sale"
    assert datetime.now(UTC) >= override.until
    assert paper.group("sale").desired >= 1
    assert ended.decision is not None
    assert ended.decision.mode is not Mode.OVERRIDE
    assert ended.decision.at - override.until < timedelta(seconds=2), "the tick ends with what the override says"


async def test_a_cleared_override_is_over_at_once(served: Client) -> None:
    fleet = await Served.start(served, "cleared")
    await fleet.update("override", workers=4, for_="10m", reason="x")

    cleared = await fleet.update("clear_override")

    assert cleared.memory.operator.override is None


async def test_an_override_stays_within_the_bounds(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "bounded")

    await fleet.update("override", workers=500, for_="10m", reason="x")
    state = await settled(fleet, 8)

    assert paper.group("bounded").desired == 8
    assert state.decisions[-1].workers_bound in (Constraint.WORKERS_MAX, Constraint.UNKNOWN)


async def test_a_pause_holds_even_in_an_emergency_and_says_so(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "held")
    await fleet.update("override", workers=3, for_="10m", reason="x")
    before = await settled(fleet, 3)
    group = paper.group("held")
    cache, plans = group.cache, len(group.plans)

    paused = await fleet.update("pause", reason="a look at a heap")
    group.memory_bytes = FULL_BYTES
    emergency = await fleet.look()

    assert _fullest(emergency) == FULL_BYTES
    assert emergency.ticks > paused.ticks
    assert before.observation is not None
    assert emergency.decision is not None
    assert emergency.decision.mode is Mode.PAUSED
    assert (group.desired, group.cache) == (3, cache)
    assert all(plan.size is None for plan in group.plans[plans + 1 :])

    await fleet.update("resume")
    acted = await fleet.until(lambda _: group.cache != cache)
    assert group.cache is not None
    assert cache is not None
    assert group.cache < cache
    assert group.desired >= 3
    assert acted.memory.operator.pause is None


async def test_a_pause_ends_by_itself(served: Client) -> None:
    fleet = await Served.start(served, "nap")

    paused = await fleet.update("pause", reason="a nap", for_="2s")
    resumed = await fleet.until(lambda state: state.memory.operator.pause is None)

    assert paused.memory.operator.pause is not None
    assert paused.memory.operator.pause.until is not None
    assert resumed.decision is not None
    assert resumed.decision.at >= paused.memory.operator.pause.until
    assert resumed.decision.mode is not Mode.PAUSED


async def test_somebody_elses_count_is_adopted_and_held_until_resumed(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "shared", behaviour={"scale_in_window": "0s"})
    group = paper.group("shared")
    await fleet.update("override", workers=3, for_="10m", reason="x")
    await settled(fleet, 3)

    group.scaled_by_another_hand(12)
    await fleet.update("hint", worker="w-1")
    held = await fleet.until(lambda state: state.memory.foreign_since is not None)

    assert held.decision is not None
    assert held.decision.size is not None
    assert held.decision.size.workers == group.desired == 12, "also outside the bounds"
    assert held.decision.mode is Mode.FOREIGN_HOLD
    assert Reason.FOREIGN_COUNT in held.decision.reasons

    await fleet.update("resume")
    await fleet.until(lambda state: state.memory.foreign_since is None)
    await fleet.until(lambda _: group.desired <= 8)


async def test_a_hold_for_somebody_elses_count_ends_by_itself(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "lent", behaviour={"foreign_hold": "2s"})
    group = paper.group("lent")
    await settled(fleet, 1)

    group.scaled_by_another_hand(12)
    await fleet.update("hint", worker="w-1")
    held = await fleet.until(lambda state: state.memory.foreign_since is not None)
    since = held.memory.foreign_since
    over = await fleet.until(lambda state: state.memory.foreign_since is None)

    assert since is not None
    assert over.decision is not None
    assert over.decision.at - since >= timedelta(seconds=2)
    await fleet.until(lambda _: group.desired <= 8)


async def test_a_hint_brings_a_look_at_once_and_a_breach_is_judged_by_it(served: Client, paper: PaperTarget) -> None:
    """A hint alone cuts nothing: a worker may be wrong about itself."""
    fleet = await Served.start(served, "hinted")
    before = await settled(fleet, 1)
    group = paper.group("hinted")
    name, cache = group.names[0], group.cache

    await fleet.handle.execute_update("hint", {"worker": name, "memory_bytes": FULL_BYTES})
    looked = await fleet.until(lambda state: state.ticks > before.ticks + 1)
    unchanged = group.cache
    group.memory_bytes = FULL_BYTES
    await fleet.handle.execute_update("hint", {"worker": name, "memory_bytes": FULL_BYTES})
    cut = await fleet.until(lambda _: group.cache != cache)

    assert looked.observation is not None
    assert unchanged == cache
    assert cache is not None
    assert group.cache is not None
    assert group.cache < cache
    assert any(Reason.MEMORY_BREACH in line.reasons for line in cut.decisions)


async def test_a_storm_of_hints_costs_little_and_leaves_no_tick_behind(served: Client) -> None:
    fleet = await Served.start(served, "stormy")
    before = await settled(fleet, 1)

    for number in range(100):
        await fleet.handle.execute_update("hint", {"worker": "w-1", "slots_used": number}, id=f"hint-{number // 50}")
    after = await fleet.until(lambda state: state.ticks > before.ticks)

    assert after.ticks - before.ticks <= 8
    assert await fleet.faults() == []


async def test_a_stop_gives_the_target_up_and_leaves_its_workers(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "left")
    group = paper.group("left")
    await fleet.update("override", workers=3, for_="10m", reason="x")
    await settled(fleet, 3)

    stopped = await fleet.update("stop")
    await fleet.handle.result()

    assert stopped.memory.operator.stop == Stop(drain=False)
    assert len(group.names) == 3
    assert group.record is not None
    assert group.record.owner is None


async def test_a_stop_with_drain_empties_the_fleet_first(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "emptied")
    group = paper.group("emptied")
    await fleet.update("override", workers=3, for_="10m", reason="x")
    await settled(fleet, 3)

    await fleet.update("stop", drain=True)
    await fleet.handle.result()

    assert group.names == []
    assert group.record is not None
    assert group.record.owner is None


async def test_a_target_that_was_given_up_can_be_taken_up_again(served: Client, paper: PaperTarget) -> None:
    first = await Served.start(served, "again")
    await first.update("stop")
    await first.handle.result()

    second = await Served.start(served, "again")
    state = await settled(second, 1)

    record = paper.group("again").record
    assert record is not None
    assert record.owner is not None
    assert record.generation.epoch == state.generation.epoch


async def test_a_cancelled_workflow_gives_its_target_up_too(served: Client, paper: PaperTarget) -> None:
    """`temporal workflow cancel` is what a hand at the CLI reaches for; it must not leave a lock behind."""
    fleet = await Served.start(served, "cancelled")
    await settled(fleet, 1)

    await fleet.handle.cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await fleet.handle.result()

    assert isinstance(ended.value.cause, CancelledError)
    record = paper.group("cancelled").record
    assert record is not None
    assert record.owner is None
    assert paper.group("cancelled").names == ["w-1"]


def _ready(state: State) -> int:
    return sum(total.ready for total in state.observation.totals) if state.observation is not None else 0


def _fullest(state: State) -> int:
    seen = state.observation
    return max((worker.memory_bytes or 0 for worker in seen.workers), default=0) if seen is not None else 0
