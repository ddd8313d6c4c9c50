"""Waits for a fleet's answer: as long as asked for where a controller serves it, a few seconds where none does."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio.service import RPCError, RPCStatusCode

UNSERVED_TIME = timedelta(seconds=5)
"""A controller answers within milliseconds; after so long it is worth asking whether there is one."""

QUERY_TIME = timedelta(seconds=5)
"""Deadline of one query. The SDK's own is 30 s, and what runs out then looks like a server that is not there."""

_AGAIN_SECONDS = 0.5

_NOBODY_ANSWERED = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION)
"""How the server ends a query that no worker took; the last also where a workflow task of the fleet fails."""

Answer = TypeVar("Answer")


@dataclass
class NoAnswer(Exception):  # noqa: N818 (it names what happened)
    """Nobody answered in time, or nobody is there who could."""

    waited: timedelta


async def patiently(answer: Awaitable[Answer], patience: timedelta, served: Callable[[], Awaitable[bool]]) -> Answer:
    """The answer; `NoAnswer` once patience is at its end, or sooner where nobody serves.

    Args:
        answer: What is waited for; cancelled where it does not come.
        patience: How long to wait where somebody serves.
        served: Whether a controller has asked for work lately.

    """
    asked = asyncio.ensure_future(answer)
    first = min(UNSERVED_TIME, patience)
    try:
        await asyncio.wait({asked}, timeout=first.total_seconds())
        waited = first
        if not asked.done() and patience > first and await served():
            waited = patience
            await asyncio.wait({asked}, timeout=(patience - first).total_seconds())
        if not asked.done():
            raise NoAnswer(waited)
        return asked.result()
    finally:
        asked.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await asked


async def until_answered(query: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask again for as long as nobody takes the question; all other errors come out."""
    while True:
        try:
            return await query()
        except RPCError as error:
            if error.status not in _NOBODY_ANSWERED:
                raise
        await asyncio.sleep(_AGAIN_SECONDS)
