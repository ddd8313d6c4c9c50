"""Puts a controller together: clients, sources, targets and the workers that serve the fleets' workflows.

The one place where the parts meet.
"""

import asyncio
import logging
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.check_target import Serving, TargetChecker
from activities.neighbours import Neighbours
from activities.observing import LONGEST_LOOK_SECONDS, Surroundings
from activities.reconcile import LONGEST_STEP_SECONDS, Reconciler
from activities.running_fleets import RunningFleets
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

MOST_WATCHES = int(0.9 * FLEETS_PER_CONTROLLER)
"""With more, ticks are short: every one takes a slot while it lasts, and submitted fleets could not be checked."""

STICKY_WAIT = timedelta(seconds=3)
"""A decision that waits longer for this controller's cache is made by another: this one may have gone."""

LAST_DECISIONS = timedelta(seconds=1)
"""How long a leaving controller goes on deciding what its last ticks told."""

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
    cluster: str = ""  # the id of the namespace, which no other server's has
    host: str = field(default_factory=socket.gethostname)

    @property
    def host_queue(self) -> str:
        """Where ticks of targets that live on this host are served."""
        return f"{self.task_queue}@{self.host}"


async def serve(parts: Parts, until: asyncio.Event) -> None:
    """Serve fleets until the event; their workers are left serving."""
    neighbours = Neighbours(RunningFleets(parts.client, parts.task_queue))
    around = Surroundings(cluster=parts.cluster, neighbours=neighbours, most_watches=MOST_WATCHES)
    reconciler = Reconciler(parts.targets, parts.signals, parts.signals.clock, around)
    serving = Serving(task_queue=parts.task_queue, host=parts.host)
    checker = TargetChecker(neighbours, parts.targets, serving, parts.signals)
    loops = Worker(
        parts.client,
        task_queue=parts.task_queue,
        workflows=[ScaleFleet],
        # The sandbox costs 45 ms and its own copies for each fleet, which a restarted controller pays for all at once.
        # Replay tests run in it.
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=2 * FLEETS_PER_CONTROLLER,
        max_concurrent_workflow_tasks=100,
        max_concurrent_workflow_task_polls=POLLS,
        nonsticky_to_sticky_poll_ratio=NEW_WORKFLOWS_SHARE,
        sticky_queue_schedule_to_start_timeout=STICKY_WAIT,
        graceful_shutdown_timeout=LEAVING,
    )
    ticks = [
        Worker(
            parts.client,
            task_queue=queue,
            activities=[reconciler.reconcile, checker.check_target],
            max_concurrent_activities=FLEETS_PER_CONTROLLER,
            max_concurrent_activity_task_polls=POLLS,
            graceful_shutdown_timeout=LEAVING,
        )
        for queue in (parts.task_queue, parts.host_queue)
    ]
    async with AsyncExitStack() as running:
        for worker in (loops, *ticks):
            await running.enter_async_context(worker)
        logging.getLogger(__name__).info("Serving %s and %s", parts.task_queue, parts.host_queue)
        await until.wait()
        reconciler.leave()
        # Both at once: one that still polled would take up the ticks that the other gives back.
        await asyncio.gather(*(worker.shutdown() for worker in ticks))
        # What the last ticks told is decided here yet, so that the next controller finds ticks to serve and no loop
        # that waits for this one's cache.
        await asyncio.sleep(LAST_DECISIONS.total_seconds())
        await loops.shutdown()


def signal_source(
    clients: Mapping[str | None, Client], calls_per_second: float, clock: ServerTime | None = None
) -> SignalSource:
    """Sources for each named connection; None is the controller's own. All live within one budget and one time."""
    budget, clock = Budget(calls_per_second), clock or ServerTime()
    return SignalSource({name: ConnectionSignals(client, Gate(budget, clock)) for name, client in clients.items()})


class OwnerLiveness:
    """Tells whether the workflow that a target's record names still runs."""

    def __init__(self, client: Client, cluster: str = "") -> None:
        self._client = client
        self._cluster = cluster

    async def lives(self, owner: Owner) -> bool:
        """Whether it runs; where that can't be found out it is taken to, since a target has one owner at most."""
        elsewhere = bool(owner.cluster and self._cluster) and owner.cluster != self._cluster
        if owner.namespace != self._client.namespace or elsewhere:
            return True
        try:
            description = await self._client.get_workflow_handle(owner.workflow_id).describe()
        except RPCError as error:
            return error.status is not RPCStatusCode.NOT_FOUND
        return description.status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
