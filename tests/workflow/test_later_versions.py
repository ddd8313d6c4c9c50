"""A controller can be rolled back: what a later version wrote is read."""

import json
from typing import Any

from pydantic import TypeAdapter
from temporalio.client import Client

from scaler.state import State
from tests.support.scripted_world import Scene, ScriptedWorld, on_paper, world_of
from tests.support.served_fleets import Served, payload
from tests.support.variants import HandOver
from workflows.scale_fleet import ScaleFleet

BUSY = Scene(arrivals_per_second=4.0, busy_slots=12)
STATES = TypeAdapter(State)


def as_a_later_version_would(value: Any) -> Any:
    """Every object has keys that this version does not know."""
    if isinstance(value, list):
        return [as_a_later_version_would(each) for each in value]
    if not isinstance(value, dict) or _is_columns(value):
        return value
    return {key: as_a_later_version_would(each) for key, each in value.items()} | {"later": {"of": ["a", 1, None]}}


def _is_columns(value: dict[str, Any]) -> bool:
    return bool(value) and all(isinstance(column, list) for column in value.values())


async def test_a_state_a_plan_and_a_fleet_of_a_later_version_are_read_and_go_on(client: Client) -> None:
    world = ScriptedWorld({"later": lambda _: BUSY})
    async with world_of(client, world, ScaleFleet, HandOver):
        await _reads_what_a_later_version_wrote(client)

    assert world.paper.group("later").desired == 3


async def _reads_what_a_later_version_wrote(client: Client) -> None:
    earlier = await Served.start(client, "later", target=on_paper("later"), workers={"min": 2, "max": 8})
    await earlier.update("override", workers=3, for_="1h", reason="stays in force")
    state = await earlier.until(lambda state: state.decision is not None and state.decision.mode == "override")
    await earlier.handle.terminate()

    written = as_a_later_version_would(json.loads(STATES.dump_json(state)))
    written["version"] = 7
    written["decision"]["mode"] = written["decisions"][-1]["mode"] = "levitating"
    written["decision"]["reasons"] = ["the_moon", "scale_in"]
    written["decision"]["plan"]["step"] = written["plan"]["step"] = "teleport"
    written["observation"]["applied"]["outcome"] = "postponed"
    written["observation"]["target"]["quality"] = "rumoured"
    written["observation"]["woken_by"] = "a_dream"
    written["observation"]["workers"]["state"] = ["hovering"] * len(written["observation"]["workers"]["name"])
    written["observation"]["workers"]["aura"] = ["blue"] * len(written["observation"]["workers"]["name"])
    written["fleet"]["target"]["kind"] = "kubernetes"
    written["fleet"]["signals"]["histories"] = "sometimes"
    fleet = await Served.continued(
        client, "later", *(payload(json.dumps(each).encode()) for each in (written["fleet"], written))
    )
    later = await fleet.until(lambda now: now.ticks > state.ticks + 5)
    paused = await fleet.update("pause", reason="it still listens")
    faults = await fleet.faults()
    await fleet.handle.terminate()

    assert later.memory.operator.override == state.memory.operator.override
    assert later.generation > state.generation
    assert paused.memory.operator.pause is not None
    assert faults == []
