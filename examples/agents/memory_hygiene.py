"""Makes a smaller workflow cache mean less memory in a Python worker.

An evicted workflow is a reference cycle: it stays until the cyclic collector runs, which counts objects, not bytes,
and the C library keeps what was freed. The README has measurements with and without this.
"""

import asyncio
import ctypes
import gc
from collections.abc import Callable
from typing import Final, NoReturn

_COLLECT_EVERY_SECONDS: Final = 2.0
_LARGEST_SHARE_OF_TIME: Final = 0.05
"""Collecting stops the worker, for longer the more objects are cached: then it comes less often."""


async def keep_memory_tidy() -> NoReturn:
    """Collect what was evicted, again and again. Begin when the worker has started, and cancel at its end."""
    give_back = _trimmer()
    gc.collect()
    gc.freeze()  # modules and the SDK live as long as the process: no collection need look at them again
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        gc.collect()
        give_back()
        await asyncio.sleep(max(_COLLECT_EVERY_SECONDS, (clock() - began) / _LARGEST_SHARE_OF_TIME))


def _trimmer() -> Callable[[], object]:
    """Gives freed memory back to the system where the C library can: glibc's `malloc_trim`, 0.1 to 20 ms."""
    trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda: trim(0)) if trim else (lambda: None)
