"""What runs the workers: starts, restarts after a back-off, drains and kills them, and carries the target's record.

It knows nothing of tasks; the world that works with the workers is told what becomes of them.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from activities.targets.contract import StepTaken
from scaler.claims import Standing, record_step
from scaler.model.common import Size
from scaler.model.observation import ExitReason, WorkerExit, WorkerState
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.simulation.clock import moment
from scaler.simulation.draws import lognormal
from scaler.simulation.scenario import Scenario
from scaler.simulation.worker import Worker

SURGE_FRACTION: Final = 0.25
"""What a Deployment replaces at a time when its template changes: maxSurge up, maxUnavailable down, both 25 %."""

Kind = TypeVar("Kind", bound=Worker)
Told = TypeVar("Told", bound=Worker, contravariant=True)  # noqa: PLC0105 (a word is enough)


class Floor(Protocol[Told]):
    """Where the workers work: what is told of them."""

    def opened(self, worker: Told) -> None:
        """It polls from now on."""

    def closed(self, worker: Told) -> None:
        """It polls no more and has told the server; what runs may end."""

    def lost(self, worker: Told) -> None:
        """Its process is gone, with all that was under way."""


@dataclass(frozen=True, slots=True)
class SizeChange:
    """The target was set to another size."""

    at: float
    before: Size
    after: Size


class Platform(Generic[Kind]):
    """The workers of one fleet. Times are seconds from the start of the run.

    Args:
        scenario: What is declared of the platform, and the size to start with.
        make: Makes a worker of a number and a cache size, which does not run yet.
        rng: For the start-up times.

    """

    def __init__(self, scenario: Scenario, make: Callable[[int, int], Kind], rng: np.random.Generator) -> None:
        self._declared = scenario.platform
        self._make = make
        self._rng = rng
        self._floor: Floor[Kind] | None = None
        self._transitions: list[tuple[float, int, Kind]] = []
        self._order = 0
        self._numbers = 0
        self._paid_until = 0.0
        self._paid_seconds = 0.0
        self._rolls = False
        self.due = math.inf  # when the next worker changes its state by itself
        self.workers: list[Kind] = []
        self.desired = 0
        self.cache = scenario.start.cache
        self.record: TargetRecord | None = None
        self.exits: list[WorkerExit] = []
        self.ended: list[Kind] = []  # lives that are over, until somebody takes them from here
        self.changes: list[SizeChange] = []
        self.limit_bytes = scenario.platform.memory.limit

    def begin(self, floor: Floor[Kind], workers: int) -> None:
        """Have so many workers ready."""
        self._floor = floor
        self.desired = workers
        for _ in range(workers):
            worker = self._new()
            worker.started_at = -self._declared.start_up.time.mean_seconds
            self._ready(worker, 0.0)

    @property
    def size(self) -> Size:
        """What the target is set to."""
        return Size(self.desired, self.cache)

    def of_state(self, state: WorkerState) -> list[Kind]:
        """The workers in this state."""
        return [worker for worker in self.workers if worker.state is state]

    def worker_seconds(self, now: float) -> float:
        """What was paid for until now: every worker that exists, whatever it can do."""
        return self._paid_seconds + len(self.workers) * (now - self._paid_until)

    def advance(self, now: float) -> None:
        """Do what is due: starts, readiness, the ends of drains."""
        while self._transitions and self._transitions[0][0] <= now:
            at, _, worker = heapq.heappop(self._transitions)
            if worker.due_at == at:
                self._pass(worker, at)
        self.due = self._transitions[0][0] if self._transitions else math.inf

    def take(self, plan: Plan, stamp: Stamp, now: float) -> StepTaken:
        """One step towards a plan, under the product's own record rules."""
        found = self.record
        desired = self.desired if found is not None and found.intended is not None else None
        step = record_step(found, plan, stamp, Standing(now=moment(now), owner_lives=True, desired=desired))
        self.record = step.write or found
        if step.outcome is StepOutcome.APPLIED and self.record is not None and self.record.intended is not None:
            intended = self.record.intended
            self._set(Size(intended.workers, intended.cache or self.cache), now)
            self._leave(plan.replace, now)
            self._level(intended.workers + plan.surge, plan.victims, now)
        return StepTaken(
            found=found,
            applied=Applied(generation=stamp.generation, outcome=step.outcome, record=self.record),
        )

    def resize(self, size: Size, now: float) -> None:
        """Set the size as other scalers do, without a record; a new cache size rolls out by `roll`."""
        bounds = self._declared.workers
        workers = max(bounds.min, min(size.workers, bounds.max))
        self._set(Size(workers, size.cache or self.cache), now)
        self._rolls = True
        self.roll(now)

    def roll(self, now: float) -> None:
        """The next step of a Deployment towards its size and template; to be called once a second."""
        if not self._rolls:
            return
        live = [worker for worker in self.workers if worker.state is not WorkerState.DRAINING]
        old = [worker for worker in live if worker.cache != self.cache and worker.state is not WorkerState.RESTARTING]
        if not old:
            self._rolls = False
            self._level(self.desired, (), now)
            return
        surge, spare = math.ceil(SURGE_FRACTION * self.desired), int(SURGE_FRACTION * self.desired)
        ready = sum(worker.serving for worker in live)
        room = max(0, ready - (self.desired - spare))
        unready = [worker for worker in old if not worker.serving]
        leaving = [*unready, *[worker for worker in old if worker.serving][:room]]
        self._leave([worker.name for worker in leaving], now)
        left = len(live) - len(leaving)
        fresh = sum(worker.cache == self.cache for worker in live)
        self._start(min(self.desired + surge - left, self.desired - fresh), now)

    def kill(self, worker: Kind, reason: ExitReason, now: float) -> None:
        """The process is gone; unless it was to go anyway, it comes again after its back-off."""
        draining = worker.state is WorkerState.DRAINING
        self._end(worker, reason, now)
        if draining:
            return
        again = self._new(worker.number)
        again.restarts = worker.restarts + 1
        ran = now - worker.started_at
        again.crashes = 1 if ran >= self._declared.back_off.reset_after.total_seconds() else worker.crashes + 1
        again.state = WorkerState.RESTARTING
        self._later(again, now + self._back_off_seconds(again.crashes))

    def drained(self, worker: Kind, now: float) -> None:
        """A worker that was to go has finished what it had."""
        self._end(worker, ExitReason.DRAINED, now)

    def _back_off_seconds(self, crashes: int) -> float:
        if crashes <= 1:
            return 0.0
        back_off = self._declared.back_off
        return float(min(back_off.initial.total_seconds() * 2.0 ** (crashes - 2), back_off.limit.total_seconds()))

    def _pass(self, worker: Kind, now: float) -> None:
        """What a state ends in by itself."""
        if worker.state is WorkerState.RESTARTING:
            worker.take_cache(self.cache)
            self._boot(worker, now)
        elif worker.state is WorkerState.STARTING:
            self._ready(worker, now)
        elif worker.state is WorkerState.DRAINING:
            self._end(worker, ExitReason.KILLED, now)

    def _set(self, size: Size, now: float) -> None:
        before = self.size
        self.desired, self.cache = size.workers, size.cache or self.cache
        if self.size != before:
            self.changes.append(SizeChange(now, before, self.size))

    def _level(self, keep: int, victims: Sequence[str], now: float) -> None:
        """Keep so many workers that are not draining: the victims go first, else the useless, else the youngest."""
        counting = [worker for worker in self.workers if worker.state is not WorkerState.DRAINING]
        place = {name: index for index, name in enumerate(victims)}
        too_many = len(counting) - keep
        if too_many > 0:
            counting.sort(
                key=lambda worker: (place.get(worker.name, len(place)), _USEFULNESS[worker.state], -worker.number)
            )
            self._leave([worker.name for worker in counting[:too_many]], now)
        else:
            self._start(-too_many, now)

    def _leave(self, names: Sequence[str], now: float) -> None:
        leaving = set(names)
        for worker in [each for each in self.workers if each.name in leaving]:
            if worker.state is WorkerState.READY:
                self._drain(worker, now)
            elif worker.state is not WorkerState.DRAINING:
                self._end(worker, ExitReason.DRAINED, now)

    def _drain(self, worker: Kind, now: float) -> None:
        worker.state, worker.serving = WorkerState.DRAINING, False
        self._later(worker, now + self._declared.drain.total_seconds())
        self._floor_below.closed(worker)

    def _end(self, worker: Kind, reason: ExitReason, now: float) -> None:
        """A life is over: its process is gone, or never came to be."""
        ran = worker.state in (WorkerState.READY, WorkerState.DRAINING, WorkerState.STARTING)
        if reason is not ExitReason.DRAINED and worker.state is not WorkerState.DRAINING:
            worker.killed_at = now
        worker.state, worker.serving, worker.due_at = WorkerState.UNKNOWN, False, math.inf
        self._remove(worker, now)
        if ran:
            self.exits.append(_told(worker, reason, now))
            self.ended.append(worker)
            self._floor_below.lost(worker)

    def _start(self, count: int, now: float) -> None:
        for _ in range(count):
            self._boot(self._new(at=now), now)

    def _boot(self, worker: Kind, now: float) -> None:
        start_up = self._declared.start_up
        worker.state, worker.started_at = WorkerState.STARTING, now
        self._later(worker, now + float(lognormal(self._rng, start_up.time, 1)[0]))

    def _ready(self, worker: Kind, now: float) -> None:
        worker.state, worker.serving, worker.ready_at, worker.due_at = WorkerState.READY, True, now, math.inf
        self._floor_below.opened(worker)

    def _later(self, worker: Kind, at: float) -> None:
        worker.due_at = at
        self._order += 1
        heapq.heappush(self._transitions, (at, self._order, worker))
        self.due = self._transitions[0][0]

    def _new(self, number: int | None = None, at: float = 0.0) -> Kind:
        if number is None:
            self._numbers += 1
        worker = self._make(self._numbers if number is None else number, self.cache)
        self._pay(max(at, self._paid_until))
        self.workers.append(worker)
        return worker

    def _remove(self, worker: Kind, now: float) -> None:
        self._pay(now)
        self.workers.remove(worker)

    def _pay(self, now: float) -> None:
        self._paid_seconds, self._paid_until = self.worker_seconds(now), now

    @property
    def _floor_below(self) -> Floor[Kind]:
        if self._floor is None:
            raise RuntimeError("the platform was not begun")
        return self._floor


_USEFULNESS: Final = {
    WorkerState.RESTARTING: 0,
    WorkerState.STARTING: 1,
    WorkerState.READY: 2,
}


def _told(worker: Worker, reason: ExitReason, now: float) -> WorkerExit:
    memory = worker.sampled_peak_bytes
    return WorkerExit(
        worker=worker.name,
        reason=reason,
        at=moment(now),
        cache=worker.cache,
        cached=worker.said_cached,
        memory_bytes=int(memory) if memory is not None else None,
    )
