"""What other fleets claim: no two may count the whole of one queue's load, or scale one target.

It is asked when a fleet is submitted, and again while it runs: lists lag by seconds, so of two fleets that are started
together neither may see the other at first.
"""

import asyncio
import logging
from collections.abc import Iterator

from activities.requests import FleetMemo
from activities.running_fleets import Listed, RunningFleets
from scaler.door import Problem
from scaler.model.observation import Fault

ASKED_AGAIN_SECONDS = 300.0
MOST_FAULTS = 3


class Neighbours:
    """The fleets of one namespace, as they see each other."""

    def __init__(self, running: RunningFleets) -> None:
        self._running = running
        self._listed: Listed = ()
        self._listed_at: float | None = None
        self._listing: asyncio.Task[None] | None = None

    async def problems(self, claimed: FleetMemo) -> list[Problem]:
        """Every reason why a fleet may not run beside those that do."""
        return list(_problems(claimed, await self._running.read()))

    def faults(self, workflow_id: str) -> tuple[Fault, ...]:
        """The same for a fleet that runs, as of a few minutes ago at most; news are looked for in the background."""
        now = asyncio.get_running_loop().time()
        if self._listing is None and (self._listed_at is None or now - self._listed_at > ASKED_AGAIN_SECONDS):
            self._listed_at = now
            self._listing = asyncio.create_task(self._list())
        own = next((each.memo for each in self._listed if each.workflow_id == workflow_id), None)
        if own is None:
            return ()
        return tuple(Fault("other fleets", str(problem)) for problem in _problems(own, self._listed))[:MOST_FAULTS]

    async def _list(self) -> None:
        try:
            self._listed = await self._running.read()
        except Exception as error:  # noqa: BLE001 (whatever a server may answer; the list before stands)
            logging.getLogger(__name__).warning("Listing the running fleets failed: %s", error)
        finally:
            self._listing = None


def _problems(claimed: FleetMemo, listed: Listed) -> Iterator[Problem]:
    for other in listed:
        if other.memo.name != claimed.name:
            yield from collisions(claimed, other.memo)


def collisions(fleet: FleetMemo, other: FleetMemo) -> Iterator[Problem]:
    """Where two fleets meet, however each is spelt."""
    if fleet.target_identity == other.target_identity:
        yield Problem(("target",), f"is scaled by fleet {other.name} already")
    if fleet.temporal_place != other.temporal_place:
        return
    theirs = {queue.name: queue for queue in other.task_queues}
    for index, queue in enumerate(fleet.task_queues):
        shared = theirs.get(queue.name)
        if shared is None or not set(queue.types) & set(shared.types):
            continue
        if queue.share is None or shared.share is None:
            message = f"{queue.name} is polled by fleet {other.name} too; both must declare their share"
            yield Problem(("task_queues", index, "share"), message)
