"""A worker with little to it, in this process or as one of its own: `python -m tests.support.small_worker`.

What it runs is made to be recognised in queue statistics, heartbeats and histories.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

GREED_BYTES = 512 * 2**20


@activity.defn(name="rest")
async def rest(seconds: float, words: str = "") -> str:
    """An activity of a known length; it gives back what it was told."""
    await asyncio.sleep(seconds)
    return words


@workflow.defn(name="Steps")
class Steps:
    """Some activities, one after another."""

    @workflow.run
    async def run(self, count: int, seconds: float, words: str = "") -> str:
        """The words of the last one."""
        for _ in range(count):
            words = await _rest(seconds, words)
        return words


@workflow.defn(name="Fork")
class Fork:
    """A long and a short activity at once, then it waits."""

    @workflow.run
    async def run(self, long: float, short: float) -> None:
        """Until it is told to end."""
        both = [asyncio.ensure_future(_rest(seconds)) for seconds in (long, short)]
        for each in both:
            await each
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="Fan")
class Fan:
    """Many activities at once, then it waits."""

    @workflow.run
    async def run(self, count: int, seconds: float) -> None:
        """Until it is told to end."""
        await asyncio.gather(*(_rest(seconds) for _ in range(count)))
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="Talk")
class Talk:
    """Waits for words; each is a workflow task."""

    def __init__(self) -> None:
        self._heard: list[str] = []

    @workflow.run
    async def run(self, words: int) -> None:
        """Until so many were heard."""
        await workflow.wait_condition(lambda: len(self._heard) >= words)

    @workflow.signal(name="say")
    def say(self, words: str) -> None:
        """One more."""
        self._heard.append(words)


@workflow.defn(name="Greed")
class Greed:
    """Takes more memory than a small worker may have."""

    @workflow.run
    async def run(self) -> None:
        """Never ends."""
        taken = bytearray(os.urandom(2**20)) * (GREED_BYTES // 2**20)
        await workflow.wait_condition(lambda: not taken)


async def _rest(seconds: float, words: str = "") -> str:
    told: str = await workflow.execute_activity(
        rest, args=[seconds, words], start_to_close_timeout=timedelta(seconds=30)
    )
    return told


async def connected(
    address: str, namespace: str, beat_seconds: float | None = 1.0, identity: str | None = None
) -> Client:
    """A client whose workers beat so often; or never."""
    interval = timedelta(seconds=beat_seconds) if beat_seconds is not None else None
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=interval)
    return await Client.connect(address, namespace=namespace, runtime=runtime, identity=identity)


def small_worker(client: Client, queue: str, **changes: Any) -> Worker:
    """One that polls the queue for everything."""
    plain: dict[str, Any] = {
        "workflows": [Steps, Fork, Fan, Talk, Greed],
        "activities": [rest],
        "workflow_runner": UnsandboxedWorkflowRunner(),
        "max_concurrent_activities": 7,
    }
    return Worker(client, task_queue=queue, **(plain | changes))


@asynccontextmanager
async def working(client: Client, queue: str, **changes: Any) -> AsyncIterator[Worker]:
    """The same, for as long as the test needs it."""
    async with small_worker(client, queue, **changes) as worker:
        yield worker


async def _serve(address: str, namespace: str, queue: str) -> None:
    async with working(await connected(address, namespace), queue) as worker:
        while not worker.is_running:  # noqa: ASYNC110 (it has no event)
            await asyncio.sleep(0.01)
        _say_ready()
        await asyncio.Event().wait()


def _say_ready() -> None:
    if ready := os.environ.get("TEMPORAL_SCALER_READY_FILE"):
        Path(ready).touch()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:4]))
