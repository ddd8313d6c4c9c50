"""A controller as `run --dry-run` makes it, but with targets at rest; it keeps a journal of its ticks and calls."""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from temporalio.client import Client

from activities.sources.budget import Budget
from activities.sources.gate import Gate
from activities.sources.signals import ConnectionSignals, SignalSource
from activities.targets.contract import StepTaken
from activities.targets.recorder import RecorderTarget
from benchmarks.fleets.still import StillTarget
from scaler.cli.controller import Parts, serve
from scaler.fleet import Fleet, TargetKind
from scaler.model.plan import Plan, Stamp
from workflows.messages import DRY_RUN_TASK_QUEUE
from workflows.payloads import DATA_CONVERTER

CALLS_WRITTEN_SECONDS = 1.0


class Journal:
    """One line for each tick that begins, and one a second for the calls made so far."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, **entry: Any) -> None:
        """Add a line with the time."""
        self._file.write(json.dumps({"at": time.clock_gettime(time.CLOCK_REALTIME), **entry}) + "\n")


class JournalTarget(RecorderTarget):
    """The dry run's target; writes down when each tick began and when it was to end."""

    def __init__(self, target: StillTarget, journal: Journal) -> None:
        super().__init__(target)
        self._journal = journal

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """A tick begins."""
        self._journal.write(fleet=fleet.name, until=plan.until.timestamp())
        return await super().step(fleet, plan, stamp)


class CountingBudget(Budget):
    """Counts what it lets through."""

    calls = 0

    async def take(self) -> None:
        """Wait as any other, and count."""
        await super().take()
        self.calls += 1


async def run(address: str, namespace: str, calls_per_second: float, journal: Journal) -> None:
    """Serve until SIGTERM."""
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    client = await Client.connect(address, namespace=namespace, data_converter=DATA_CONVERTER)
    budget = CountingBudget(calls_per_second)
    parts = Parts(
        client=client,
        task_queue=DRY_RUN_TASK_QUEUE,
        targets={TargetKind.LOCAL: JournalTarget(StillTarget(), journal)},
        signals=SignalSource({None: ConnectionSignals(client, Gate(budget))}),
    )
    counting = asyncio.create_task(_count(budget, journal))
    await serve(parts, leave)
    counting.cancel()


async def _count(budget: CountingBudget, journal: Journal) -> None:
    while True:
        journal.write(calls=budget.calls)
        await asyncio.sleep(CALLS_WRITTEN_SECONDS)


if __name__ == "__main__":
    server, of_namespace, calls, path = sys.argv[1:5]
    with Path(path).open("w", buffering=1, encoding="utf-8") as lines:
        asyncio.run(run(server, of_namespace, float(calls), Journal(lines)))
