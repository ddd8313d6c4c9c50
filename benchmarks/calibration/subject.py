"""A worker to be measured: `python -m benchmarks.calibration.subject JSON`, started by `ground`.

It polls with SDK defaults where nothing else is said, shows its SDK metrics to Prometheus, and writes down the times
of each activity as the server stamped them.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from temporalio import activity
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Worker,
)

from benchmarks.calibration.session import Session, rest
from examples.agents.memory_hygiene import keep_memory_tidy


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a worker is made of: one Worker object for each queue."""

    queues: tuple[str, ...]
    cache: int = 1000
    workflow_slots: int = 100
    activity_slots: int = 100
    hygiene: bool = True
    grace_seconds: float = 30.0
    workflows: bool = True
    eager: bool = False


class Recorder(Interceptor):
    """Writes down when each activity was scheduled, started and over."""

    def __init__(self, records: TextIO) -> None:
        self._records = records

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap each activity."""
        return _Recording(next, self._records)


class _Recording(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, records: TextIO) -> None:
        super().__init__(inner)
        self._records = records

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        result = await super().execute_activity(input)
        info = activity.info()
        told = {
            "queue": info.task_queue,
            "scheduled": info.current_attempt_scheduled_time.timestamp(),
            "started": info.started_time.timestamp(),
            "seconds": getattr(input.args[0], "seconds", 0.0),
        }
        self._records.write(json.dumps(told) + "\n")
        return result


async def serve(told: dict[str, Any]) -> None:
    """Take tasks until asked to leave."""
    made = Made(**{each.name: told[each.name] for each in fields(Made)})
    files = Path(told["files"])
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    metrics = PrometheusConfig(bind_address=f"127.0.0.1:{told['metrics_port']}")
    runtime = Runtime(telemetry=TelemetryConfig(metrics=metrics), worker_heartbeat_interval=timedelta(seconds=5))
    client = await Client.connect(told["address"], namespace=told["namespace"], runtime=runtime)
    with _records(files) as records:
        async with AsyncExitStack() as running:
            workers = [_worker(client, queue, made, Recorder(records)) for queue in made.queues]
            for worker in workers:
                await running.enter_async_context(worker)
            while not all(worker.is_running for worker in workers):  # noqa: ASYNC110 (it has no event)
                await asyncio.sleep(0.005)
            tidying = asyncio.create_task(keep_memory_tidy()) if made.hygiene else None
            (files / "ready").touch()
            await leave.wait()
            if tidying is not None:
                tidying.cancel()


def _worker(client: Client, queue: str, made: Made, recorder: Recorder) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[Session] if made.workflows else [],
        activities=[rest],
        interceptors=[recorder],
        max_cached_workflows=made.cache,
        max_concurrent_workflow_tasks=made.workflow_slots,
        max_concurrent_activities=made.activity_slots,
        disable_eager_activity_execution=not made.eager,
        graceful_shutdown_timeout=timedelta(seconds=made.grace_seconds),
    )


@contextmanager
def _records(files: Path) -> Iterator[TextIO]:
    with (files / "records").open("w", encoding="ascii", buffering=1) as records:
        yield records


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
    sys.stdout.flush()
    os._exit(0)
