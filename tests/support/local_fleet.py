"""A fleet of real processes for a test: sends plans as the workflow would, and ends all that it started."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from activities.targets.contract import StepTaken, TargetLook, TargetWorker
from activities.targets.local import LocalGroup, LocalTarget
from activities.targets.supervisor.cgroup import MemoryCgroup
from activities.targets.supervisor.client import NoSupervisor, ask, ask_or_start
from activities.targets.supervisor.protocol import Answer, Operation, Place, Request
from activities.targets.supervisor.session import READY_VARIABLE, Sessions, WorkerSession, identify, kill
from activities.targets.supervisor.state import WorkerEntry, load
from activities.targets.supervisor.wanted import BackOff, Supervision
from scaler.fleet import Fleet
from scaler.model.common import Generation, Owner, Size
from scaler.model.observation import WorkerState
from scaler.model.plan import Plan, Stamp

OWNER = Owner("default", "worker-scaler/orders")
LIMIT_BYTES = 64 * 2**20
SLEEPS = ("sleep", "1000")
QUICK = Supervision(back_off=BackOff(initial_seconds=0.2, limit_seconds=0.4), ready_after_seconds=0.1)
ON_WORD = replace(QUICK, ready_after_seconds=1000.0)
"""A worker is ready when it says so: it has set its signals up by then."""
PATIENT = Supervision(back_off=BackOff(initial_seconds=1000.0, limit_seconds=1000.0), ready_after_seconds=0.1)


def python(code: str) -> tuple[str, ...]:
    """The command line of a small worker; isolated, so that it starts fast."""
    return (sys.executable, "-I", "-S", "-c", code)


SAYS_READY = "import os, signal, time; ready = lambda: open(os.environ['TEMPORAL_SCALER_READY_FILE'], 'w')\n"
STUBBORN = python(f"{SAYS_READY}signal.signal(signal.SIGTERM, signal.SIG_IGN); ready(); time.sleep(1000)")


def fleet(**changes: Any) -> Fleet:
    """A fleet whose target is the group `orders`."""
    declared: dict[str, Any] = {
        "name": "orders",
        "target": {"kind": "local", "name": "orders"},
        "task_queues": [{"name": "orders"}],
        "workers": {"min": 0, "max": 10},
        "behaviour": {"drain": "5s"},
    }
    return Fleet.model_validate(declared | changes)


def group(*command: str, **changes: Any) -> LocalGroup:
    """What the controller's configuration would say."""
    plain = LocalGroup(
        command=command or SLEEPS, directory=Path("/"), memory_limit_bytes=LIMIT_BYTES, supervision=QUICK
    )
    return replace(plain, **changes)


async def lives(_: Owner) -> bool:
    """Every owner does."""
    return True


@dataclass
class LocalFleet:
    """One controller's view of the group, and the test's hand on its processes."""

    state_directory: Path
    group: LocalGroup
    fleet: Fleet
    owner: Owner = OWNER
    generation: int = 0

    @property
    def target(self) -> LocalTarget:
        """A new one each time: nothing may depend on what a controller remembers."""
        return LocalTarget({"orders": self.group}, self.state_directory, lives)

    @property
    def place(self) -> Place:
        """The files of the group."""
        return Place(self.target.directory(self.fleet))

    def stamp(self, **changes: Any) -> Stamp:
        """The next generation of this owner's plans."""
        self.generation += 1
        plain = Stamp(owner=self.owner, generation=Generation(1.0, self.generation), wake_from=datetime.now(UTC))
        return replace(plain, **changes)

    async def claim(self) -> StepTaken:
        """Look as a workflow does first."""
        return await self.target.step(self.fleet, Plan(size=None, until=datetime.now(UTC)), self.stamp())

    async def release(self) -> StepTaken:
        """Give the group up."""
        plan = Plan(size=None, until=datetime.now(UTC))
        return await self.target.step(self.fleet, plan, self.stamp(release=True))

    async def plan(self, workers: int, cache: int | None = 100, **changes: Any) -> StepTaken:
        """Have so many workers under this cache size."""
        plan = replace(Plan(size=Size(workers, cache), until=datetime.now(UTC)), **changes)
        return await self.target.step(self.fleet, plan, self.stamp())

    async def ready(self, workers: int, cache: int | None = 100, **changes: Any) -> TargetLook:
        """The same, and wait until they are ready and nobody else is left."""
        await self.plan(workers, cache, **changes)
        return await self.until(lambda look: states(look) == [WorkerState.READY] * workers)

    async def look(self) -> TargetLook:
        """What a controller sees."""
        return await self.target.look(self.fleet)

    async def until(self, holds: Callable[[TargetLook], bool], seconds: float = 15.0) -> TargetLook:
        """Look until something is so."""
        look = await self.look()
        try:
            async with asyncio.timeout(seconds):
                while not holds(look):
                    await asyncio.sleep(0.05)
                    look = await self.look()
        except TimeoutError:
            raise AssertionError(f"it did not come to be; the last look: {look}") from None
        return look

    async def answer(self) -> Answer:
        """All that the supervisor knows; starts none."""
        return await ask(self.place, Request(operation=Operation.LOOK))

    async def answer_or_start(self) -> Answer:
        """The same; starts one where none answers."""
        return await ask_or_start(self.place, Request(operation=Operation.LOOK))

    async def supervisor(self) -> psutil.Process:
        """The supervisor's process."""
        pid = (await self.answer()).supervisor_pid
        assert pid is not None
        return psutil.Process(pid)

    async def kill_supervisor(self) -> None:
        """As nothing can prepare for."""
        supervisor = await self.supervisor()
        supervisor.kill()
        await gone(supervisor)

    async def end(self) -> None:
        """End what this test started: its supervisor first, then its workers, by their process ids."""
        with suppress(NoSupervisor, psutil.NoSuchProcess):
            await self.kill_supervisor()
        for entry in load(self.place.state).workers:
            await self._end_worker(entry)
        for pid in self.running():  # which a full disk kept from being written down
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()

    def running(self) -> set[int]:
        """Every process that carries the mark of this group's workers."""
        found = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(READY_VARIABLE, "").startswith(str(self.place.directory)):
                    found.add(process.pid)
        return found

    async def _end_worker(self, entry: WorkerEntry) -> None:
        if entry.process is None:
            return
        session = WorkerSession(entry.process, self.place.ready(entry.name))
        members = session.living(Sessions())
        kill(members)
        for process in members:
            await gone(process)
        if entry.cgroup is not None:
            MemoryCgroup(Path(entry.cgroup)).remove()


@asynccontextmanager
async def local_fleet(
    state_directory: Path, of: LocalGroup, declared: Fleet | None = None
) -> AsyncIterator[LocalFleet]:
    """A claimed group that is ended with the test."""
    opened = LocalFleet(state_directory, of, declared or fleet())
    try:
        await opened.claim()
        yield opened
    finally:
        await opened.end()


def states(look: TargetLook) -> list[WorkerState]:
    """What the workers can do."""
    return [worker.seen.state for worker in look.workers]


def pids(look: TargetLook) -> dict[str, int | None]:
    """The workers' processes."""
    return {worker.seen.name: worker.process_id for worker in look.workers}


def names(look: TargetLook) -> list[str]:
    """Of all workers that are not on their way out."""
    return [worker.seen.name for worker in look.workers if worker.seen.state is not WorkerState.DRAINING]


def worker(look: TargetLook, name: str) -> TargetWorker:
    """One of them."""
    return next(worker for worker in look.workers if worker.seen.name == name)


def alive(pid: int | None) -> bool:
    """Whether the process runs; a zombie that its parent left does not."""
    if pid is None or identify(pid) is None:
        return False
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def gone(process: psutil.Process, seconds: float = 10.0) -> None:
    """Wait until a process is no more."""
    await come_true(lambda: not process.is_running() or not alive(process.pid), seconds)


async def come_true(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (it is another process's state, which sets no event here)
            await asyncio.sleep(0.02)


def strike(pid: int | None) -> None:
    """Kill one worker of the test's own."""
    assert pid
    os.kill(pid, signal.SIGKILL)
