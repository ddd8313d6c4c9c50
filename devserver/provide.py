"""Provides a Temporal server: the user's own, or one that is started here and ends with us."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from devserver.existing import existing_server
from devserver.find import find_server
from devserver.kept_program import Command, KeptProgram
from devserver.launch import LOOPBACK, Commands, Launch, ServerKind, launch_on_free_ports
from devserver.locks import lock
from devserver.progress import Progress
from devserver.request import Machine, ServerRequest, TemporalServerError
from devserver.server import Server, ServerProgram

_FOLDER_SECONDS = 8
"""Longer than a server takes to end after it lost its parent."""
_WEB_UI_SECONDS = 15
_PORT_ATTEMPTS = 3


@asynccontextmanager
async def provide(
    request: ServerRequest, progress: Progress | None = None, machine: Machine | None = None
) -> AsyncIterator[Server]:
    """Have a Temporal server for as long as the body runs.

    Args:
        request: What is wanted.
        progress: Where long waits show; standard error by default.
        machine: Where programs are found and kept; by default as the user of this process has them.

    Raises:
        TemporalServerError: None can be had; the message has the remedy.

    """
    if request.existing is not None:
        yield await existing_server({"namespace": request.namespace, **request.existing})
        return
    progress, machine = progress or Progress(), machine or Machine.of_user()
    request = replace(request, folder=request.folder.resolve())
    kind = await find_server(request.sources, machine, progress, web_ui=request.web_ui)
    async with AsyncExitStack() as ends:
        held = ends.enter_context(await _only_server_on(request.folder))
        site = _Site(folder=request.folder, environment=machine.without_temporal_settings(), held=held)
        server = await _start(kind, request, site, ends)
        web_ui = "" if server.ui_url is None else f", Web UI at {server.ui_url}"
        progress.say(f"Temporal server {server.version} ({kind.title}) at {server.address}{web_ui}.")
        yield server


async def _only_server_on(folder: Path) -> IO[bytes]:
    """Two servers on one database would undo each other's work. A dying server holds this until it is gone."""
    try:
        async with asyncio.timeout(_FOLDER_SECONDS):
            return await lock(folder / "in-use.lock")
    except TimeoutError:
        raise TemporalServerError(
            f"Another Temporal server runs on {folder}.\nEnd it, or choose another folder."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """What all processes on one folder share."""

    folder: Path
    environment: Mapping[str, str]
    held: IO[bytes]

    def command(self, arguments: tuple[str, ...], log: str) -> Command:
        return Command(
            arguments=arguments,
            log=self.folder / log,
            environment=self.environment,
            held=(self.held.fileno(),),
        )


async def _start(kind: ServerKind, request: ServerRequest, site: _Site, ends: AsyncExitStack) -> Server:
    """Somebody may take a port between our look and the server's start; then others are chosen."""
    for _ in range(_PORT_ATTEMPTS - 1):
        try:
            return await _start_once(kind, request, site, ends)
        except TemporalServerError as error:
            if "address already in use" not in str(error):
                raise
    return await _start_once(kind, request, site, ends)


async def _start_once(kind: ServerKind, request: ServerRequest, site: _Site, ends: AsyncExitStack) -> Server:
    launch = launch_on_free_ports(request)
    commands = kind.commands(launch)
    command = site.command(commands.server, "temporal-server.log")
    program = ServerProgram(command, launch.address, request.namespace)
    ends.push_async_callback(program.stop)
    return Server(
        address=launch.address,
        namespace=request.namespace,
        version=await program.start(),
        ui_url=await _web_ui(launch, commands, site, ends),
        log_path=command.log,
        program=program,
    )


async def _web_ui(launch: Launch, commands: Commands, site: _Site, ends: AsyncExitStack) -> str | None:
    """Start the Web UI where it is a process of its own; None where there is none or it does not come up."""
    if commands.web_ui is not None:
        shown = await KeptProgram.start(site.command(commands.web_ui, "web-ui.log"))
        ends.push_async_callback(shown.stop)
        if not await _listens(launch.web_ui_port):
            return None
    return launch.web_ui_url if commands.web_ui or commands.web_ui_included else None


async def _listens(port: int) -> bool:
    try:
        async with asyncio.timeout(_WEB_UI_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection(LOOPBACK, port)
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return True
    except TimeoutError:
        return False
