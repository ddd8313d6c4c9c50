"""The first workers, which nobody decides about yet; and the end of all.

A Deployment has a size before a controller takes it over. So has this group: its supervisor is told what is wanted and
gets no record, by which a controller would know what it did itself.
"""

import asyncio
from typing import Final

from activities.targets.supervisor.client import ask_or_start
from activities.targets.supervisor.protocol import Operation, Outcome, Request, Step
from activities.targets.supervisor.state import load
from activities.targets.supervisor.wanted import Definition, Wanted
from benchmarks.live.failure import RunFailed
from benchmarks.live.site import DRAIN_SECONDS, NAME, Site
from scaler.cli.composition import local_group
from scaler.cli.configuration_file import read_configuration
from scaler.fleet import DEFAULT_CACHE_VARIABLE

CACHE_AT_FIRST: Final = 1000
"""What an SDK caches where nobody says anything."""

READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1


async def start_workers(site: Site, workers: int) -> None:
    """Have so many that poll."""
    group = local_group(read_configuration(site.configuration).targets.local[NAME])
    wanted = Wanted(
        definition=Definition(
            command=tuple(group.command),
            directory=str(group.directory),
            environment=dict(group.environment),
            memory_limit_bytes=group.memory_limit_bytes,
            cache_variable=DEFAULT_CACHE_VARIABLE,
        ),
        workers=workers,
        cache=CACHE_AT_FIRST,
        drain_seconds=DRAIN_SECONDS,
        supervision=group.supervision,
    )
    answer = await ask_or_start(site.place, Request(operation=Operation.STEP, step=Step(revision=0, wanted=wanted)))
    if answer.outcome is not Outcome.DONE:
        raise RunFailed(f"the supervisor of the workers refused: {answer.detail}")
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not _all_poll(site, workers):  # noqa: ASYNC110 (they are other processes, which set no event here)
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        found = f"{workers} workers did not poll within {READY_SECONDS:.0f} s"
        raise RunFailed(f"{found}; what they said is in {site.place.logs}") from None


def _all_poll(site: Site, workers: int) -> bool:
    entries = load(site.place.state).workers
    return len(entries) == workers and all(site.place.ready(entry.name).exists() for entry in entries)
