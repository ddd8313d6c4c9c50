"""Becomes the one supervisor of a place, in a session of its own that outlives whoever started it."""

import fcntl
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from activities.targets.supervisor.client import NoSupervisor, address
from activities.targets.supervisor.protocol import Place

LOCK_TIMEOUT_SECONDS: Final = 15.0
_RETRY_SECONDS: Final = 0.05
_READY: Final = "ready"

_logger = logging.getLogger(__name__)

Serve = Callable[[Callable[[], None]], None]
"""Serves until it is over; calls its argument once it answers."""


def lock(place: Place) -> bool:
    """Become the only supervisor, for as long as this process or a fork of it lives. False where another listens.

    Raises:
        NoSupervisor: Another one holds the place and does not listen.

    """
    descriptor = os.open(place.lock, os.O_RDWR | os.O_CREAT, 0o600)  # workers don't inherit it
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _listens(place):
                os.close(descriptor)
                return False
        else:
            return True
        if time.monotonic() > deadline:
            holder = os.read(descriptor, 20).decode()
            raise NoSupervisor(f"process {holder} holds {place.lock} and does not listen; end it, its workers go on")
        time.sleep(_RETRY_SECONDS)


def detached(place: Place, serve: Serve) -> None:
    """Serve in a new session, and return here once it answers.

    Raises:
        NoSupervisor: It ended before; with its last words.

    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        _leave(place)
        _serve(serve, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        words = pipe.read()
    if words != _READY:
        raise NoSupervisor(words or f"it ended while it started; see {place.logs}")


def _leave(place: Place) -> None:
    """Nothing of the starter's session, terminal or directory is kept."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDONLY)
    last_words = os.open(place.logs / "supervisor.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, replacement in ((0, nothing), (1, last_words), (2, last_words)):
        os.dup2(replacement, descriptor)


def _serve(serve: Serve, writing: int) -> NoReturn:
    """Serve, and end this process without going back to where it was forked."""
    status = 1
    try:
        serve(lambda: _tell(writing, _READY))
        status = 0
    except Exception as error:
        _logger.exception("ended by an error")
        with suppress(OSError):  # it had been closed with the first word
            _tell(writing, str(error))
    finally:
        os._exit(status)


def _tell(writing: int, words: str) -> None:
    os.write(writing, words.encode())
    os.close(writing)


def _listens(place: Place) -> bool:
    """Whether somebody listens; it need not be up to answering."""
    with address(place.socket) as path, socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(_RETRY_SECONDS)
        return caller.connect_ex(path) == 0
