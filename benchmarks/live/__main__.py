"""A load on real workers that this product sizes, and what it came to: `make live ARGS='--help'`.

See docs/benchmarks.md.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from activities.targets.supervisor.ending import kill_group
from benchmarks.live.failure import RunFailed
from benchmarks.live.live_run import measured
from benchmarks.live.options import Options, Output, read_options
from benchmarks.live.report import as_line, as_table
from benchmarks.live.site import Site
from scaler.cli.interruption import interruptible

FAILED: Final = 1
_SAID: Final = Console(highlight=False, soft_wrap=True, stderr=True)


async def measure(options: Options, site: Site) -> None:
    """One run, and its figures on standard output."""
    found = await measured(options, site, _SAID.print)
    _SAID.print(f"Samples, logs and the fleet's history are in {site.path}.")
    if options.output is Output.JSON:
        sys.stdout.write(f"{as_line(options, found)}\n")
    else:
        Console(highlight=False, soft_wrap=True).print(as_table(found))


async def main() -> int:
    """The exit status."""
    options, site = read_options(), Site.made(datetime.now(UTC))
    try:
        return await interruptible(measure(options, site), lambda: kill_group(site.place))
    except RunFailed as failed:
        _SAID.print(f"Nothing was measured: {failed}", markup=False)
        return FAILED


if __name__ == "__main__":
    status = asyncio.run(main())
    sys.stdout.flush()
    os._exit(status)  # the SDK may abort an interpreter that ends piece by piece; all is written by now
