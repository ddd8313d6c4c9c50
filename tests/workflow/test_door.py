"""Nothing that anybody may send ends or blocks a fleet's loop."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from scaler.door import Problem
from scaler.state import State
from tests.support.odd_payloads import ODD
from tests.support.paper_target import PaperTarget
from tests.support.served_fleets import Served, declared

EVERY_UPDATE = ("apply", "pause", "resume", "override", "clear_override", "hint")
"""But `stop`, after which there is nothing left to ask."""
NEEDS_NOTHING = ("resume", "clear_override")
SAYS_NOTHING = ("null", "null as JSON")
AT_ONCE_SECONDS = 10.0
"""Far more than an answer takes, and far less than a tick that nobody cut short."""


async def failure(name: str, client: Client, *payloads: Any) -> ApplicationError:
    """Start a fleet with this input and wait for the end that it comes to."""
    started = await Served.start_with(client, name, *payloads)
    with pytest.raises(WorkflowFailureError) as ended:
        async with asyncio.timeout(AT_ONCE_SECONDS):
            await started.handle.result()
    assert await started.faults() == []
    assert isinstance(ended.value.cause, ApplicationError)
    return ended.value.cause


async def refusal(fleet: Served, update: str, *payloads: Any) -> str:
    """Ask for what can't be had; why not."""
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await fleet.update(update, *payloads)
    return str(refused.value.cause)


async def test_a_start_with_any_input_whatever_fails_with_a_clear_reason(served: Client) -> None:
    names = {what: f"odd-{number}" for number, what in enumerate(ODD)}
    causes = await asyncio.gather(*(failure(names[what], served, ODD[what]) for what in ODD))

    assert {cause.type for cause in causes} == {"InvalidFleet"}
    assert all(cause.non_retryable for cause in causes)
    told = dict(zip(ODD, map(str, causes), strict=True))
    assert "the input must be json/plain, found encoding 'binary/plain'" in told["binary"]
    assert "the input must be at most 65536 bytes, found 1048578" in told["a megabyte"]
    assert "must be an object such as {name: …}, found [1, 2, 3]" in told["an array"]
    assert "objective.activity: a duration has at most" in told["a fleet with an endless objective"]
    assert max(map(len, told.values())) < 1000


def _together(what: str) -> tuple[list[RawValue], ...]:
    """More than one; the server itself refuses two megabytes."""
    return () if "megabyte" in what else ([ODD[what]] * 2, [ODD[what]] * 5)


@pytest.mark.parametrize("count", [0, 2, 5])
async def test_a_start_with_any_number_of_inputs_but_one_fails_with_a_clear_reason(served: Client, count: int) -> None:
    cause = await failure(f"count-{count}", served, *[declared(f"count-{count}")] * count)

    assert (cause.type, cause.message) == ("InvalidFleet", f"the input needs exactly one payload, found {count}")


async def test_a_state_that_is_given_from_outside_is_no_state(served: Client) -> None:
    """Only a continued run brings one: else a start could claim any target."""
    fleet = await Served.start(served, "stateful")
    state = await fleet.status()
    cause = await failure("forged", served, declared("forged"), state)

    assert cause.type == "InvalidFleet"


async def test_a_fleet_under_another_fleets_id_fails_with_a_clear_reason(served: Client) -> None:
    cause = await failure("mine", served, declared("yours"))

    assert cause.type == "InvalidFleet"
    assert "must be worker-scaler/yours, found worker-scaler/mine" in cause.message


@pytest.mark.parametrize("update", EVERY_UPDATE)
async def test_an_update_with_any_input_whatever_leaves_a_working_loop(served: Client, update: str) -> None:
    fleet = await Served.start(served, f"any-{update.replace('_', '-')}")
    before = await fleet.status()

    for what, odd in ODD.items():
        if update in NEEDS_NOTHING and what in SAYS_NOTHING:
            await fleet.update(update, odd)
        else:
            assert await refusal(fleet, update, odd), what
        for several in _together(what):
            assert "needs exactly one payload" in await refusal(fleet, update, *several)

    after = await fleet.update("pause", reason="to see that it still works")
    assert before is not None
    assert after.ticks > before.ticks
    assert after.fleet == before.fleet
    assert await fleet.faults() == []


@pytest.mark.parametrize("update", EVERY_UPDATE)
async def test_an_update_without_input_is_refused_or_needs_none(served: Client, update: str) -> None:
    fleet = await Served.start(served, f"none-{update.replace('_', '-')}")

    if update in NEEDS_NOTHING:
        await fleet.update(update)
        await fleet.update(update, {})
    else:
        assert await refusal(fleet, update)
    assert "needs exactly one payload, found 2" in await refusal(fleet, update, {}, {})
    assert await fleet.faults() == []


async def test_an_unknown_message_changes_nothing(served: Client) -> None:
    fleet = await Served.start(served, "unknown")

    assert "explode" in await refusal(fleet, "explode", 3)
    await fleet.handle.signal("explode", args=[3, ODD["binary"]])
    assert (await fleet.update("pause", reason="still here")).memory.operator.pause is not None
    assert await fleet.faults() == []


async def test_a_stop_with_any_input_whatever_stops_or_is_refused(served: Client) -> None:
    async def stop(number: int, what: str, odd: RawValue) -> None:
        fleet = await Served.start(served, f"stop-{number}")
        for several in _together(what):
            assert "needs exactly one payload" in await refusal(fleet, "stop", *several)
        if what in SAYS_NOTHING:
            await fleet.update("stop", odd)
        else:
            assert await refusal(fleet, "stop", odd), what
            await fleet.update("stop")
        async with asyncio.timeout(AT_ONCE_SECONDS):
            await fleet.handle.result()
        assert await fleet.faults() == []

    odd = ("an array", "null", "null as JSON", "binary", "a megabyte", "half a character", "an object of unknown keys")
    await asyncio.gather(*(stop(number, what, ODD[what]) for number, what in enumerate(odd)))


@pytest.mark.parametrize("query", ["status", "decisions"])
async def test_a_query_with_any_input_whatever_is_answered(served: Client, query: str) -> None:
    fleet = await Served.start(served, f"query-{query}")

    async def ask(*payloads: Any) -> object:
        return await (fleet.status if query == "status" else fleet.decisions)(*payloads)

    expected = await ask()
    assert expected
    for what, odd in ODD.items():
        assert type(await ask(odd)) is type(expected)
        for several in _together(what):
            assert type(await ask(*several)) is type(expected)
    assert await fleet.faults() == []


async def test_a_query_before_the_declaration_was_checked_is_answered(client: Client) -> None:
    """No controller of this host's queue serves it, so its check waits."""
    elsewhere = {"kind": "local", "name": "waits", "host": "another-host"}
    fleet = await Served.start_with(client, "waits", declared("waits", target=elsewhere))

    assert await fleet.status() is None
    assert await fleet.decisions() == ()
    await fleet.handle.terminate()


async def test_an_invalid_fleet_is_refused_at_the_update_and_the_old_one_stays(
    served: Client, paper: PaperTarget
) -> None:
    fleet = await Served.start(served, "steady")
    events = len(await fleet.events())

    reason = await refusal(fleet, "apply", declared("steady", workers={"min": 9, "max": 4}))
    moved = await refusal(fleet, "apply", declared("steady", temporal={"namespace": "elsewhere"}))
    paper.refused = (Problem(("target", "name"), "is no longer allowed"),)
    try:
        outside = await refusal(fleet, "apply", declared("steady", workers={"min": 2, "max": 4}))
    finally:
        paper.refused = ()
    state = await fleet.status()

    assert reason == "Refused: workers.min: must be at most workers.max (4), found 9"
    assert moved == "FleetRefused: temporal: is fixed for life; stop the fleet and start it anew"
    assert outside == "FleetRefused: target.name: is no longer allowed"
    assert state is not None
    assert state.fleet.workers.min == 1
    assert not any(
        b'"min": 9' in event.SerializeToString()
        for event in (await fleet.events())[events:]
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    )


async def test_a_valid_fleet_is_applied_and_carried_out_at_once(served: Client, paper: PaperTarget) -> None:
    fleet = await Served.start(served, "grows")

    state = await fleet.update("apply", declared("grows", workers={"min": 3, "max": 8}))

    assert state.fleet.workers.min == 3
    await fleet.until(lambda _: paper.group("grows").desired == 3)


@pytest.mark.parametrize(
    ("update", "asked"),
    [
        ("pause", {"reason": "x"}),
        ("resume", {}),
        ("override", {"workers": 3, "for": "1m", "reason": "x"}),
        ("clear_override", {}),
        ("hint", {"worker": "w-1", "slots_used": 3}),
        ("stop", {}),
    ],
)
async def test_an_answer_does_not_wait_for_the_tick_to_end(served: Client, update: str, asked: dict[str, Any]) -> None:
    """A tick that nothing ends early lasts a minute for a fleet without arrivals."""
    fleet = await Served.start(served, f"quick-{uuid4().hex[:6]}")
    began = await fleet.until(_waits_long)

    asked_at = time.monotonic()
    await fleet.handle.execute_update(update, args=[asked] if asked else [])
    seconds = time.monotonic() - asked_at

    assert began.plan is not None
    assert seconds < AT_ONCE_SECONDS


def _waits_long(state: State) -> bool:
    """Whether the tick that is under way ends long after an answer is due."""
    if state.plan is None or state.sent_at is None:
        return False
    return (state.plan.until - state.sent_at).total_seconds() > 2 * AT_ONCE_SECONDS


async def test_an_override_that_names_no_number_is_refused(served: Client) -> None:
    fleet = await Served.start(served, "numberless")

    assert "needs workers, cache or both" in await refusal(fleet, "override", {"for": "5m", "reason": "nothing"})
