"""What every source of signals offers. Sources read; they judge and decide nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from activities.sources.heartbeats import Heartbeat
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.observation import Fault, QueueSeen, ReplaySeen, TaskTimesSeen, WorkerExit


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the sources know of a fleet's queues now; each reading has its own time."""

    queues: tuple[QueueSeen, ...] = ()
    pollers: Mapping[str, datetime] = field(default_factory=dict)  # identities, and when they last began to poll
    heartbeats: tuple[Heartbeat, ...] = ()
    task_times: tuple[TaskTimesSeen, ...] = ()
    replay: ReplaySeen = field(default_factory=ReplaySeen)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspects:
    """Workflows that kill workers, as far as that could be found out."""

    workflow_ids: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


class Source(Protocol):
    """Where signals of fleets come from."""

    async def read(self, fleet: Fleet) -> Signals:
        """All that is known of the fleet's queues; what could not be read is missing, with a fault that says why."""
        ...

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Every reason known why the fleet's queues can't be read as declared; silence of a server is none."""
        ...

    def place(self, fleet: Fleet) -> str:
        """Server and namespace of the fleet's queues in one spelling, whatever names lead there."""
        ...

    def suspects(self, fleet: Fleet, exits: Sequence[WorkerExit]) -> Suspects:
        """Workflows of the fleet's queues that kill its workers, which ended so of late. Waits for nothing."""
        ...
