"""Asks programs of the user's for their version."""

import asyncio
import contextlib
import re
from collections.abc import Mapping

_ANSWER_SECONDS = 20


async def answer(arguments: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Run a short command and read what it prints; empty if it fails, hangs or is no program at all."""
    try:
        asked = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd="/",
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            printed, _ = await asked.communicate()
    except TimeoutError:
        return ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            asked.kill()
        await asked.wait()
    return printed.decode(errors="replace") if asked.returncode == 0 else ""


def version_after(word: str, text: str) -> tuple[int, ...] | None:
    """Read the version that follows a word: `(1, 26, 8)` after `go` in `go1.26.8`."""
    found = re.search(rf"\b{word} ?v?(\d+(?:\.\d+)+)", text)
    return None if found is None else tuple(int(number) for number in found[1].split("."))
