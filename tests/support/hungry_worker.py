"""A small real worker: `python -m tests.support.hungry_worker`. Its workflows cost memory, its activities time."""

import asyncio
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

MIB = 2**20


@workflow.defn
class Hoard:
    """Keeps so many MiB in the cache from the moment that it is told to."""

    def __init__(self) -> None:
        self._kept = b""

    @workflow.run
    async def run(self) -> None:
        """For ever."""
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def eat(self, mebibytes: int) -> None:
        """Memory that is really used."""
        self._kept = b"x" * (mebibytes * MIB)


@workflow.defn
class Labour:
    """One long activity, tried once; returns the process that did it."""

    @workflow.run
    async def run(self, seconds: float) -> int:
        """Wait for it."""
        pid: int = await workflow.execute_activity(
            work, seconds, start_to_close_timeout=timedelta(minutes=2), retry_policy=RetryPolicy(maximum_attempts=1)
        )
        return pid


@activity.defn
async def work(seconds: float) -> int:
    """Take a while, whatever happens meanwhile."""
    tell("HUNGRY_BEGUN")
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        await asyncio.shield(asyncio.sleep(0.05))
    return os.getpid()


def tell(variable: str) -> None:
    """Leave the process id in the file that a variable names."""
    Path(os.environ[variable]).write_text(f"{os.getpid()}", encoding="ascii")


async def serve() -> None:
    """Until SIGTERM; then finish what is under way."""
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    client = await Client.connect(
        os.environ["TEMPORAL_ADDRESS"],
        namespace=os.environ["TEMPORAL_NAMESPACE"],
        runtime=Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1)),
    )
    async with Worker(
        client,
        task_queue=os.environ["HUNGRY_QUEUE"],
        workflows=[Hoard, Labour],
        activities=[work],
        max_cached_workflows=int(os.environ["TEMPORAL_MAX_CACHED_WORKFLOWS"]),
        max_concurrent_activities=4,
        graceful_shutdown_timeout=timedelta(minutes=2),
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        tell("TEMPORAL_SCALER_READY_FILE")
        await leave.wait()


if __name__ == "__main__":
    asyncio.run(serve())
