"""What follows from observations: load, capacity and memory, each with what it rests on. Pure and frozen."""

from dataclasses import dataclass
from datetime import datetime

from scaler.model.common import Quality, TaskType
from scaler.model.observation import WorkerExit


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of one task type, and what one worker can take of it.

    `arrivals_per_second` counts what is polled from queues and what never reaches them (sticky workflow tasks,
    eager activities) as far as heartbeats tell. `busy_slots` is None without heartbeats.
    """

    task_type: TaskType
    arrivals_per_second: float
    service_seconds: float | None
    service_scv: float
    backlog_tasks: int
    backlog_age_seconds: float
    schedule_to_start_seconds: float | None
    busy_slots: int | None
    slots_per_worker: int
    rate_limited: bool
    quality: Quality

    @property
    def busy_erlangs(self) -> float | None:
        """Slots that the arrivals keep busy on average (Little's law); None while the service time is unknown."""
        return None if self.service_seconds is None else self.arrivals_per_second * self.service_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Memory of one worker: `base_bytes` plus `bytes_per_workflow` for each cached one, both high estimates."""

    base_bytes: float
    bytes_per_workflow: float
    largest_cached: int  # no worker was seen with more
    fullest_bytes: int | None
    limit_bytes: int | None
    caches: int
    quality: Quality
    measured: bool  # False: bytes per workflow is a guess from before any measurement

    def predicted_bytes(self, cache: int) -> float:
        """Memory of a worker whose caches are full."""
        return self.base_bytes + self.caches * cache * self.bytes_per_workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Everything that the search builds on."""

    at: datetime
    workflow: Load | None  # None where the fleet does not poll for this type
    activity: Load | None
    memory: MemoryUse
    ready: int
    starting: int
    restarting: int
    new_oom_kills: tuple[WorkerExit, ...]  # not taken into account before
    new_crashes: int

    @property
    def loads(self) -> tuple[Load, ...]:
        """The load of each task type that the fleet polls for."""
        return tuple(load for load in (self.workflow, self.activity) if load is not None)
