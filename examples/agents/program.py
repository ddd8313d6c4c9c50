"""Runs a program and ends its process."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any, Final, NoReturn

_INTERRUPTED: Final = 130


def run(main: Coroutine[Any, Any, None]) -> NoReturn:
    """`asyncio.run`, but without taking the interpreter down piece by piece.

    A thread of the SDK may be just handing over a result when that happens, and then aborts the process (temporalio
    1.35 on Python 3.11: one in five workers that had drained). Whoever started it would take that for a crash.
    """
    status = 0
    try:
        asyncio.run(main)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)
