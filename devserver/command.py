"""`dev-server`: a Temporal server on this machine, as the demo and the tests have one, until it is told to end."""

import asyncio
from pathlib import Path
from typing import Annotated

import platformdirs
from cyclopts import Parameter

from devserver.find import quickest_sources
from devserver.launch import FIRST_PORT, LAST_PORT
from devserver.provide import provide
from devserver.request import Machine, ServerRequest, TemporalServerError
from scaler.cli.configuration import APPLICATION
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.interruption import interruptible

DEFAULT_PORT = 7233


async def dev_server(
    *,
    port: int = DEFAULT_PORT,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "default",
    folder: Path | None = None,
    web_ui: bool = True,
) -> Exit:
    """Run a Temporal server on this machine until Ctrl-C, for trying things out: loopback only, no credentials.

    A `temporal` command of 1.6 or newer is used where one is there. Else the stock server is downloaded with it, or
    built from its Go module the first time, which takes minutes.

    Args:
        port: Where it listens.
        namespace: Registered if it is not there.
        folder: Holds its database and its log: a server that starts on it again knows what it knew. Default: in the
            user's state directory.
        web_ui: Have its Web UI too.

    """
    if not FIRST_PORT <= port <= LAST_PORT:
        raise CommandFailed(Exit.USAGE, f"--port must be {FIRST_PORT} to {LAST_PORT}, found {port}")
    machine = Machine.of_user()
    request = ServerRequest(
        folder=folder or platformdirs.user_state_path(APPLICATION) / "dev-server",
        namespace=namespace,
        port=port,
        sources=quickest_sources(machine),
        web_ui=web_ui,
    )
    up = asyncio.Event()
    ended = await interruptible(_serve(request, up), lambda: None)
    return Exit.OK if up.is_set() else ended


async def _serve(request: ServerRequest, up: asyncio.Event) -> None:
    try:
        async with provide(request):
            up.set()
            await asyncio.Event().wait()
    except TemporalServerError as error:
        raise CommandFailed(Exit.UNREACHABLE, str(error)) from error
