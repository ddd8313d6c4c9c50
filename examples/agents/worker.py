"""A worker process for conversations: `python -m examples.agents.worker`.

It connects as the `temporal` command does (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE and so on). On
SIGTERM it takes no more tasks, finishes the model calls under way, and leaves.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from examples.agents import program
from examples.agents.connection import connection_settings
from examples.agents.conversation import Conversation
from examples.agents.memory_hygiene import keep_memory_tidy
from examples.agents.model_call import call_model

_LOG = logging.getLogger("agents.worker")


def new_worker(client: Client) -> Worker:
    """A worker as large as the environment says."""
    return Worker(
        client,
        task_queue=os.environ.get("AGENTS_TASK_QUEUE", "agents"),
        workflows=[Conversation],
        activities=[call_model],
        workflow_runner=_workflow_runner(),
        # No SDK reads this variable by itself: the one line that lets the cache be sized from outside.
        max_cached_workflows=int(os.environ.get("TEMPORAL_MAX_CACHED_WORKFLOWS", "1000")),
        max_concurrent_workflow_tasks=int(os.environ.get("AGENTS_WORKFLOW_SLOTS", "100")),
        max_concurrent_activities=int(os.environ.get("AGENTS_ACTIVITY_SLOTS", "8")),
        graceful_shutdown_timeout=_seconds("AGENTS_GRACE_SECONDS", 30),
    )


async def connect() -> Client:
    """A client whose workers report themselves as often as the environment says."""
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=_seconds("AGENTS_HEARTBEAT_SECONDS", 5))
    return await Client.connect(**connection_settings(), runtime=runtime)


async def serve() -> None:
    """Take tasks until asked to leave."""
    leave = asyncio.Event()
    for request in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(request, leave.set)
    _load_frameworks()
    worker = new_worker(await connect())
    async with worker:
        while not worker.is_running:  # noqa: ASYNC110 (it asks the server about its namespace first, and has no event)
            await asyncio.sleep(0.01)
        with _memory_hygiene(), _ready_file():
            _LOG.info("polling %s", worker.task_queue)
            await leave.wait()
        _LOG.info("draining")
    _LOG.info("drained")


def _workflow_runner() -> WorkflowRunner:
    """Without the sandbox, which costs 45 ms for each run that is loaded, a replay is as cheap as in other SDKs."""
    off = os.environ.get("AGENTS_SANDBOX", "on") == "off"
    return UnsandboxedWorkflowRunner() if off else SandboxedWorkflowRunner()


def _load_frameworks() -> None:
    """Compute for as long as an agent's frameworks, prompts and tokenizers take to load."""
    until = time.process_time() + _seconds("AGENTS_START_CPU_SECONDS", 0).total_seconds()
    while time.process_time() < until:
        pass


@contextlib.contextmanager
def _memory_hygiene() -> Iterator[None]:
    if os.environ.get("AGENTS_MEMORY_HYGIENE", "on") == "off":
        yield
        return
    tidying = asyncio.create_task(keep_memory_tidy())
    try:
        yield
    finally:
        tidying.cancel()


@contextlib.contextmanager
def _ready_file() -> Iterator[None]:
    """Tell whoever waits for it that this worker polls, for as long as it does."""
    name = os.environ.get("TEMPORAL_SCALER_READY_FILE")
    if name is None:
        yield
        return
    path = Path(name)
    path.write_text(f"{os.getpid()}\n", encoding="ascii")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _seconds(variable: str, default: float) -> timedelta:
    return timedelta(seconds=float(os.environ.get(variable, default)))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    program.run(serve())
