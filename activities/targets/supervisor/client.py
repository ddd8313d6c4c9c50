"""Reaches a supervisor, and starts it where none answers. Used by the target and by people at a terminal."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from activities.targets.supervisor.environment import base_environment
from activities.targets.supervisor.protocol import ANSWERS, REQUESTS, Answer, Place, Request

ANSWER_TIMEOUT_SECONDS: Final = 5.0
START_TIMEOUT_SECONDS: Final = 20.0
SOCKET_PATH_BYTES: Final = 100
"""What every system takes as the address of a Unix socket: Linux 107 bytes, macOS 103."""


class NoSupervisor(Exception):  # noqa: N818 (it names what happened)
    """None answered, or none could be started; its words are fit for an operator."""


class NobodyListens(NoSupervisor):
    """There is none; one may be started."""


@contextmanager
def address(socket: Path) -> Iterator[str]:
    """A path to the socket that is short enough to bind or connect to; a link to its directory if need be."""
    if len(os.fsencode(socket)) <= SOCKET_PATH_BYTES:
        yield str(socket)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "d"
        link.symlink_to(socket.parent.absolute())
        yield str(link / socket.name)


async def ask(place: Place, request: Request) -> Answer:
    """One request, one answer.

    Raises:
        NobodyListens: No supervisor is there, or it ended before it answered.
        NoSupervisor: The answer did not come in time, or can't be read.

    """
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
            return ANSWERS.validate_json(await _exchange(place, REQUESTS.dump_json(request)))
    except TimeoutError:
        raise NoSupervisor(f"the supervisor in {place.directory} did not answer in time") from None
    except OSError as error:
        reason = error.strerror or error
        raise NobodyListens(f"no supervisor answers in {place.directory}: {reason}") from error
    except ValidationError as error:
        raise NoSupervisor(f"the supervisor in {place.directory} gave an answer that can't be read") from error


async def ask_or_start(place: Place, request: Request) -> Answer:
    """The same, but where nobody answers a supervisor is started; two that do so at once start one.

    Raises:
        NoSupervisor: None could be started, or it did not answer.

    """
    try:
        return await ask(place, request)
    except NobodyListens:
        await start(place)
        return await ask(place, request)


async def start(place: Place) -> None:
    """Have a supervisor running, detached from this process, or raise `NoSupervisor` with its last words."""
    command = [sys.executable, "-P", "-m", "activities.targets.supervisor", "start", str(place.directory)]
    try:
        starter = await asyncio.to_thread(
            subprocess.run,
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=base_environment(os.environ, with_python=True),
            text=True,
            timeout=START_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSupervisor(f"a supervisor for {place.directory} could not be started: {error}") from error
    if starter.returncode != 0:
        words = starter.stderr.strip().splitlines()[-1:] or [f"exit status {starter.returncode}"]
        raise NoSupervisor(f"a supervisor for {place.directory} could not be started: {words[0]}")


async def _exchange(place: Place, request: bytes) -> bytes:
    with address(place.socket) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(request)
        writer.write_eof()
        answer = await reader.read()
    finally:
        writer.close()
    if not answer:
        raise ConnectionResetError("it ended before it answered")
    return answer
