"""Watches the workers and the machine while a load runs: one sample every half second, from the supervisor itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NoReturn

import psutil

from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.protocol import Answer, Enforcement, Operation, Place, Request
from scaler.model.observation import ExitReason, WorkerState

SAMPLE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSample:
    """One worker at one moment."""

    name: str
    state: str
    cache: int | None
    memory_bytes: int | None
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What there was at one moment. `desired` is without what a rollout borrows."""

    at_seconds: float  # since the load began
    desired: int
    cache: int | None
    cpu_share: float  # of the whole machine, since the sample before
    workers: tuple[WorkerSample, ...] = ()

    @property
    def paid(self) -> int:
        """Workers that are ready, starting or waiting for their restart: all but those that drain."""
        return len(self.workers) - self.draining

    @property
    def draining(self) -> int:
        """Workers that were asked to leave."""
        return sum(worker.state == WorkerState.DRAINING for worker in self.workers)


@dataclass(slots=True, kw_only=True)
class Watched:
    """All samples, and every worker process that was killed for its memory."""

    samples: list[Sample] = field(default_factory=list)
    oom_kills: dict[tuple[str, datetime], None] = field(default_factory=dict)
    without_cgroup: bool = False  # a memory limit was held by the supervisor's watchdog, not by the kernel


class Watch:
    """Samples a group of workers again and again."""

    def __init__(self, place: Place) -> None:
        self.seen = Watched()
        self.began_at = datetime.now(UTC)
        self._place = place
        self._began = asyncio.get_running_loop().time()
        psutil.cpu_percent()

    async def run(self) -> NoReturn:
        """Sample until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + SAMPLE_SECONDS
            await self.sample()
            await asyncio.sleep(max(due - clock(), 0.05))

    async def sample(self) -> None:
        """Look once; where nobody answers the next sample covers the time."""
        try:
            answer = await ask(self._place, Request(operation=Operation.LOOK))
        except NoSupervisor:
            return
        self._note(answer)
        target = answer.look.target
        self.seen.samples.append(
            Sample(
                at_seconds=round(asyncio.get_running_loop().time() - self._began, 3),
                desired=target.desired or 0,
                cache=target.cache,
                cpu_share=psutil.cpu_percent() / 100,
                workers=tuple(
                    WorkerSample(
                        name=worker.seen.name,
                        state=worker.seen.state,
                        cache=worker.seen.cache,
                        memory_bytes=worker.seen.memory_bytes,
                        restarts=worker.seen.restarts,
                    )
                    for worker in answer.look.workers
                ),
            )
        )

    def _note(self, answer: Answer) -> None:
        """Each end once, however often it is told."""
        for ended in answer.look.exits:
            if ended.reason is ExitReason.OOM_KILLED:
                self.seen.oom_kills[ended.worker, ended.at] = None
        self.seen.without_cgroup |= any(held is not Enforcement.CGROUP for held in answer.enforcement.values())


def worker_seconds(samples: Sequence[Sample], *, draining: bool = False) -> float:
    """Paid workers (or draining ones) times seconds; a sample stands for the time since the one before."""
    total, last = 0.0, 0.0
    for sample in samples:
        total += (sample.draining if draining else sample.paid) * (sample.at_seconds - last)
        last = sample.at_seconds
    return total
