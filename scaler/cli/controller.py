"""Puts a controller together: clients, sources, targets and the workers that serve the fleets' workflows.

The one place where the parts meet.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.check_target import TargetChecker
from activities.observing import LONGEST_LOOK_SECONDS
from activities.reconcile import LONGEST_STEP_SECONDS, Reconciler
from activities.server_time import ServerTime
from activities.sources.budget import Budget
from activities.sources.gate import Gate
from activities.sources.signals import ConnectionSignals, SignalSource
from activities.targets.contract import Target
from scaler.fleet import TargetKind
from scaler.model.common import Owner
from workflows.scale_fleet import ScaleFleet

FLEETS_PER_CONTROLLER = 2000
"""Watches that one process holds at once; its workflow cache exceeds them, or it would replay all the time."""

POLLS = 20
"""Of each kind. With the SDK's five, of which one takes new workflows, a slow server takes a thousand fleets in and
hands their ticks out one after another."""

NEW_WORKFLOWS_SHARE = 0.5
"""Of workflow polls: after a restart all fleets come as new ones."""

LEAVING = timedelta(seconds=LONGEST_STEP_SECONDS + LONGEST_LOOK_SECONDS + 2)
"""How long ticks have to return what they saw when the controller is asked to go. Watches do so at once; a step that is
under way is never left half done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a controller is made of."""

    client: Client
    task_queue: str
    targets: Mapping[TargetKind, Target]
    signals: SignalSource

    @property
    def host_queue(self) -> str:
        """Where ticks of targets that live on this host are served."""
        return f"{self.task_queue}@{socket.gethostname()}"


async def serve(parts: Parts, until: asyncio.Event) -> None:
    """Serve fleets until the event; their workers are left serving."""
    reconciler = Reconciler(parts.targets, parts.signals, parts.signals.clock)
    checker = TargetChecker(parts.client, parts.targets, parts.task_queue)
    activities: list[Callable[..., Any]] = [reconciler.reconcile, checker.check_target]
    common = Worker(
        parts.client,
        task_queue=parts.task_queue,
        workflows=[ScaleFleet],
        activities=activities,
        # The sandbox costs 45 ms and its own copies for each fleet, which a restarted controller pays for all at once.
        # Replay tests run in it.
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=2 * FLEETS_PER_CONTROLLER,
        max_concurrent_workflow_tasks=100,
        max_concurrent_workflow_task_polls=POLLS,
        nonsticky_to_sticky_poll_ratio=NEW_WORKFLOWS_SHARE,
        max_concurrent_activities=FLEETS_PER_CONTROLLER,
        max_concurrent_activity_task_polls=POLLS,
        graceful_shutdown_timeout=LEAVING,
    )
    of_this_host = Worker(
        parts.client,
        task_queue=parts.host_queue,
        activities=activities,
        max_concurrent_activities=FLEETS_PER_CONTROLLER,
        max_concurrent_activity_task_polls=POLLS,
        graceful_shutdown_timeout=LEAVING,
    )
    async with AsyncExitStack() as running:
        for worker in (common, of_this_host):
            await running.enter_async_context(worker)
        logging.getLogger(__name__).info("Serving %s and %s", parts.task_queue, parts.host_queue)
        await until.wait()
        reconciler.leave()
        # Both at once: one that still polled would take up the ticks that the other gives back.
        await asyncio.gather(common.shutdown(), of_this_host.shutdown())


def signal_source(
    clients: Mapping[str | None, Client], calls_per_second: float, clock: ServerTime | None = None
) -> SignalSource:
    """Sources for each named connection; None is the controller's own. All live within one budget and one time."""
    budget, clock = Budget(calls_per_second), clock or ServerTime()
    return SignalSource({name: ConnectionSignals(client, Gate(budget, clock)) for name, client in clients.items()})


class OwnerLiveness:
    """Tells whether the workflow that a target's record names still runs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def lives(self, owner: Owner) -> bool:
        """Whether it runs; where that can't be found out it is taken to, since a target has one owner at most."""
        if owner.namespace != self._client.namespace:
            return True
        try:
            description = await self._client.get_workflow_handle(owner.workflow_id).describe()
        except RPCError as error:
            return error.status is not RPCStatusCode.NOT_FOUND
        return description.status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
