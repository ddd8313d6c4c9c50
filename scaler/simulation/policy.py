"""What a scaling policy is, and what it gets to see: no more and no sooner than the system that it stands for.

A policy is asked at its own interval and answers with a size or with None. `joint` is none of these: it is the
product's own loop (`joint`). What lies in the future is only for those that are given it (`future`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from scaler.fleet import Fleet
from scaler.model.common import Size, TaskType
from scaler.model.observation import QueueSeen
from scaler.simulation.future import Future
from scaler.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Workers as the orchestrator counts them, without delay."""

    desired: int
    existing: int  # draining ones are not in it
    ready: int
    starting: int
    restarting: int
    restarts: int  # of those that exist, over all their lives


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """What a metrics stack tells: taken at `at`, seen later. Rates are over the scrape interval before it.

    CPU shares are of a worker's declared vCPU. A crash-looping worker has counters that start anew, so its work
    is in no rate.
    """

    at: float
    cpu_cloud_run: float | None
    """Mean over all instances of the last minute; start-up and replay count, and a crashed instance starts again."""
    cpu_ready: float | None
    """Mean over workers that are ready and were before the interval; None where there is none (an HPA then holds)."""
    memory_mean_bytes: float | None
    memory_max_bytes: float | None
    workflow_slots_used: int
    workflow_slots: int
    activity_slots_used: int
    activity_slots: int
    cached: int
    workflow_tasks_per_second: float
    activities_per_second: float
    hits_per_second: float
    misses_per_second: float
    replays_per_second: float
    replay_seconds_per_second: float
    backlog: Mapping[TaskType, int]
    workflow_wait_seconds: float | None
    """Mean schedule-to-start of the tasks that were started in the interval; None where there was none."""
    activity_wait_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that a policy may look at."""

    now: float
    size: Size
    counts: Counts
    queues: Mapping[TaskType, QueueSeen]
    """`DescribeTaskQueue`: up to 5 s old, rates over 30 s, without sticky workflow tasks."""
    scrape: Scrape | None
    """The newest that has come through the metrics stack; its own time says how old it is."""
    unmatched: Mapping[TaskType, int]
    """Tasks added since the last look while no poll waited: what Temporal's matching tells its own controller."""


class Policy(Protocol):
    """A way of scaling that is not this product's."""

    @property
    def interval_seconds(self) -> float:
        """How often it is asked."""
        ...

    def resize(self, seen: Seen) -> Size | None:
        """The size it wants now; None or a cache of None leaves things as they are."""
        ...


@runtime_checkable
class Pushed(Protocol):
    """A policy that is also told at once when tasks found no waiting poll."""

    @property
    def push_interval_seconds(self) -> float:
        """The least time between two such messages."""
        ...

    def task_added(self, seen: Seen) -> Size | None:
        """Some task found no waiting poll."""
        ...


@dataclass(frozen=True, slots=True)
class Briefing:
    """What whoever sets a policy up knows."""

    scenario: Scenario
    fleet: Fleet


MakePolicy = Callable[[Briefing], Policy]
MakeClairvoyant = Callable[[Briefing, Future], Policy]
"""Only for bounds: it knows every turn that will come."""
