"""The fleets that run in this namespace, listed once for all who ask at the same time.

A controller that takes a thousand fleets in would list a thousand fleets a thousand times. Nobody is given a list that
was begun before they asked.
"""

import asyncio
import logging
from dataclasses import dataclass

from temporalio.client import Client, WorkflowExecution

from activities.requests import FLEET_MEMO, FleetMemo

RUNNING_FLEETS = 'WorkflowType="ScaleFleet" AND ExecutionStatus="Running"'

PAUSE, LONGEST_PAUSE_SECONDS = 4, 5.0
"""Between two lists, in lengths of the last: however many ask, listing takes no more than a fifth of the time."""


@dataclass(frozen=True, slots=True)
class RunningFleet:
    """A fleet's workflow, and what it stands for."""

    workflow_id: str
    memo: FleetMemo


Listed = tuple[RunningFleet, ...]


class RunningFleets:
    """Lists through one client.

    A memo is whatever the starter of a workflow likes: only those of workflows whose id is their fleet's are believed.
    """

    def __init__(self, client: Client, id_prefix: str) -> None:
        self._client = client
        self._id_prefix = id_prefix
        self._unreadable: set[str] = set()
        self._took_seconds = 0.0
        self._listing: asyncio.Task[Listed] | None = None
        self._next: asyncio.Task[Listed] | None = None

    async def read(self) -> Listed:
        """All that have been taken in; raises what the client raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._list_after(self._listing))
        return await asyncio.shield(self._next)

    async def _list_after(self, earlier: asyncio.Task[Listed] | None) -> Listed:
        if earlier is not None:
            await asyncio.wait({earlier})
            await asyncio.sleep(min(PAUSE * self._took_seconds, LONGEST_PAUSE_SECONDS))
        self._listing, self._next = self._next, None
        began = asyncio.get_running_loop().time()
        try:
            return await self._list()
        finally:
            self._took_seconds = asyncio.get_running_loop().time() - began

    async def _list(self) -> Listed:
        found = []
        async for execution in self._client.list_workflows(RUNNING_FLEETS):
            memo = await self._memo(execution)
            if memo is not None and self._is_of(execution.id, memo):
                found.append(RunningFleet(execution.id, memo))
        return tuple(found)

    async def _memo(self, execution: WorkflowExecution) -> FleetMemo | None:
        if not execution.id.startswith(f"{self._id_prefix}/"):
            return None
        try:
            return await execution.memo_value(FLEET_MEMO, default=None, type_hint=FleetMemo)
        except Exception:  # noqa: BLE001 (it may be anything, in any encoding)
            if execution.id not in self._unreadable:
                self._unreadable.add(execution.id)
                logging.getLogger(__name__).warning("The memo of %s is no fleet's; it is passed over", execution.id)
            return None

    def _is_of(self, workflow_id: str, memo: FleetMemo) -> bool:
        own = f"{self._id_prefix}/{memo.name}"
        return workflow_id == own or workflow_id.startswith(f"{own}/")
