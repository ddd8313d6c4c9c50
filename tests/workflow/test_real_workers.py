"""The whole loop around real processes: what is killed for its memory, and who may not be killed."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from activities.targets.local import LocalGroup, LocalTarget
from devserver import Server
from scaler.cli.controller import OwnerLiveness
from scaler.fleet import TargetKind
from scaler.model.common import Size
from scaler.model.decision import Reason
from scaler.model.observation import ExitReason, WorkerExit
from scaler.model.plan import SHORTEST_TICK
from scaler.state import State
from tests.support.hungry_worker import MIB, Hoard, Labour
from tests.support.local_fleet import LocalFleet, alive, come_true, fleet
from tests.support.served_fleets import Served, controller_of

NAMES = ("memory", "scale-in", "patient", "impatient")
LIMIT_BYTES = 256 * MIB
BOOT_SECONDS = 90.0


@dataclass(frozen=True)
class Ground:
    """Where the groups of this module live."""

    client: Client
    directory: Path
    groups: dict[str, LocalGroup]

    def begun(self, name: str) -> int:
        """The process that an activity began in."""
        return int((self.directory / f"{name}.begun").read_text())

    async def work(self, name: str, seconds: float) -> WorkflowHandle[Labour, int]:
        """A long activity that has begun."""
        handle = await self.client.start_workflow(Labour.run, seconds, id=f"labour-{name}", task_queue=name)
        await come_true((self.directory / f"{name}.begun").exists, 20)
        return handle

    async def pids(self, name: str) -> set[int]:
        """The processes of a group."""
        answer = await self.hand(name).answer()
        return {worker.process_id for worker in answer.look.workers if worker.process_id is not None}

    def hand(self, name: str) -> LocalFleet:
        """The group behind the controller's back."""
        return LocalFleet(self.directory, self.groups[name], fleet(target={"kind": "local", "name": name}))


@pytest.fixture(scope="module")
async def ground(
    temporal_server: Server, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ground]:
    directory = tmp_path_factory.mktemp("ground")
    groups = {
        name: LocalGroup(
            command=(sys.executable, "-m", "tests.support.hungry_worker"),
            directory=Path(__file__).parents[2],
            environment={
                "TEMPORAL_ADDRESS": temporal_server.address,
                "TEMPORAL_NAMESPACE": client.namespace,
                "HUNGRY_QUEUE": name,
                "HUNGRY_BEGUN": str(directory / f"{name}.begun"),
            },
            memory_limit_bytes=LIMIT_BYTES,
        )
        for name in NAMES
    }
    made = Ground(client, directory, groups)
    target = LocalTarget(groups, directory, OwnerLiveness(client).lives)
    try:
        async with controller_of(client, {TargetKind.LOCAL: target}):
            yield made
    finally:
        for name in NAMES:
            await made.hand(name).end()


def ready(state: State) -> int:
    seen = state.observation
    return sum(total.ready for total in seen.totals) if seen is not None else 0


@pytest.fixture(scope="module")
async def told(ground: Ground) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
    """All stories of this module, which mostly wait, begin at once; a test waits for the end of its own."""
    stories = (_eats_too_much, _scales_in_around_it, _waits_for_it, _waits_as_long_as_it_was_told)
    tasks = {story.__name__: asyncio.create_task(story(ground)) for story in stories}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_a_worker_over_its_memory_limit_is_seen_as_killed_within_a_tick_and_the_cache_is_cut_not_the_fleet(
    told: dict[str, asyncio.Task[None]],
) -> None:
    await told["_eats_too_much"]


async def test_a_scale_in_with_an_empty_backlog_goes_around_the_busy_worker(
    told: dict[str, asyncio.Task[None]],
) -> None:
    await told["_scales_in_around_it"]


async def test_a_drained_worker_goes_when_its_activities_are_finished(told: dict[str, asyncio.Task[None]]) -> None:
    await told["_waits_for_it"]


async def test_a_worker_that_does_not_finish_is_killed_when_its_drain_time_ends_and_not_before(
    told: dict[str, asyncio.Task[None]],
) -> None:
    await told["_waits_as_long_as_it_was_told"]


async def _eats_too_much(ground: Ground) -> None:
    client = ground.client
    served = await Served.start(client, "memory", workers={"min": 2, "max": 4})
    # What a worker was never seen without, its first workflows seem to take: its cache may be cut, and it be replaced.
    await _look_until(served, lambda state: _empty(state) == 2)
    hoards = [await client.start_workflow(Hoard.run, id=f"hoard-{number}", task_queue="memory") for number in range(24)]
    before = await _look_until(served, lambda state: _cached(state) >= len(hoards))

    await asyncio.gather(*(hoard.signal(Hoard.eat, 48) for hoard in hoards))
    seen = await served.until(lambda state: bool(_kills(state)))
    first = min(_kills(seen), key=lambda kill: kill.at)
    size = _size(before)
    # A slow machine lets a tick see the memory on its way to the limit: the cut may come before the kill it is for.
    cut = await served.until(lambda state: (_size(state).cache or 0) < (size.cache or 0))
    for hoard in hoards:
        await hoard.terminate()

    assert seen.observation is not None
    assert seen.observation.observed_at - first.at < SHORTEST_TICK + timedelta(seconds=2)
    lines = [line for line in cut.decisions if {Reason.OOM_KILL, Reason.MEMORY_BREACH} & set(line.reasons)]
    assert lines
    assert all(line.size is not None and line.size.workers >= size.workers for line in lines)
    await served.update("stop", drain=True)


async def _scales_in_around_it(ground: Ground) -> None:
    """The backlog is empty and one worker is busy: the idle ones go."""
    served = await Served.start(
        ground.client, "scale-in", workers={"min": 1, "max": 3}, behaviour={"drain": "60s", "scale_in_window": "0s"}
    )
    await served.update("override", workers=3, for_="10m", reason="a test")
    await _look_until(served, lambda state: ready(state) == 3)
    labour = await ground.work("scale-in", 15.0)
    busy, everyone = ground.begun("scale-in"), await ground.pids("scale-in")
    await _look_until(served, lambda state: _busy(state) == 1)

    await served.update("override", workers=1, for_="10m", reason="a test")
    await come_true(lambda: sum(map(alive, everyone)) == 1, 40)
    still_busy = alive(busy)

    assert still_busy
    assert await labour.result() == busy
    await served.update("stop", drain=True)


async def _waits_for_it(ground: Ground) -> None:
    """Even a fleet that is given up lets an activity end."""
    served = await Served.start(ground.client, "patient", workers={"min": 1, "max": 1}, behaviour={"drain": "60s"})
    await _look_until(served, lambda state: ready(state) == 1)
    labour = await ground.work("patient", 6.0)

    await served.update("stop", drain=True)
    ended = await _ended(labour)
    await labour.terminate()

    assert not alive(ground.begun("patient"))
    assert ended == [EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED]


async def _ended(labour: WorkflowHandle[Labour, int]) -> list[int]:
    """How its activity ended; the workflow itself has nobody left to go on."""
    ends = (
        EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
    )
    return [event.event_type async for event in labour.fetch_history_events() if event.event_type in ends]


async def _waits_as_long_as_it_was_told(ground: Ground) -> None:
    """What does not end in its time is killed, and not before."""
    served = await Served.start(ground.client, "impatient", workers={"min": 1, "max": 1}, behaviour={"drain": "4s"})
    await _look_until(served, lambda state: ready(state) == 1)
    labour = await ground.work("impatient", 1000.0)
    pid = ground.begun("impatient")

    asked = time.monotonic()
    stop = asyncio.create_task(served.update("stop", drain=True))
    await come_true(lambda: not alive(pid), 30)
    seconds = time.monotonic() - asked
    await stop
    ended = await _ended(labour)
    await labour.terminate()

    assert seconds >= 4.0
    assert ended == []


async def _look_until(served: Served, holds: Callable[[State], bool]) -> State:
    async with asyncio.timeout(BOOT_SECONDS):
        while not holds(state := await served.look()):  # noqa: ASYNC110 (it is other processes' state)
            await asyncio.sleep(0.3)
    return state


def _busy(state: State) -> int:
    seen = state.observation
    return sum(worker.activity_slots_used or 0 for worker in seen.workers) if seen is not None else 0


def _size(state: State) -> Size:
    assert state.decision is not None
    assert state.decision.size is not None
    return state.decision.size


def _cached(state: State) -> int:
    return sum(worker.cached or 0 for worker in state.observation.workers) if state.observation is not None else 0


def _empty(state: State) -> int:
    """How many workers have said that nothing is in their caches yet."""
    return sum(worker.cached == 0 for worker in state.observation.ready) if state.observation is not None else 0


def _kills(state: State) -> list[WorkerExit]:
    seen = state.observation
    return [each for each in seen.exits if each.reason is ExitReason.OOM_KILLED] if seen is not None else []
