"""What one controller costs that serves 1, 10, 100 and 1,000 fleets: `python -m benchmarks.fleets`.

A real server, a controller process of its own, fleets at rest on a target that only records. See docs/benchmarks.md.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from temporalio.api.workflowservice.v1 import RecordWorkerHeartbeatRequest
from temporalio.client import Client

from benchmarks.fleets.measure import Ticks, cpu_seconds, quantile
from benchmarks.fleets.still import BEATS, beats, declared, name_of
from devserver import PINNED_BUILD, Server, ServerRequest, provide
from workflows.messages import DRY_RUN_TASK_QUEUE, WORKFLOW_TYPE
from workflows.payloads import DATA_CONVERTER

COUNTS: Final = (1, 10, 100, 1000)
DEFAULT_CALLS_PER_SECOND: Final = 50.0
CALLS_PER_FLEET: Final = 0.15
"""A second: two statistics and a part of a list of workers, every twenty seconds."""

SETTLING_SECONDS: Final = 30.0
"""Until all ticks have the length that they have at rest."""

WINDOW_SECONDS: Final = 60.0
GIVEN_UP_SECONDS: Final = 240.0
ONE_PARTITION: Final = {"matching.numTaskqueueReadPartitions": 1, "matching.numTaskqueueWritePartitions": 1}
"""Of each task queue: four, as by default, are four times the rows that a server on one SQLite file has to keep up."""

STARTS_AT_ONCE: Final = 20
FLEETS_PER_CALL: Final = 50

_SCREEN: Final = Console(highlight=False, soft_wrap=True)


@dataclass
class Bench:
    """A server with fleets on it, and the controllers that were started so far."""

    client: Client
    address: str
    folder: Path
    fleets: int
    calls_per_second: float
    started: int = 0
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def controller(self) -> "Running":
        """Start one more controller; nobody waits for it."""
        self.started += 1
        journal = self.folder / f"journal-{self.started}"
        journal.touch()
        log = (self.folder / f"controller-{self.started}.log").open("wb")
        where = (self.address, self.client.namespace, str(self.calls_per_second), str(journal))
        spawned = time.clock_gettime(time.CLOCK_REALTIME)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.fleets.controller", *where, stdout=log, stderr=log
        )
        log.close()
        self.processes.append(process)
        return Running(process, psutil.Process(process.pid), journal, spawned)

    async def start_fleets(self) -> None:
        """Start all workflows."""
        turns = asyncio.Semaphore(STARTS_AT_ONCE)

        async def start(number: int) -> None:
            async with turns:
                await self.client.start_workflow(
                    WORKFLOW_TYPE,
                    declared(number),
                    id=f"{DRY_RUN_TASK_QUEUE}/{name_of(number)}",
                    task_queue=DRY_RUN_TASK_QUEUE,
                )

        await asyncio.gather(*map(start, range(self.fleets)))

    async def beat(self) -> None:
        """Send all workers' heartbeats, again and again."""
        while True:
            for first in range(0, self.fleets, FLEETS_PER_CALL):
                numbers = range(first, min(first + FLEETS_PER_CALL, self.fleets))
                request = RecordWorkerHeartbeatRequest(
                    namespace=self.client.namespace, worker_heartbeat=beats(numbers, datetime.now(UTC))
                )
                await self.client.workflow_service.record_worker_heartbeat(request)
                await asyncio.sleep(BEATS.total_seconds() / 2 * FLEETS_PER_CALL / max(self.fleets, FLEETS_PER_CALL))
            await asyncio.sleep(BEATS.total_seconds() / 2)


@dataclass(frozen=True)
class Running:
    """One controller process."""

    process: asyncio.subprocess.Process
    seen: psutil.Process
    journal: Path
    spawned: float

    async def all_ticked(self, fleets: int) -> list[float]:
        """When each fleet ticked first, in seconds after the start of the process."""
        given_up = self.spawned + GIVEN_UP_SECONDS
        while len(first := Ticks.read(self.journal).first()) < fleets:
            if time.clock_gettime(time.CLOCK_REALTIME) > given_up or self.process.returncode is not None:
                raise SystemExit(f"only {len(first)} of {fleets} fleets ticked; see {self.journal.parent}")
            await asyncio.sleep(0.5)
        return [at - self.spawned for at in first]


async def measured(fleets: int, options: argparse.Namespace) -> None:
    """One count of fleets, from an empty server to the second restart."""
    calls_per_second = options.calls_per_second or max(DEFAULT_CALLS_PER_SECOND, CALLS_PER_FLEET * fleets)
    with tempfile.TemporaryDirectory(prefix="fleets-") as folder:
        request = ServerRequest(
            folder=Path(folder), namespace="fleets", sources=PINNED_BUILD, web_ui=False, dynamic_config=ONE_PARTITION
        )
        async with provide(request) as server:
            client = await Client.connect(server.address, namespace="fleets", data_converter=DATA_CONVERTER)
            bench = Bench(client, server.address, Path(folder), fleets, calls_per_second)
            async with _ended(bench):
                await _measure(bench, server, options.window, kill=options.kill)


async def _measure(bench: Bench, server: Server, window: float, *, kill: bool) -> None:
    _say(f"{bench.fleets} fleets, {bench.calls_per_second:.0f} calls a second allowed, server {server.version}")
    first = await bench.controller()
    began = time.monotonic()
    await bench.start_fleets()
    await first.all_ticked(bench.fleets)
    _say(f"  started          all fleets ticked {time.monotonic() - began:.1f} s after the first start")
    await asyncio.sleep(SETTLING_SECONDS)
    await _steady(first, bench.fleets, window)
    second = await _restarted(bench, first, "left with SIGTERM", first.process.terminate)
    if kill:
        await _restarted(bench, second, "killed", second.process.kill)


async def _steady(running: Running, fleets: int, window: float) -> None:
    """A stretch at rest."""
    server = _server_process()
    since, cpu, server_cpu = time.clock_gettime(time.CLOCK_REALTIME), cpu_seconds(running.seen), cpu_seconds(server)
    await asyncio.sleep(window)
    until = time.clock_gettime(time.CLOCK_REALTIME)
    cpu, server_cpu = cpu_seconds(running.seen) - cpu, cpu_seconds(server) - server_cpu
    memory, ticks = running.seen.memory_info().rss, Ticks.read(running.journal)
    count, late, lengths = (
        ticks.between(since, until),
        ticks.late_seconds(since, until),
        ticks.lengths_seconds(since, until),
    )
    _say(
        f"  at rest          {count} ticks in {until - since:.0f} s ({count / (until - since):.2f}/s, each planned for "
        f"{quantile(lengths, 0.5):.0f} s)\n"
        f"  controller       {100 * cpu / (until - since):.1f} % of a core, {1000 * cpu / max(count, 1):.1f} ms a tick "
        f"({1000 * cpu / (until - since) / fleets:.2f} ms a second and fleet), {memory / 2**20:.0f} MiB resident\n"
        f"  server           {100 * server_cpu / (until - since):.1f} % of a core\n"
        f"  source calls     {ticks.calls_per_second(since, until):.1f}/s\n"
        f"  ticks late by    p50 {_ms(late, 0.5)}, p95 {_ms(late, 0.95)}, p99 {_ms(late, 0.99)}, "
        f"worst {_ms(late, 1.0)} ({len(late)} ticks)"
    )


async def _restarted(bench: Bench, running: Running, how: str, end: Callable[[], None]) -> Running:
    """End the controller, start another, and wait until all fleets have ticked with it."""
    began = time.monotonic()
    end()
    await running.process.wait()
    gone = time.monotonic() - began
    another = await bench.controller()
    took = await another.all_ticked(bench.fleets)
    _say(
        f"  restarted        ({how}, gone after {gone:.1f} s) first fleet after {took[0]:.1f} s, half after "
        f"{quantile(took, 0.5):.1f} s, all after {took[-1]:.1f} s, with {cpu_seconds(another.seen):.1f} s of CPU"
    )
    return another


@asynccontextmanager
async def _ended(bench: Bench) -> AsyncIterator[None]:
    """Whatever happens, no controller is left."""
    beating = asyncio.create_task(bench.beat())
    try:
        yield
    finally:
        beating.cancel()
        for process in bench.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _server_process() -> psutil.Process:
    """The Temporal server that this program started: the largest of what descends from it, but for controllers."""
    mine = psutil.Process(os.getpid()).children(recursive=True)
    servers = [process for process in mine if process.name().startswith("temporal")]
    return max(servers, key=lambda process: process.memory_info().rss)


def _ms(ordered: list[float], share: float) -> str:
    return f"{1000 * quantile(ordered, share):.0f} ms"


def _say(text: str) -> None:
    _SCREEN.print(text, markup=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.fleets")
    parser.add_argument("--fleets", type=int, nargs="+", default=COUNTS, help="how many, one measurement each")
    parser.add_argument("--window", type=float, default=WINDOW_SECONDS, help="seconds at rest that are measured")
    parser.add_argument("--calls-per-second", type=float, help="the controller's budget; default 50, more for many")
    parser.add_argument("--no-kill", dest="kill", action="store_false", help="only restart after SIGTERM")
    return parser.parse_args()


async def main() -> None:
    """All counts, one after another."""
    options = _options()
    for fleets in options.fleets:
        await measured(fleets, options)


if __name__ == "__main__":
    asyncio.run(main())
