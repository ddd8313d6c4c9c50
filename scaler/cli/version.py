"""`version`: what this is, and what it talks to."""

import platform
from dataclasses import dataclass
from importlib.metadata import version as installed

from scaler.cli.configuration import APPLICATION
from scaler.cli.connection import connected
from scaler.cli.exits import CommandFailed
from scaler.cli.options import HERE, SHOWN, Connection, Output
from scaler.cli.screen import Screen
from scaler.cli.server_answers import server_version
from scaler.cli.words import first_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What runs here, and the server if it answers."""

    temporal_scaler: str
    sdk: str
    python: str
    server: str | None
    problem: str | None = None


async def version(*, connection: Connection = HERE, output: Output = SHOWN) -> None:
    """Show the versions of this program, of its SDK, and of the server if one answers.

    Args:
        connection: Where the server is.
        output: How the answer is written.

    """
    server, problem = await _server(connection)
    screen = Screen(output)
    found = Versions(
        temporal_scaler=installed(APPLICATION),
        sdk=installed("temporalio"),
        python=platform.python_version(),
        server=server,
        problem=problem,
    )
    if screen.json:
        screen.document(found, Versions)
        return
    lines = [
        f"temporal-scaler {found.temporal_scaler}",
        f"temporalio      {found.sdk}",
        f"Python          {found.python}",
        f"Temporal server {found.server or found.problem}",
    ]
    screen.lines(lines)


async def _server(connection: Connection) -> tuple[str | None, str | None]:
    try:
        async with connected(connection) as client:
            return await server_version(client), None
    except CommandFailed as error:
        return None, first_line(str(error))
