"""The one way through which sources call a Temporal server: within a budget, bounded in time, backing off.

Whatever goes wrong comes back as `SourceUnavailable` with words for an operator; vendor errors stop here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from aiolimiter import AsyncLimiter
from temporalio.service import RPCError, RPCStatusCode

Answer = TypeVar("Answer")

CALL_TIMEOUT = timedelta(seconds=5)
FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 1.0, 60.0


class SourceUnavailable(Exception):  # noqa: N818 (it names what happened)
    """A source could not be read; its words are fit for an operator and hold no secret."""


class Gate:
    """Lets so many calls a second through, for all fleets of this controller together.

    After RESOURCE_EXHAUSTED nobody calls for a while, twice as long each time in a row.
    """

    def __init__(self, calls_per_second: float) -> None:
        self.calls_per_second = calls_per_second
        self._limiter = AsyncLimiter(calls_per_second, 1.0)
        self._back_off_seconds = 0.0
        self._closed_until = 0.0

    async def call(self, rpc: Callable[..., Awaitable[Answer]], request: object) -> Answer:
        """Send one request; raise `SourceUnavailable` where there is no answer."""
        wait_seconds = self._closed_until - asyncio.get_running_loop().time()
        if wait_seconds > 0:
            raise SourceUnavailable(f"the server is over its limit; asking again in {wait_seconds:.0f} s")
        async with self._limiter:
            try:
                answer = await asyncio.wait_for(rpc(request, timeout=CALL_TIMEOUT), CALL_TIMEOUT.total_seconds() + 1)
            except RPCError as error:
                self._back_off(error.status)
                raise SourceUnavailable(_words(error)) from error
            except TimeoutError as error:
                raise SourceUnavailable(f"no answer within {CALL_TIMEOUT.total_seconds():.0f} s") from error
        self._back_off_seconds = 0.0
        return answer

    def _back_off(self, status: RPCStatusCode) -> None:
        if status is not RPCStatusCode.RESOURCE_EXHAUSTED:
            return
        longer = max(FIRST_BACK_OFF_SECONDS, 2 * self._back_off_seconds)
        self._back_off_seconds = min(LONGEST_BACK_OFF_SECONDS, longer)
        self._closed_until = asyncio.get_running_loop().time() + self._back_off_seconds
        logging.getLogger(__name__).warning("Temporal server over its limit; no calls for %.0f s", longer)


def _words(error: RPCError) -> str:
    first_line = error.message.splitlines()[0] if error.message else ""
    return f"{error.status.name}: {first_line[:160]}"
