"""The stage of a demo: a Temporal server, a controller in this process, and a fleet of real workers on this machine.

Whatever happens on it, all that was started is ended with it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.service import RPCError

from activities.targets.local import LocalTarget
from activities.targets.supervisor.ending import end_group
from activities.targets.supervisor.protocol import Place
from devserver import Machine, Progress, Server, ServerRequest, provide, quickest_sources
from examples.demo.cast import Cast
from examples.demo.recorder import Thought
from scaler.cli.controller import OwnerLiveness, Parts, serve, signal_source
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleets import FleetWorkflows
from scaler.fleet import TargetKind
from workflows.messages import TASK_QUEUE
from workflows.payloads import DATA_CONVERTER

CALLS_PER_SECOND = 50.0


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything that is up while a demo runs."""

    folder: Path
    server: Server
    client: Client
    cast: Cast
    workflows: FleetWorkflows
    place: Place
    """Where the supervisor of the fleet's workers is reached."""
    entered: bool = False
    """Whether the fleet's workflow was started here."""

    async def thought(self) -> Thought | None:
        """The fleet's state."""
        try:
            return Thought(state=await self.workflows.status(self.cast.fleet.name))
        except CommandFailed:
            return None


@asynccontextmanager
async def server_for(folder: Path, existing: ClientConnectConfig | None, progress: Progress) -> AsyncIterator[Server]:
    """A server of the demo's own, or the one that was named."""
    machine = Machine.of_user()
    request = ServerRequest(folder=folder, existing=existing, sources=quickest_sources(machine))
    async with provide(request, progress, machine) as server:
        yield server


async def connected(server: Server) -> Client:
    """A client of the server."""
    return await Client.connect(server.address, namespace=server.namespace, data_converter=DATA_CONVERTER)


def local_target(cast: Cast, folder: Path, server: Server, client: Client) -> LocalTarget:
    """Where the cast's workers are started, reaching this server."""
    group = cast.group(_reach(folder, server))
    return LocalTarget({cast.fleet.target.name or "": group}, folder / "workers", OwnerLiveness(client).lives)


@asynccontextmanager
async def set_stage(cast: Cast, folder: Path, server: Server) -> AsyncIterator[Stage]:
    """Have a controller that serves the cast's fleet; the fleet is not declared yet."""
    client = await connected(server)
    target = local_target(cast, folder, server, client)
    place = Place(target.directory(cast.fleet))
    parts = Parts(
        client=client,
        task_queue=TASK_QUEUE,
        targets={TargetKind.LOCAL: target},
        signals=signal_source({None: client}, CALLS_PER_SECOND),
    )
    workflows = FleetWorkflows(client, dry_run=False, patience=None)
    stage = Stage(folder=folder, server=server, client=client, cast=cast, workflows=workflows, place=place)
    async with AsyncExitStack() as ends:
        ends.push_async_callback(end_group, place)
        ends.push_async_callback(_give_up, stage)  # after the controller has left, which else would hear of it
        await ends.enter_async_context(_controller(parts))
        yield stage


async def _give_up(stage: Stage) -> None:
    """A server that was there before must not keep a fleet that nobody serves any more."""
    fleet = stage.workflows.workflow_id(stage.cast.fleet.name)
    if stage.entered:
        with suppress(RPCError):
            await stage.client.get_workflow_handle(fleet).terminate("the demo has ended")


async def enter(stage: Stage) -> None:
    """Declare the fleet with the workers that somebody once set by hand."""
    name = stage.cast.fleet.name
    if not await stage.workflows.start(name, stage.cast.declared_at_first):
        raise CommandFailed(
            Exit.REFUSED,
            f"a fleet named {name} runs on {stage.server.address} already",
            f"Stop it (temporal-scaler stop {name} --drain), or give the demo no address: it brings its own server.",
        )
    stage.entered = True
    await stage.workflows.taken_in(name)


async def hand_over(stage: Stage) -> None:
    """Open the declaration: from now on the number of workers is decided too."""
    await stage.workflows.update(stage.cast.fleet.name, "apply", stage.cast.declared)


@asynccontextmanager
async def _controller(parts: Parts) -> AsyncIterator[None]:
    """A controller for as long as the body runs; if it fails, the body is cancelled."""
    leave = asyncio.Event()
    async with asyncio.TaskGroup() as running:
        running.create_task(serve(parts, leave))
        try:
            yield
        finally:
            leave.set()


def _reach(folder: Path, server: Server) -> dict[str, str]:
    """How workers find the server: from nothing that the user has set for others."""
    nothing = folder / "temporal.toml"
    nothing.touch()
    return {
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": server.namespace,
        "TEMPORAL_CONFIG_FILE": str(nothing),
    }
