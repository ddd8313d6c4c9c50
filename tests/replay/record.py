"""Records the committed histories anew: `python -m tests.replay.record`, from the real loop on a real server.

Run it when the shape of the loop has changed on purpose, which ends fleets that run under the version before.
Ticks follow each other at once, so what a fleet spends an hour on is recorded in seconds.
"""

import asyncio
import gzip
import json
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from devserver import PINNED_BUILD, ServerRequest, provide
from scaler.model.plan import LONGEST_TICK
from tests.support.paper_target import LIMIT_BYTES
from tests.support.scripted_world import Scene, ScriptedWorld, on_paper, world_of
from tests.support.served_fleets import Served, declared
from workflows.payloads import DATA_CONVERTER

HISTORIES: Final = Path(__file__).with_name("histories")
TICKS_IN_AN_HOUR: Final = 3600 // int(LONGEST_TICK.total_seconds())
RECORDER: Final = "recorder"
"""Who speaks in the histories, instead of somebody's process and machine."""

BUSY = Scene(arrivals_per_second=4.0, busy_slots=12)
BURST = Scene(arrivals_per_second=40.0, backlog_tasks=300, backlog_age_seconds=6.0, busy_slots=64)
FULL = Scene(arrivals_per_second=4.0, busy_slots=12, memory_bytes=int(0.97 * LIMIT_BYTES))


async def quiet_hour(fleet: Served) -> None:
    """Nothing happens."""
    await fleet.until(lambda state: state.ticks > TICKS_IN_AN_HOUR)


async def burst(fleet: Served) -> None:
    """A backlog comes and goes."""
    await fleet.until(lambda state: state.ticks > 50)


async def emergency(fleet: Served) -> None:
    """Memory comes near its limit, and the cache is cut."""
    await fleet.until(lambda state: state.ticks > 50)


async def pause_override_resume(fleet: Served) -> None:
    """Every message that people send."""
    await fleet.until(lambda state: state.ticks > 3)
    await fleet.update("pause", reason="a look")
    await fleet.update("override", reason="a sale", for_="1h", workers=5)
    await fleet.update("resume")
    await fleet.until(lambda state: state.decision is not None and state.decision.mode == "override")
    await fleet.handle.execute_update("hint", {"worker": "w-1", "slots_used": 8, "slots": 8})
    await fleet.update("clear_override")
    await fleet.update(
        "apply",
        declared(RECORDED[pause_override_resume], target=_target(pause_override_resume), workers={"min": 2, "max": 6}),
    )
    ticks = (await fleet.update("pause", reason="a nap", for_="100ms")).ticks
    await fleet.until(lambda state: state.ticks > ticks + 5 and state.memory.operator.pause is None)
    await fleet.update("stop")


async def continue_as_new(fleet: Served) -> None:
    """A whole run, and some ticks of the next."""
    await fleet.update("override", reason="outlives the run", for_="1h", workers=5)
    await fleet.until(lambda state: state.ticks > 125)


Scenario = Callable[[Served], Coroutine[Any, Any, None]]
RECORDED: Final[dict[Scenario, str]] = {
    scenario: scenario.__name__.replace("_", "-")
    for scenario in (quiet_hour, burst, emergency, pause_override_resume, continue_as_new)
}


def _target(scenario: Scenario) -> dict[str, str]:
    return on_paper(RECORDED[scenario])


def _world() -> ScriptedWorld:
    scripts = {
        RECORDED[burst]: lambda tick: BURST if 10 <= tick < 30 else BUSY,
        RECORDED[emergency]: lambda tick: FULL if 20 <= tick < 25 else BUSY,
        RECORDED[pause_override_resume]: lambda _: BUSY,
        RECORDED[continue_as_new]: lambda tick: BURST if tick % 40 > 30 else BUSY,
    }
    return ScriptedWorld(scripts)


async def record(client: Client) -> None:
    """Write every history into its file; the run before the last too where there was one."""
    async with world_of(client, _world()):
        await asyncio.gather(*(_record(client, scenario) for scenario in RECORDED))


async def _record(client: Client, scenario: Scenario) -> None:
    name = RECORDED[scenario]
    fleet = await Served.start(client, name, target=_target(scenario), workers={"min": 2, "max": 8})
    await scenario(fleet)
    last = await fleet.handle.fetch_history()
    first_run = last.events[0].workflow_execution_started_event_attributes.first_execution_run_id
    await _end(fleet)
    if first_run != last.events[0].workflow_execution_started_event_attributes.original_execution_run_id:
        before = await client.get_workflow_handle(fleet.handle.id, run_id=first_run).fetch_history()
        _write(f"{name}-before", before)
    _write(name, last)


async def _end(fleet: Served) -> None:
    description = await fleet.handle.describe()
    if description.close_time is None:
        await fleet.handle.terminate()


def _write(name: str, history: WorkflowHistory) -> None:
    """As little as replays: up to the last workflow task that was completed, and what it asked for."""
    completed = max(
        index
        for index, event in enumerate(history.events)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    )
    plain = history.to_json_dict()
    following = (
        index
        for index, event in enumerate(plain["events"])
        if index > completed and "workflowTaskCompletedEventId" not in json.dumps(event)
    )
    plain["events"] = plain["events"][: next(following, len(plain["events"]))]
    text = json.dumps(plain, separators=(",", ":")).encode()
    (HISTORIES / f"{name}.json.gz").write_bytes(gzip.compress(text, mtime=0))


async def _record_all() -> None:
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        request = ServerRequest(folder=Path(folder), namespace="histories", sources=PINNED_BUILD, web_ui=False)
        async with provide(request) as server:
            await record(
                await Client.connect(
                    server.address, namespace=server.namespace, data_converter=DATA_CONVERTER, identity=RECORDER
                )
            )


if __name__ == "__main__":
    asyncio.run(_record_all())
