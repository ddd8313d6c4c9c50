"""A program that ends with this process, whatever ends this process (see keeper.py)."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from devserver import keeper

_TAIL_BYTES = 16_384
_LINE_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run; what it prints is appended to `log`."""

    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    folder: Path | None = None
    held: tuple[int, ...] = ()
    """File descriptors, such as a lock's, that stay open until the program is really gone."""


class KeptProgram:
    """A running command. Its keeper waits for it, so that an ended one is gone, its ports and files with it."""

    def __init__(self, command: Command, keeping: asyncio.subprocess.Process, log_offset_bytes: int) -> None:
        self._command = command
        self._keeping = keeping
        self._log_offset_bytes = log_offset_bytes

    @classmethod
    async def start(cls, command: Command) -> Self:
        """Run the command in a session of its own: a Ctrl-C is for us, and we end it when we are done with it."""
        with command.log.open("ab") as log:
            log_offset_bytes = log.tell()
            keeping = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", keeper.__file__, *command.arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=command.environment,
                cwd=command.folder,
                pass_fds=command.held,
                start_new_session=True,
            )
        return cls(command, keeping, log_offset_bytes)

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._keeping.returncode

    async def wait(self) -> None:
        """Wait until it ends by itself."""
        await self._keeping.wait()

    async def stop(self) -> None:
        """Let it end gracefully, for a bounded time."""
        await self._order(b"")

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._order(keeper.KILL)

    async def _order(self, order: bytes) -> None:
        pipe = self._keeping.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(order)
            pipe.close()
        await self._keeping.wait()

    def last_lines(self, count: int = 5) -> str:
        """What it logged last since it was started, for an error message."""
        with self._command.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_offset_bytes, end - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"  {_shortened(line)}" for line in lines[-count:] if line.strip())


def _shortened(line: str) -> str:
    """Keep both ends: some programs say what is wrong first, others last."""
    half = _LINE_CHARACTERS // 2
    return line if len(line) <= _LINE_CHARACTERS else f"{line[:half]} … {line[-half:]}"
