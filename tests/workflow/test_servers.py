"""A Temporal server that dies and comes back on the same file, and one that only the sources need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from temporalio.client import Client

from devserver import Server
from scaler.cli.controller import signal_source
from scaler.fleet import TargetKind
from scaler.model.common import Quality
from scaler.model.observation import Fault
from tests.support.local_fleet import LocalFleet, alive, fleet, group
from tests.support.paper_target import PaperTarget
from tests.support.served_fleets import CALLS_PER_SECOND, Controller, Served, connected, controller_of, parts_of

RESUMED_SECONDS = 60.0


async def test_a_fleet_resumes_when_its_server_is_killed_and_started_again_on_the_same_file(
    own_server: Server, tmp_path: Path
) -> None:
    """Meanwhile its workers serve, and nobody forgets what was asked."""
    client = await connected(own_server.address, own_server.namespace)
    hand = LocalFleet(tmp_path / "groups", group("sleep", "1000"), fleet())
    program = own_server.program
    assert program is not None
    try:
        async with controller_of(client, {TargetKind.LOCAL: hand.target}):
            served = await Served.start(client, "orders", workers={"min": 2, "max": 6})
            asked = await served.update("override", workers=3, for_="1h", reason="a test")
            pids = await _pids(hand, 3)

            await program.kill()
            alive_meanwhile = all(map(alive, pids))
            await program.start()
            resumed = await asyncio.wait_for(_asked_again(served, 4), RESUMED_SECONDS)
            more = await _pids(hand, 4)
            faults = await served.faults()
    finally:
        await hand.end()

    assert alive_meanwhile
    assert pids < more
    assert resumed
    assert asked.memory.operator.override is not None
    assert faults == []


async def _pids(hand: LocalFleet, count: int) -> set[int]:
    look = await hand.until(lambda look: len(look.workers) == count)
    return {worker.process_id for worker in look.workers if worker.process_id is not None}


async def _asked_again(served: Served, workers: int) -> bool:
    """Once the server answers again; an update that it never heard of may be sent twice."""
    while True:
        try:
            state = await served.update("override", workers=workers, for_="1h", reason="after it came back")
        except Exception:  # noqa: BLE001 (whatever a server that comes up may answer)
            await asyncio.sleep(0.2)
        else:
            return state.memory.operator.override is not None


async def test_a_lost_source_is_missing_and_neither_zero_nor_the_end(client: Client, own_server: Server) -> None:
    """The fleet's queues are on another server, which goes away: no worker may go for it, and the loop works on."""
    program = own_server.program
    assert program is not None
    paper = PaperTarget()
    async with _with_queues_on(own_server, client, paper):
        served = await Served.start(
            client, "elsewhere", temporal={"connection": "other"}, behaviour={"scale_in_window": "0s"}
        )
        await served.update("override", workers=5, for_="10m", reason="a test")
        before = await served.look()
        await program.kill()
        await served.update("clear_override")
        gone = await _look_until(served, faulty=True)
        await program.start()
        back = await _look_until(served, faulty=False)
        faults = await served.faults()

    assert before.observation is not None
    assert {queue.quality for queue in before.observation.queues} == {Quality.FRESH}
    assert gone
    assert back == ()
    assert paper.group("elsewhere").desired == 5
    assert faults == []


async def _look_until(served: Served, *, faulty: bool) -> tuple[Fault, ...]:
    """Once the fleet's sources fail, or all can be read again: what could not be read."""
    async with asyncio.timeout(RESUMED_SECONDS):
        while True:
            seen = (await served.look()).observation
            if seen is not None and bool(seen.faults) is faulty:
                return seen.faults


@asynccontextmanager
async def _with_queues_on(other: Server, client: Client, paper: PaperTarget) -> AsyncIterator[None]:
    connections = {None: client, "other": await connected(other.address, other.namespace)}
    parts = replace(parts_of(client, {TargetKind.LOCAL: paper}), signals=signal_source(connections, CALLS_PER_SECOND))
    controller = Controller(parts)
    controller.begin()
    try:
        yield
    finally:
        await controller.stop()
