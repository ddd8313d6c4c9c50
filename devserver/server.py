"""A Temporal server to work with; one that was started here can be killed and started again."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from devserver.kept_program import Command, KeptProgram
from devserver.readiness import open_namespace
from devserver.request import TemporalServerError
from scaler.cli.server_answers import server_version

_USABLE_SECONDS = 60
_LOOK_SECONDS = 0.1


class ServerProgram:
    """A server that was started here. It keeps its file and its port over a kill."""

    def __init__(self, command: Command, address: str, namespace: str) -> None:
        self._command = command
        self._address = address
        self._namespace = namespace
        self._kept: KeptProgram | None = None

    async def start(self) -> str:
        """Start it, for the first time or again, and wait until its namespace can be worked in; its version."""
        self._kept = await KeptProgram.start(self._command)
        try:
            async with asyncio.timeout(_USABLE_SECONDS):
                return await self._usable(self._kept)
        except TimeoutError:
            await self.kill()
            raise self._failure(f"was not usable within {_USABLE_SECONDS} s") from None

    async def kill(self) -> None:
        """End it as a crash or a lost machine would; returns when it is gone."""
        if self._kept is not None:
            await self._kept.kill()

    async def stop(self) -> None:
        """End it gracefully, within seconds."""
        if self._kept is not None:
            await self._kept.stop()

    async def _usable(self, kept: KeptProgram) -> str:
        while kept.exit_status is None:
            try:
                client = await Client.connect(self._address, namespace=self._namespace)
                version = await server_version(client)
                await open_namespace(client)
            except (RuntimeError, RPCError, TimeoutError):
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return version
        raise self._failure(f"ended at once with status {kept.exit_status}")

    def _failure(self, what: str) -> TemporalServerError:
        said = "" if self._kept is None else self._kept.last_lines()
        log = self._command.log
        return TemporalServerError(f"The Temporal server {what}. Its last log lines (more in {log}):\n{said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A Temporal server whose namespace can be worked in."""

    address: str
    namespace: str
    version: str
    """As the server itself says."""
    ui_url: str | None = None
    log_path: Path | None = None
    program: ServerProgram | None = None
    """None for a server that was there before."""
