"""The controller of a run: `temporal-scaler run` as anybody runs it, and `apply` for its one fleet."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.live.failure import RunFailed
from benchmarks.live.site import ROOT, Site

PROGRAM: Final = Path(sys.executable).with_name("temporal-scaler")
SERVES_SECONDS: Final = 60.0
LEAVES_SECONDS: Final = 20.0
_SERVES: Final = "Serving worker-scaler"
_LOOK_SECONDS: Final = 0.1


@asynccontextmanager
async def controller(site: Site, address: str) -> AsyncIterator[None]:
    """Have one that has taken the fleet over, for as long as the body runs."""
    process = await _started(site, address, "run", "--configuration", str(site.configuration))
    try:
        await _serves(process, site)
        applied = await _started(site, address, "apply", "-f", str(site.fleet))
        try:
            async with asyncio.timeout(SERVES_SECONDS):
                status = await applied.wait()
        finally:
            await _ended(applied)
        if status != 0:
            raise RunFailed(f"the fleet was not taken over; see {site.controller_log}")
        yield
    finally:
        await _ended(process)


async def _started(site: Site, address: str, *arguments: str) -> asyncio.subprocess.Process:
    """In a session of its own: Ctrl-C is for the benchmark, which ends what it started in order."""
    nothing_of_others = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    with site.controller_log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            str(PROGRAM),
            *arguments,
            cwd=ROOT,
            env={**nothing_of_others, **site.reach(address)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def _serves(process: asyncio.subprocess.Process, site: Site) -> None:
    try:
        async with asyncio.timeout(SERVES_SECONDS):
            while _SERVES not in site.controller_log.read_text(encoding="utf-8"):
                if process.returncode is not None:
                    raise RunFailed(f"the controller ended at once; see {site.controller_log}")
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise RunFailed(f"the controller did not serve in time; see {site.controller_log}") from None


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Ask it to leave, and end it where it does not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(LEAVES_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
