"""What an experiment found: one JSON line on standard output, and the same as a file that is kept."""

import asyncio
import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.calibration.ground import Ground, ground

RESULTS: Final = Path(__file__).parent / "results"
DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Fitted constants, how far off they or the model are, and whether that is inside the band of acceptance."""

    constants: Mapping[str, Any]
    residuals: Mapping[str, Any]
    band: str
    met: bool
    why_not: str = ""  # what was asked for and could not be had, where the band is not met
    details: Mapping[str, Any] = field(default_factory=dict)


def run(number: str, experiment: Callable[[Ground], Awaitable[Outcome]]) -> None:
    """Run one experiment on a server of its own, and tell what it found. Its file is named as its module is.

    Ends the process without taking the interpreter down piece by piece: a thread of the SDK may be handing over a
    result just then, and would abort it.
    """
    asyncio.run(_run(number, _main_name(), experiment))
    sys.stdout.flush()
    os._exit(0)


async def _run(number: str, name: str, experiment: Callable[[Ground], Awaitable[Outcome]]) -> None:
    clock = asyncio.get_running_loop().time
    async with ground() as site:
        psutil.cpu_percent()
        began = clock()
        outcome = await experiment(site)
        seconds = clock() - began
        told = {
            "experiment": number,
            "command": f"python -m {name}",
            "met": outcome.met,
            "band": outcome.band,
            "why_not": outcome.why_not,
            "constants": outcome.constants,
            "residuals": outcome.residuals,
            "details": outcome.details,
            "seconds": seconds,
            "circumstances": {
                "server": site.server_version,
                "sdk": f"temporalio {version('temporalio')}",
                "python": platform.python_version(),
                "cores": os.cpu_count(),
                "busy_share_of_all_cores": psutil.cpu_percent() / 100,
                "one_minute_load_after": os.getloadavg()[0],
            },
        }
    rounded = _rounded(told)
    sys.stdout.write(json.dumps(rounded) + "\n")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name.rpartition('.')[2]}.json"
    file.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def _main_name() -> str:
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        raise RuntimeError("an experiment runs as a module: python -m benchmarks.calibration.NAME")
    return spec.name


def _rounded(told: Any) -> Any:
    """Four significant digits: the rest is noise, and would make every run look like news."""
    if isinstance(told, Mapping):
        return {str(name): _rounded(value) for name, value in told.items()}
    if isinstance(told, (list, tuple)):
        return [_rounded(value) for value in told]
    if isinstance(told, float):
        return float(f"{told:.{DIGITS}g}")
    return told.item() if hasattr(told, "item") else told
