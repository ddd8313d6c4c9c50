"""What every scale target offers. Targets carry out; they decide nothing."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.observation import TargetSeen, WorkerExit, WorkerSeen
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, TargetRecord

CLOCKS_AGREE = timedelta(seconds=2)
"""An answer is on its way for less than this."""

EXITS_TOLD: Final = timedelta(minutes=10)
"""Every target tells each end of a worker for so long, so that an observation that is lost loses none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetWorker:
    """A worker as its target knows it, with what joins it to its heartbeats.

    Heartbeats name a host and a process id. Where each worker has a host name of its own, as pods have, that alone
    joins; else a worker without a process id (it waits for its restart) has no heartbeats. Any process of a worker may
    poll: what they tell is the worker's.
    """

    seen: WorkerSeen
    host_name: str
    process_id: int | None = None  # of the one that was started
    process_ids: tuple[int, ...] = ()  # of all that are known beside it
    host_names: tuple[str, ...] = ()  # of its machine since then, if that was renamed

    @property
    def hosts(self) -> frozenset[str]:
        """Every name that its machine had while it ran, as far as is known."""
        return frozenset((self.host_name, *self.host_names))

    @property
    def processes(self) -> frozenset[int]:
        """Every process that is known to be this worker's."""
        return frozenset(self.process_ids) | ({self.process_id} if self.process_id is not None else frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLook:
    """The target and all its workers at one moment; `exits` reaches `EXITS_TOLD` back.

    `clock` is what the target's own clock showed when it told this; None where its times are the Temporal server's.
    """

    target: TargetSeen
    own_hosts: bool = False  # each worker has a host name of its own
    workers: tuple[TargetWorker, ...] = ()
    exits: tuple[WorkerExit, ...] = ()
    clock: datetime | None = None

    def in_time_of(self, now: datetime) -> "TargetLook":
        """The same with its times as the server has them, whose clock shows `now`. Ends of workers stay the same."""
        if self.clock is None or abs(now - self.clock) < CLOCKS_AGREE:
            return self
        ahead = now - self.clock
        at = self.target.at + ahead if self.target.at is not None else None
        exits = tuple(
            replace(ended, at=ended.at + ahead, process=ended.process or ended.at.isoformat()) for ended in self.exits
        )
        return replace(self, target=replace(self.target, at=at), exits=exits, clock=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """The record before a step, and what became of the step."""

    found: TargetRecord | None
    applied: Applied


class TargetUnreachable(Exception):  # noqa: N818 (it names what happened)
    """The target did not answer; its words are fit for an operator and hold no secret."""


class Target(Protocol):
    """One kind of scale target. All methods raise `TargetUnreachable` and nothing else of the vendor's."""

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Every reason why the target can't be scaled as declared: unknown, no memory limit, no such container."""
        ...

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """Take one idempotent step towards the plan without waiting for its effect."""
        ...

    async def look(self, fleet: Fleet) -> TargetLook:
        """Read the target and its workers."""
        ...
