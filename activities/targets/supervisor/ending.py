"""Ends a local group with all that belongs to it: workers, then their supervisor. Needs no Temporal server."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress

import psutil

from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.protocol import Operation, Place, Request
from activities.targets.supervisor.session import Sessions, WorkerSession, kill
from activities.targets.supervisor.state import StateUnreadable, load

GRACE_SECONDS = 8.0
GONE_SECONDS = 5.0
_LOOK_SECONDS = 0.1


async def end_group(place: Place) -> None:
    """Ask the workers to end, kill those that did not within a grace, and end their supervisor."""
    supervisors = list(_supervisor(place))
    with suppress(NoSupervisor, TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await ask(place, Request(operation=Operation.SCALE, workers=0))
            await _emptied(place)
            await ask(place, Request(operation=Operation.SHUTDOWN))
            await _gone(supervisors)
    kill_group(place)
    await _gone(supervisors)


async def _emptied(place: Place) -> None:
    while (await ask(place, Request(operation=Operation.LOOK))).look.workers:  # noqa: ASYNC110 (it has no event here)
        await asyncio.sleep(_LOOK_SECONDS)


def kill_group(place: Place) -> None:
    """End what is left at once; the supervisor first, or it would start its workers anew."""
    kill(_supervisor(place))
    with suppress(StateUnreadable):
        for entry in load(place.state).workers:
            if entry.process is not None:
                kill(WorkerSession(entry.process, place.ready(entry.name)).living(Sessions()))


def _supervisor(place: Place) -> Iterator[psutil.Process]:
    """The process that the lock names, if it is the supervisor of this place: its id may be another's by now."""
    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int(place.lock.read_text()))
        if str(place.directory) in process.cmdline():
            yield process


async def _gone(processes: Iterable[psutil.Process]) -> None:
    """Wait until they have ended, for a bounded time. One that nobody reaps has ended too."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GONE_SECONDS):
            while any(map(_runs, processes)):  # noqa: ASYNC110 (they are not our children: nothing tells of their end)
                await asyncio.sleep(_LOOK_SECONDS)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
