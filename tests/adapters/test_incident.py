"""The side before of the live replay, on real processes: what is done to the workers, and what their CPU comes to."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.targets.local import LocalGroup, LocalTarget
from activities.targets.supervisor.ending import end_group
from activities.targets.supervisor.protocol import Place
from examples.demo.incident.before import Platform
from examples.demo.incident.cast import CUT_CACHE, FIRST_SIZE, cast
from examples.demo.incident.cpu_meter import CpuMeter
from scaler.cli.exits import CommandFailed
from scaler.model.common import Size
from scaler.model.observation import WorkerState
from tests.support.local_fleet import QUICK, lives, names, pids

CAST = cast("before")
BUSY = (sys.executable, "-I", "-S", "-c", "while True: pass")


def target_of(directory: Path, *command: str) -> LocalTarget:
    group = LocalGroup(command=command, directory=Path("/"), memory_limit_bytes=64 * 2**20, supervision=QUICK)
    return LocalTarget({CAST.fleet.target.name or "": group}, directory, lives)


@pytest.fixture
async def platform(temporal_client: Client, tmp_path: Path) -> AsyncIterator[Platform]:
    """With its first workers, which sleep."""
    target = target_of(tmp_path, "sleep", "1000")
    place = Place(target.directory(CAST.fleet))
    try:
        opened = Platform(client=temporal_client, cast=CAST, target=target, place=place)
        await opened.begin()
        yield opened
    finally:
        await end_group(place)


async def test_the_platform_runs_as_many_workers_as_it_is_told(platform: Platform) -> None:
    await platform.resize(Size(2, FIRST_SIZE.cache), ("CPU at 20%",))
    look = await platform.target.look(CAST.fleet)

    assert len(names(look)) == look.target.desired == 2
    assert look.target.cache == FIRST_SIZE.cache
    thought = await platform.thought()
    assert thought is not None
    assert thought.reasons == ("CPU at 20%",)


async def test_a_deploy_replaces_all_workers_and_never_has_fewer_of_them(platform: Platform) -> None:
    before = pids(await platform.target.look(CAST.fleet))
    fewest = FIRST_SIZE.workers

    async def watch() -> None:
        nonlocal fewest
        while True:
            look = await platform.target.look(CAST.fleet)
            fewest = min(fewest, len(names(look)))
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    await platform.deploy(CUT_CACHE, ("operator",))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    look = await platform.target.look(CAST.fleet)
    new = [worker for worker in look.workers if worker.seen.state is not WorkerState.DRAINING]

    assert fewest == FIRST_SIZE.workers
    assert [worker.seen.cache for worker in new] == [CUT_CACHE] * FIRST_SIZE.workers
    assert not before.keys() & {worker.seen.name for worker in new}


async def test_the_meter_reads_the_cpu_of_real_workers_as_parts_of_what_they_were_promised(
    platform: Platform, tmp_path: Path
) -> None:
    """Idle ones use next to nothing; one that computes all the time is seen, however busy the machine is."""
    busy = replace(
        platform, target=target_of(tmp_path / "busy", *BUSY), place=Place(tmp_path / "busy" / "agents-before")
    )
    idle_meter, busy_meter = CpuMeter(platform.place, 0.25), CpuMeter(busy.place, 0.25)
    try:
        await busy.begin()
        await busy.resize(Size(1, FIRST_SIZE.cache), ())
        for meter in (idle_meter, busy_meter):
            await meter.read()
        await asyncio.sleep(1.0)
        for meter in (idle_meter, busy_meter):
            await meter.read()
    finally:
        await end_group(busy.place)

    assert idle_meter.readings[-1].processes == idle_meter.readings[-1].instances == FIRST_SIZE.workers
    assert idle_meter.readings[-1].vcpu_seconds < busy_meter.readings[-1].vcpu_seconds
    assert busy_meter.readings[-1].instances == 1


async def test_a_platform_that_refuses_says_why(temporal_client: Client, tmp_path: Path) -> None:
    nobody = LocalTarget({}, tmp_path, lives)
    platform = Platform(client=temporal_client, cast=CAST, target=nobody, place=Place(tmp_path))

    with pytest.raises(CommandFailed, match="the workers can't be resized: must be a local target"):
        await platform.begin()


async def test_without_workers_the_meter_reads_nothing(tmp_path: Path) -> None:
    meter = CpuMeter(Place(tmp_path), 0.25)
    await meter.read()

    assert meter.readings == []
