"""Says what a long wait is waiting for: in place on a terminal, elsewhere as a plain line now and then."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from rich.console import Console
from rich.text import Text

from scaler.wire.units import format_duration

_PLAIN_LINE_SECONDS = 15


class Progress:
    """Where a person, or whoever reads a build log, sees how far things are."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    def say(self, text: str) -> None:
        """Write one line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @asynccontextmanager
    async def wait(self, title: str, so_far: Callable[[], str] = lambda: "waiting") -> AsyncIterator[None]:
        """Show a wait while the body runs, with what `so_far` says and the time that passed."""
        began = time.monotonic()

        def passed() -> str:
            return format_duration(timedelta(seconds=round(time.monotonic() - began)))

        with contextlib.ExitStack() as shown:
            if self._console.is_terminal:
                status = shown.enter_context(self._console.status(Text(title)))
                ticks = _every(1, lambda: status.update(Text(f"{title}\n  {passed()}: {so_far()}")))
            else:
                self.say(title)
                ticks = _every(_PLAIN_LINE_SECONDS, lambda: self.say(f"  {passed()}: {so_far()}"))
            ticker = asyncio.create_task(ticks)
            try:
                yield
            finally:
                ticker.cancel()
        self.say(f"{title}\n  Done in {passed()}." if self._console.is_terminal else f"  Done in {passed()}.")


async def _every(seconds: float, show: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        show()
