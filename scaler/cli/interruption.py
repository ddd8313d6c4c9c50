"""Ends a command early, on Ctrl-C or SIGTERM: everything that it started goes first."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from scaler.cli.exits import Exit

NUMBERS = (signal.SIGINT, signal.SIGTERM)


async def interruptible(body: Coroutine[Any, Any, None], at_once: Callable[[], None]) -> Exit:
    """Run to the end, or until the first signal cancels the body, which then ends what it started.

    Args:
        body: What is run.
        at_once: Ends what it started without waiting, before a second signal ends this process as it stands.

    """
    task, loop = asyncio.ensure_future(body), asyncio.get_running_loop()
    interrupted = False

    def asked(number: signal.Signals) -> None:
        nonlocal interrupted
        if interrupted:
            at_once()
            os._exit(128 + number)
        interrupted = True
        sys.stderr.write("\nEnding all that was started; once more ends it at once.\n")
        task.cancel()

    for number in NUMBERS:
        loop.add_signal_handler(number, asked, number)
    try:
        await task
    except asyncio.CancelledError:
        if not interrupted:
            raise
    finally:
        for number in NUMBERS:
            loop.remove_signal_handler(number)
    return Exit.INTERRUPTED if interrupted else Exit.OK
