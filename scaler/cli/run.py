"""`run`: the controller. It can be ended at any moment; the fleets' workers go on serving."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from temporalio.service import RPCError

from scaler.cli.composition import parts_of
from scaler.cli.configuration_file import Places, read_configuration
from scaler.cli.connection import connection_settings, in_words
from scaler.cli.controller import serve
from scaler.cli.options import HERE, Connection, Terminal
from scaler.cli.server_answers import namespace_missing, see_namespace

_logger = logging.getLogger(__name__)


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Running(Terminal):
    """What is run."""

    configuration: Path | None = None
    """Its configuration; else TEMPORAL_SCALER_CONFIGURATION, the user's own file, or ./temporal-scaler.yaml."""
    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """Touch nothing: record what would be done, for fleets that were applied with --dry-run."""
    log_level: Level = Level.INFO
    """How much is logged, to standard error."""


AS_CONFIGURED = Running()


async def run(*, running: Running = AS_CONFIGURED, connection: Connection = HERE) -> None:
    """Run a controller: it serves the fleets of its namespace until Ctrl-C or SIGTERM.

    It may be ended at any moment, and several may run: fleets go on where they were, and their workers serve
    meanwhile. A second signal ends it at once.

    Args:
        running: What is run.
        connection: The Temporal server whose namespace holds the fleets' workflows.

    """
    _log_plainly(running.log_level)
    file = Places.of_user(os.environ).configuration_file(running.configuration)
    configuration = read_configuration(file)
    parts = await parts_of(configuration, connection, dry_run=running.dry_run)
    try:
        await see_namespace(parts.client)
    except RPCError as error:
        if namespace_missing(error):
            raise in_words(error, connection_settings(connection, os.environ)) from error
    kind = "Dry run" if running.dry_run else "Controller"
    _logger.info("%s in namespace %s, configured by %s", kind, parts.client.namespace, file)
    with _until_asked() as leave:
        await serve(parts, leave)
    _logger.info("Left; the workers of all fleets go on serving")


@contextmanager
def _until_asked() -> Iterator[asyncio.Event]:
    """An event that the first SIGTERM or SIGINT sets; the second one ends this process as it stands."""
    leave, loop = asyncio.Event(), asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        if leave.is_set():
            os._exit(128 + number)
        _logger.info("%s: leaving; once more ends it at once", number.name)
        leave.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, asked, number)
    try:
        yield leave
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _log_plainly(level: Level) -> None:
    """One line for each event on standard error, in UTC."""
    lines = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    lines.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    logging.basicConfig(level=getattr(logging, level.name), handlers=[handler])
    if level is Level.INFO:
        logging.getLogger("temporalio").setLevel(logging.WARNING)
