"""A worker process under measurement: what it uses, what it counts, and its end."""

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MIB: Final = 2**20
_LOOK_SECONDS: Final = 0.01
_END_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcess:
    """One process; `began` is when it was asked for, on the event loop's clock."""

    process: asyncio.subprocess.Process
    files: Path
    metrics_port: int
    began: float

    async def polls(self, within_seconds: float) -> float:
        """Wait until it polls; how long that took from when it was asked for."""
        async with asyncio.timeout(within_seconds):
            while not (self.files / "ready").exists():
                if self.process.returncode is not None:
                    raise RuntimeError(f"the worker ended with status {self.process.returncode} before it polled")
                await asyncio.sleep(_LOOK_SECONDS)
        return asyncio.get_running_loop().time() - self.began

    @property
    def resident_bytes(self) -> int:
        """Memory that the process holds, as a limit would count it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    @property
    def cpu_seconds(self) -> float:
        """CPU time that it has used."""
        figures = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")

    async def counters(self) -> dict[str, float]:
        """Its SDK metrics, summed over their labels."""
        return await asyncio.to_thread(scraped, self.metrics_port)

    def records(self) -> list[dict[str, Any]]:
        """What its activities wrote down, one for each that ended."""
        with suppress(FileNotFoundError):
            lines = (self.files / "records").read_text(encoding="ascii").splitlines()
            return [json.loads(line) for line in lines]
        return []

    async def leave(self) -> float:
        """Ask it to go and wait until it has; how long that took."""
        clock = asyncio.get_running_loop().time
        began = clock()
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_END_SECONDS):
            await self.process.wait()
        return clock() - began

    async def kill(self) -> None:
        """End it as a lost machine would."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


def scraped(port: int) -> dict[str, float]:
    """The metrics shown at a port of this machine; OSError where nobody answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return summed(answer.read().decode())


def summed(exposition: str) -> dict[str, float]:
    """Prometheus' text format, each metric summed over its labels."""
    totals: dict[str, float] = {}
    for name, value in _samples(exposition):
        totals[name] = totals.get(name, 0.0) + value
    return totals


def _samples(exposition: str) -> Iterator[tuple[str, float]]:
    for line in exposition.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            yield series.partition("{")[0].removeprefix("temporal_"), float(value)
