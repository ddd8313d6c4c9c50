"""Measures what cached conversations cost a worker, with and without memory hygiene, as a Markdown table.

`python -m examples.agents.measure_memory`, on Linux, with a Temporal server that has nothing else to do; it takes
about five minutes.
"""

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from temporalio.client import Client

from examples.agents import program
from examples.agents.arrivals import Arrival
from examples.agents.connection import connection_settings
from examples.agents.load import Load, Replay
from examples.agents.messages import KIB, Agent

_MIB: Final = 1024 * KIB
_TURNS_PER_SECOND: Final = 20.0
_SAMPLE_EVERY_SECONDS: Final = 0.1
_SETTLE_SECONDS: Final = 6.0

_SHAPES: Final = {"1 object of 1 MiB": _MIB, "2048 objects of 512 B": 512}
_OFF: Final = {"AGENTS_MEMORY_HYGIENE": "off"}
_GLIBC: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}
_HYGIENES: Final[Mapping[str, Mapping[str, str]]] = {
    "none": _OFF,
    "collects and trims": {},
    "the same, and glibc settings": _GLIBC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcess:
    """A worker process under measurement."""

    process_id: int
    task_queue: str

    @property
    def resident_mib(self) -> float:
        """Memory that the process holds, as its limit counts it."""
        status = Path(f"/proc/{self.process_id}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * KIB / _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Resident memory before, during and after a number of conversations, in MiB."""

    base: float
    peak: float
    settled: float


@asynccontextmanager
async def new_worker(cache: int, environment: Mapping[str, str]) -> AsyncIterator[WorkerProcess]:
    """A worker with a task queue of its own, once it polls."""
    task_queue = f"agents-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as directory:
        ready = Path(directory) / "ready"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "examples.agents.worker",
            env={
                **os.environ,
                **environment,
                "AGENTS_TASK_QUEUE": task_queue,
                "TEMPORAL_MAX_CACHED_WORKFLOWS": str(cache),
                "TEMPORAL_SCALER_READY_FILE": str(ready),
            },
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            while not ready.exists():  # noqa: ASYNC110 (another process makes it)
                await asyncio.sleep(_SAMPLE_EVERY_SECONDS)
            yield WorkerProcess(process_id=process.pid, task_queue=task_queue)
        finally:
            process.terminate()
            await process.wait()


async def measured(client: Client, under_test: WorkerProcess, message_bytes: int, conversations: int) -> Measured:
    """Let so many users say one thing each, and stay."""
    agent = Agent(
        context_bytes=_MIB,
        bytes_per_turn=0,
        bytes_per_message=message_bytes,
        mean_call_seconds=0,
        idle_seconds=3600,
    )
    load = Load(name=under_test.task_queue, seed=1, agent=agent, task_queue=under_test.task_queue)
    arrivals = [
        Arrival(at_seconds=number / _TURNS_PER_SECOND, conversation=number, turn=0, last=False)
        for number in range(conversations)
    ]
    await asyncio.sleep(_SETTLE_SECONDS)
    base = peak = under_test.resident_mib
    replay = asyncio.create_task(Replay(client, load).run(arrivals))
    while not replay.done():
        peak = max(peak, under_test.resident_mib)
        await asyncio.sleep(_SAMPLE_EVERY_SECONDS)
    await replay
    await asyncio.sleep(_SETTLE_SECONDS)
    return Measured(base=base, peak=peak, settled=under_test.resident_mib)


async def compare() -> None:
    """Print one row for each shape of state and each kind of hygiene."""
    client = await Client.connect(**connection_settings())
    sys.stdout.write(
        "| 1 MiB of transcript as | hygiene | empty | per conversation, 60 cached "
        "| cache 30, 300 conversations: peak | afterwards |\n|---|---|---|---|---|---|\n"
    )
    for shape, message_bytes in _SHAPES.items():
        for hygiene, environment in _HYGIENES.items():
            async with new_worker(1000, environment) as roomy:
                kept = await measured(client, roomy, message_bytes, 60)
            async with new_worker(30, environment) as small:
                passed = await measured(client, small, message_bytes, 300)
            each = (kept.settled - kept.base) / 60
            sys.stdout.write(
                f"| {shape} | {hygiene} | {kept.base:.0f} MiB | {each:.2f} MiB "
                f"| {passed.peak:.0f} MiB | {passed.settled:.0f} MiB |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    program.run(compare())
