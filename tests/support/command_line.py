"""Runs the console script as a person or a script would, and ends all that it started."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("temporal-scaler")
LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """A command that is through."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class CommandLine:
    """The console script, or another program, with a directory and an environment of its own."""

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (str(PROGRAM),)

    async def __call__(self, *arguments: str, stdin: str = "") -> Ended:
        """Run one command to its end."""
        process = await self._start(*arguments)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                out, err = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Ended(process.returncode or 0, out.decode(), err.decode())

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A command that runs until it is told to end."""
        process = await self._start(*arguments)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.program,
            *arguments,
            cwd=self.directory,
            env=self._bare() | dict(self.environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    def _bare(self) -> dict[str, str]:
        """Nothing of the settings that whoever runs the tests has for Temporal or for colours."""
        mine = ("TEMPORAL_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        return kept | {"HOME": str(self.directory)}


async def line_of(process: asyncio.subprocess.Process, text: str, *, error: bool = True) -> str:
    """Wait for a line that holds a text."""
    stream = process.stderr if error else process.stdout
    assert stream is not None
    seen = ""
    async with asyncio.timeout(LONGEST_SECONDS):
        while line := (await stream.readline()).decode():
            seen += line
            if text in line:
                return line
    raise AssertionError(f"{text!r} was never said, but:\n{seen}")


async def ended(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    """Send a signal and wait for the end; its status."""
    process.send_signal(number)
    async with asyncio.timeout(LONGEST_SECONDS):
        return await process.wait()
