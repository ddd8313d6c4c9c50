"""Reads a real server for a test, and waits until it tells something."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import uuid4

from activities.sources.budget import Budget

Seen = TypeVar("Seen")


class CountedBudget(Budget):
    """Counts the calls that are let through."""

    def __init__(self, calls_per_second: float = 200.0) -> None:
        super().__init__(calls_per_second)
        self.calls = 0

    async def take(self) -> None:
        await super().take()
        self.calls += 1


def new_queue(name: str) -> str:
    """A queue that nobody used before."""
    return f"{name}-{uuid4().hex[:8]}"


async def seen_once(look: Callable[[], Awaitable[Seen]], holds: Callable[[Seen], bool], seconds: float = 20.0) -> Seen:
    """Look until something is so."""
    seen = await look()
    try:
        async with asyncio.timeout(seconds):
            while not holds(seen):
                await asyncio.sleep(0.25)
                seen = await look()
    except TimeoutError:
        raise AssertionError(f"it was not seen; the last look: {seen}") from None
    return seen
