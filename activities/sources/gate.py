"""The one way through which sources call a Temporal server: within the budget, bounded in time, backing off.

Whatever goes wrong comes back as `SourceUnavailable` with words for an operator; vendor errors stop here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio.service import RPCError, RPCStatusCode

from activities.server_time import ServerTime
from activities.sources.budget import Budget

Answer = TypeVar("Answer")

CALL_TIMEOUT = timedelta(seconds=5)
NO_ANSWER = f"no answer within {CALL_TIMEOUT.total_seconds():.0f} s"
TIMED_OUT = (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)

FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 1.0, 60.0


class SourceUnavailable(Exception):  # noqa: N818 (it names what happened)
    """A source could not be read; its words are fit for an operator and hold no secret."""


class NotThere(SourceUnavailable):
    """The server knows nothing of the kind."""


class Gate:
    """Lets the calls of one connection through, as the budget allows.

    After RESOURCE_EXHAUSTED nobody calls for a while, twice as long each time in a row. Servers limit lists and
    histories apart, and more than other calls; a refusal of those says nothing of the others.
    """

    def __init__(self, budget: Budget, clock: ServerTime | None = None) -> None:
        self.budget = budget
        self.clock = clock or ServerTime()
        self._server = _BackOff("the server")
        self._sampling = _BackOff("sampling")

    async def call(self, rpc: Callable[..., Awaitable[Answer]], request: object) -> Answer:
        """Send one request; raise `SourceUnavailable` where there is no answer."""
        self._server.check()
        await self.budget.take()
        return await self._server.watched(_sent(rpc, request))

    async def call_for_sampling(self, rpc: Callable[..., Awaitable[Answer]], request: object) -> Answer:
        """The same for what nobody waits for: such calls may take a part of the budget only."""
        self._server.check()
        self._sampling.check()
        await self.budget.take_for_sampling()
        self._server.check()
        return await self._sampling.watched(_sent(rpc, request))


class _Refused(SourceUnavailable):
    """The server has too much to do."""


_KINDS: dict[RPCStatusCode, type[SourceUnavailable]] = {
    RPCStatusCode.RESOURCE_EXHAUSTED: _Refused,
    RPCStatusCode.NOT_FOUND: NotThere,
}


class _BackOff:
    """When calls of one kind may be sent again."""

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._seconds = 0.0
        self._closed_at = -1.0
        self._closed_until = 0.0

    @property
    def left_seconds(self) -> float:
        """For how long no call is to be sent; none where that is not positive."""
        return self._closed_until - _now()

    def check(self) -> None:
        """Raise `SourceUnavailable` while no call is to be sent."""
        if self.left_seconds > 0:
            raise SourceUnavailable(f"{self._whose} is over its limit; asking again in {self.left_seconds:.0f} s")

    async def watched(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Send it, and learn from its answer."""
        self.check()
        sent_at = _now()
        try:
            answer = await call()
        except _Refused:
            self._close(sent_at)
            raise
        if sent_at > self._closed_at:
            self._seconds = 0.0
        return answer

    def _close(self, sent_at: float) -> None:
        """Calls that were under way when it closed tell nothing new."""
        if sent_at <= self._closed_at:
            return
        self._seconds = min(LONGEST_BACK_OFF_SECONDS, max(FIRST_BACK_OFF_SECONDS, 2 * self._seconds))
        self._closed_at = _now()
        self._closed_until = self._closed_at + self._seconds
        logging.getLogger(__name__).warning(
            "%s is over its limit; no such calls for %.0f s", self._whose, self._seconds
        )


def _sent(rpc: Callable[..., Awaitable[Answer]], request: object) -> Callable[[], Awaitable[Answer]]:
    async def send() -> Answer:
        try:
            return await asyncio.wait_for(rpc(request, timeout=CALL_TIMEOUT), CALL_TIMEOUT.total_seconds() + 1)
        except RPCError as error:
            raise _KINDS.get(error.status, SourceUnavailable)(_words(error)) from error
        except TimeoutError as error:
            raise SourceUnavailable(NO_ANSWER) from error

    return send


def _now() -> float:
    return asyncio.get_running_loop().time()


def _words(error: RPCError) -> str:
    if error.status in TIMED_OUT:
        return NO_ANSWER
    first_line = error.message.splitlines()[0] if error.message else ""
    return f"{error.status.name}: {first_line[:160]}"
