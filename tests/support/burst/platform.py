"""The platform of a burst: keeps as many workers as it is told, starts them late, drains and kills them. No clock."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from scaler.simulation.outside import Levels
from tests.support.burst.workers import LIMIT_BYTES, START_SECONDS, TIMEOUT_SECONDS, BurstWorker, Call

DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Kill:
    """A worker that exceeded its memory limit."""

    worker: BurstWorker
    at: float
    cached: int


@dataclass(slots=True, kw_only=True)
class Platform:
    """Its workers, and what became of those that are gone."""

    frees: bool
    desired: int
    cache: int
    chance: random.Random
    workers: list[BurstWorker] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    started: int = 0

    def begin(self) -> None:
        """With workers that have been polling for a while."""
        for _ in range(self.desired):
            self._start(-60.0)

    def make_so(self, levels: Levels, now: float) -> None:
        """Carry out what the target was told."""
        self.desired, self.cache = levels.workers, levels.cache or self.cache
        for worker in self._staying():
            if worker.name in levels.replace:
                worker.draining_until = now + DRAIN_SECONDS
        places = {name: place for place, name in enumerate(levels.victims)}
        too_many = len(self._staying()) - levels.workers - levels.surge
        leaving = sorted(self._staying(), key=lambda worker: (places.get(worker.name, len(places)), -worker.born))
        for worker in leaving[: max(too_many, 0)]:
            worker.draining_until = now + DRAIN_SECONDS
        for _ in range(-too_many):
            self._start(now)

    def ready(self, now: float) -> list[BurstWorker]:
        """Those that take tasks."""
        return [worker for worker in self.workers if worker.state(now) == "ready"]

    def gone(self, now: float) -> Iterator[Call]:
        """Let workers leave, be killed and start again; the calls that are lost with them."""
        for worker in list(self.workers):
            if worker.restarts_at is not None and now >= worker.restarts_at:
                worker.restarted(now)
            if worker.draining_until is not None and (not worker.calls or now > worker.draining_until):
                self.workers.remove(worker)
                yield from worker.calls
                continue
            used = worker.memory_bytes(now)
            worker.peak_bytes = max(worker.peak_bytes, used)
            if used > LIMIT_BYTES:
                self.kills.append(Kill(worker, now, len(worker.cached)))
                back_off = 0.0 if not worker.restarts else 10.0 * 2 ** (worker.restarts - 1)
                yield from worker.killed(now, back_off)

    def _staying(self) -> list[BurstWorker]:
        return [worker for worker in self.workers if worker.draining_until is None]

    def _start(self, now: float) -> None:
        self.started += 1
        self.workers.append(
            BurstWorker(
                name=f"w-{self.started}",
                cache=self.cache,
                born=now,
                ready_at=now + START_SECONDS,
                frees=self.frees,
            )
        )


def noticed_at(call: Call) -> float:
    """When a lost call is tried again."""
    return call.began + TIMEOUT_SECONDS
