"""The supervisor as a process: one for each place, answering at a socket, watching its group until it is of no use.

SIGTERM ends the supervisor alone: workers go on serving, and the next supervisor finds them again. To end the
workers too, scale to zero first. A controller that systemd runs needs `KillMode=process`, or its stop ends them all.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from activities.targets.supervisor import logs
from activities.targets.supervisor.client import address
from activities.targets.supervisor.group import Group
from activities.targets.supervisor.protocol import ANSWERS, REQUESTS, Answer, Operation, Outcome, Place, Request
from activities.targets.supervisor.state import keep_reserve

POLL_SECONDS: Final = 0.1
TIDY_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 60.0
EXCHANGE_SECONDS: Final = 10.0
REQUEST_BYTES: Final = 4 * 2**20
"""Far more than a definition with its environment has."""

LINGER_SECONDS: Final = 2.0
"""How long one without workers and owner waits for a first or a last request."""

_logger = logging.getLogger(__name__)


class Supervisor:
    """Answers requests about one group and polls it in between."""

    def __init__(self, place: Place, group: Group) -> None:
        self._place = place
        self._group = group
        self._end = asyncio.Event()
        self._shut_down = False  # asked to end; the answer goes first
        self._asked_at = time.monotonic()
        self._tidied_at = time.monotonic()
        self._quiet_until = 0.0  # until then a poll that fails says nothing

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until asked to end, or until there is nothing left to supervise."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        with address(self._place.socket) as path:
            server = await asyncio.start_unix_server(self._serve, path)
        on_ready()
        try:
            await self._watch()
        finally:
            self._place.socket.unlink(missing_ok=True)
            server.close()
            _logger.info("ended; %d workers go on", len(self._group.state.workers))

    async def _watch(self) -> None:
        while not self._end.is_set():
            now = time.monotonic()
            if self._group.state.at_rest and now - self._asked_at > LINGER_SECONDS:
                return
            self._poll(now)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._end.wait()

    def _poll(self, now: float) -> None:
        try:
            self._group.poll(now)
            if now - self._tidied_at >= TIDY_SECONDS:
                self._tidied_at = now
                logs.tidy(self._place.logs, {entry.name for entry in self._group.state.workers})
                keep_reserve(self._place.state)
        except Exception:  # of one poll: workers must not lose their supervisor for it
            if now >= self._quiet_until:  # ten polls a second would fill the log, and a disk with it
                self._quiet_until = now + QUIET_SECONDS
                _logger.exception("a poll failed; the next one tries again")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                writer.write(ANSWERS.dump_json(self._answer(await _asked(reader))))
                await writer.drain()
        except (OSError, TimeoutError) as error:
            _logger.info("nobody took the answer: %r", error)
        finally:
            writer.close()
            if self._shut_down:
                self._end.set()

    def _answer(self, asked: bytes) -> Answer:
        self._asked_at = time.monotonic()
        try:
            outcome, detail = self._take(REQUESTS.validate_json(asked))
        except ValidationError as error:
            outcome, detail = Outcome.REFUSED, f"the request can't be read: {_mistake(error)}"
        self._poll(time.monotonic())
        sight = self._group.sight(time.monotonic())
        return Answer(
            outcome=outcome,
            detail=detail,
            record=sight.state.record,
            revision=sight.state.revision,
            look=sight.look(),
            enforcement=sight.enforcement(),
            supervisor_pid=os.getpid(),
        )

    def _take(self, request: Request) -> tuple[Outcome, str | None]:
        now = time.monotonic()
        match request.operation:
            case Operation.LOOK:
                return Outcome.DONE, None
            case Operation.STEP if request.step is not None:
                return self._group.step(request.step, now), None
            case Operation.SCALE if request.workers is not None:
                refusal = self._group.scale(request.workers, now)
            case Operation.SHUTDOWN:
                workers = len(self._group.state.workers)
                refusal = f"{workers} workers are left; scale to zero first" if workers else None
                self._shut_down = not workers
            case _:
                refusal = "this supervisor knows no such operation, or it came without what it needs"
        return (Outcome.DONE, None) if refusal is None else (Outcome.REFUSED, refusal)


async def _asked(reader: asyncio.StreamReader) -> bytes:
    """What was asked; no more of it than can be a request, the rest makes it none."""
    try:
        return await reader.readexactly(REQUEST_BYTES)
    except asyncio.IncompleteReadError as whole:
        return whole.partial


def _mistake(error: ValidationError) -> str:
    """Where it is and what is wrong, without what was found: a request holds the workers' environment."""
    [first, *_] = error.errors(include_input=False, include_url=False, include_context=False)
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
