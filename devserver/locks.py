"""Locks between processes. The kernel drops one with its last holder, so that a crash leaves none behind."""

import asyncio
import fcntl
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.2


def try_lock(path: Path) -> IO[bytes] | None:
    """Take the lock; it is held until the file is closed. None if somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


async def lock(path: Path) -> IO[bytes]:
    """Wait for the lock and take it."""
    while (file := try_lock(path)) is None:  # noqa: ASYNC110 - flock can only block or be polled
        await asyncio.sleep(_POLL_SECONDS)
    return file
