"""Fleets that run when a new version is rolled out go on: committed histories replay, whatever it decides."""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from devserver import Server
from scaler.interventions import expired
from scaler.model.common import Owner
from scaler.model.decision import Mode
from scaler.state import State
from tests.support.paper_target import Group
from tests.support.scripted_world import Scene, ScriptedWorld, world_of
from tests.support.served_fleets import Served, connected
from tests.support.variants import ContraryFleet, HandOver, Remembering, state_of
from workflows.messages import TASK_QUEUE
from workflows.payloads import DATA_CONVERTER
from workflows.scale_fleet import TICKS_PER_RUN, ScaleFleet

HISTORIES = sorted(Path(__file__).with_name("histories").glob("*.json.gz"))
LARGEST_BYTES = 200_000
BUSY = Scene(arrivals_per_second=4.0, busy_slots=12)
CALM_TICKS = 8

each_history = pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.name.removesuffix(".json.gz"))


def history(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("worker-scaler/recorded", gzip.decompress(file.read_bytes()).decode())


def ticks(of: WorkflowHistory) -> int:
    names = (event.activity_task_scheduled_event_attributes.activity_type.name for event in of.events)
    return sum(name == "reconcile" for name in names)


async def state_at_the_end(file: Path, version: type[ScaleFleet]) -> State:
    """What a loop of this version knows when it comes to the end of a history."""
    remembering = Remembering()
    replayer = Replayer(
        workflows=[version],
        interceptors=[remembering],
        data_converter=DATA_CONVERTER,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    await replayer.replay_workflow(history(file))
    return state_of(remembering.loops[-1])


def test_the_committed_histories_are_what_their_names_say() -> None:
    recorded = {file.name.removesuffix(".json.gz"): history(file) for file in HISTORIES}
    types = {name: [event.event_type for event in each.events] for name, each in recorded.items()}
    accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED

    assert set(recorded) == {
        "quiet-hour",
        "burst",
        "emergency",
        "pause-override-resume",
        "continue-as-new-before",
        "continue-as-new",
    }
    assert ticks(recorded["quiet-hour"]) >= 60
    assert types["pause-override-resume"].count(accepted) == 8
    assert types["continue-as-new-before"][-1] == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    assert ticks(recorded["continue-as-new-before"]) == TICKS_PER_RUN
    assert max(file.stat().st_size for file in HISTORIES) < LARGEST_BYTES


@each_history
def test_a_committed_history_tells_nothing_of_the_machine_that_recorded_it(file: Path) -> None:
    text = gzip.decompress(file.read_bytes()).decode()

    assert {event.get("identity") for event in _with_key(json.loads(text), "identity")} <= {
        "recorder",
        "history-service",
    }
    assert "@" not in text
    assert "/home/" not in text


@each_history
async def test_a_committed_history_replays(file: Path) -> None:
    await Replayer(workflows=[ScaleFleet], data_converter=DATA_CONVERTER).replay_workflow(history(file))


async def test_the_histories_hold_decisions_worth_disagreeing_with() -> None:
    states = {file.name.removesuffix(".json.gz"): await state_at_the_end(file, ScaleFleet) for file in HISTORIES}
    log = {name: {line.mode for line in state.decisions} for name, state in states.items()}
    sizes = {name: {line.size.workers for line in state.decisions if line.size} for name, state in states.items()}

    assert len(sizes["quiet-hour"]) == 1
    assert len(sizes["burst"]) > 1
    assert Mode.EMERGENCY in log["emergency"]
    assert {Mode.PAUSED, Mode.OVERRIDE, Mode.STOPPING} <= log["pause-override-resume"]
    assert states["continue-as-new"].memory.operator.override is not None


@each_history
async def test_a_decision_that_always_disagrees_replays_it_too(file: Path) -> None:
    usual = await state_at_the_end(file, ScaleFleet)
    contrary = await state_at_the_end(file, ContraryFleet)

    assert contrary.decision is not None
    assert usual.decision is not None
    assert contrary.decision.size != usual.decision.size
    assert contrary.ticks == usual.ticks
    assert contrary.generation == usual.generation


async def test_a_stricter_later_validation_replays_what_an_earlier_one_let_in() -> None:
    """What was accepted is in the history. Only validators and `check_target` refuse, and no replay asks them."""
    text = gzip.decompress((Path(__file__).with_name("histories") / "pause-override-resume.json.gz").read_bytes())
    plain = json.loads(text)
    odd: dict[str, dict[str, Any]] = {
        "override": {"workers": -5, "cache": 3, "for": "100000d", "reason": "x" * 5000, "colour": "red"},
        "pause": {"reason": "", "for": "0s", "until": "dawn"},
        "hint": {"worker": "w-1", "slots": -1, "memory_bytes": 10**30, "mood": "low"},
    }
    rewritten = [_let_in(event, odd) for event in plain["events"]]
    rewritten += [_laxly_declared(event) for event in plain["events"]]
    history = WorkflowHistory.from_json("worker-scaler/recorded", json.dumps(plain))

    assert rewritten.count(True) >= 5
    await Replayer(workflows=[ScaleFleet], data_converter=DATA_CONVERTER).replay_workflow(history)


def _let_in(event: dict[str, Any], odd: dict[str, dict[str, Any]]) -> bool:
    """Put an odd message in the place of an accepted one."""
    accepted = event.get("workflowExecutionUpdateAcceptedEventAttributes", {}).get("acceptedRequest", {}).get("input")
    if accepted is None or accepted["name"] not in odd:
        return False
    accepted["args"]["payloads"][0]["data"] = base64.b64encode(json.dumps(odd[accepted["name"]]).encode()).decode()
    return True


def _laxly_declared(event: dict[str, Any]) -> bool:
    """Let `check_target` have accepted what no door would."""
    for payload in event.get("activityTaskCompletedEventAttributes", {}).get("result", {}).get("payloads", ()):
        verdict = json.loads(base64.b64decode(payload["data"]))
        if verdict.get("fleet") is not None:
            verdict["fleet"]["cache"] |= {"min": 3, "delivery": "telepathy"}
            verdict["fleet"] |= {"mood": "calm", "name": "Not A Name!"}
            payload["data"] = base64.b64encode(json.dumps(verdict).encode()).decode()
            return True
    return False


@pytest.fixture(scope="module")
async def client(temporal_server: Server, namespace: str) -> Client:
    return await connected(temporal_server.address, namespace)


@pytest.fixture(scope="module")
async def world(client: Client) -> AsyncIterator[ScriptedWorld]:
    world = ScriptedWorld()
    async with world_of(client, world, ScaleFleet, HandOver):
        yield world


@each_history
@pytest.mark.parametrize("before", [ScaleFleet, ContraryFleet], ids=["itself", "a contrary version"])
async def test_a_loop_goes_on_sanely_from_where_the_history_ended(
    client: Client, world: ScriptedWorld, file: Path, before: type[ScaleFleet]
) -> None:
    """On a real server, with the state that either version had and the target as the history left it."""
    state = await state_at_the_end(file, before)
    name = f"{file.name.removesuffix('.json.gz')}-{before.__name__.lower()}"
    fleet = state.fleet.model_copy(update={"name": name})
    world.scripts[name] = lambda _: BUSY
    group = world.paper.groups[name] = _left(state, Owner(client.namespace, f"{TASK_QUEUE}/{name}"))
    left = group.record

    served = await Served.continued(client, name, fleet, replace(state, fleet=fleet))
    if state.memory.operator.stop is not None:
        await served.handle.result()
        assert group.record is not None
        assert group.record.owner is None
        return
    after = await served.until(lambda now: now.ticks >= state.ticks + CALM_TICKS)
    faults = await served.faults()
    await served.handle.terminate()

    assert faults == []
    assert left is not None
    assert after.observation is not None
    assert after.observation.applied.settled
    assert after.observation.applied.generation > left.generation
    assert after.decision is not None
    assert after.decision.mode not in (Mode.BLOCKED, Mode.UNKNOWN)
    assert fleet.workers.min <= group.desired <= fleet.workers.max
    # What was asked for until a moment of the recording has run out meanwhile, or will while this runs.
    assert after.memory.operator == expired(state.memory, after.decision.at).operator
    assert all(_moves_one_at_most(step) for step in zip(group.plans, group.plans[1:], strict=False))


def _left(state: State, owner: Owner) -> Group:
    """The target as the last observation found it, under an owner that lives here."""
    assert state.observation is not None
    record = state.observation.applied.record
    assert record is not None
    group = Group(record=replace(record, owner=owner))
    if record.intended is not None:
        group.desired, group.cache = record.intended.workers, record.intended.cache
        group.started = record.intended.workers
        group.names = [f"w-{number + 1}" for number in range(group.started)]
        group.caches = dict.fromkeys(group.names, group.cache)
    return group


def _moves_one_at_most(step: tuple[Any, Any]) -> bool:
    """The first of the rules: cache and workers are never cut together."""
    before, after = step
    if before.size is None or after.size is None or before.size.cache is None or after.size.cache is None:
        return True
    return not (after.size.workers < before.size.workers and after.size.cache < before.size.cache)


def _with_key(value: Any, key: str) -> list[dict[str, Any]]:
    """Every object in a JSON value that has this key."""
    if isinstance(value, list):
        return [found for each in value for found in _with_key(each, key)]
    if not isinstance(value, dict):
        return []
    inner = [found for each in value.values() for found in _with_key(each, key)]
    return [value, *inner] if key in value else inner
