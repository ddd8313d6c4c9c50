"""What follows from observations: load, memory and cache use, each with what it rests on. Pure and frozen."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from scaler.model.common import Quality, TaskType
from scaler.model.observation import WorkerExit


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of one task queue and type, and what one worker can take of it.

    `arrivals_per_second` counts what is polled from queues and what never reaches them (sticky workflow tasks,
    eager activities) as far as heartbeats tell; `margin_per_second` is how far it may run above that before
    more workers could be there. `busy_slots` is what is known to be occupied, all of it if `busy_known`. `watched`
    is for how long arrivals have been seen without a gap; `unread` that for a while no reading told of them, so that
    they are taken for as high as they were of late. `most_per_second` is what one worker was seen to get done at most
    while tasks waited, where its slots would allow far more; `helped_by` the count beyond which workers are known to
    bring its tasks nothing.
    """

    queue: str
    task_type: TaskType
    arrivals_per_second: float
    margin_per_second: float
    service_seconds: float | None
    service_scv: float
    backlog_tasks: int
    backlog_growth_per_second: float
    backlog_age_seconds: float
    schedule_to_start_seconds: float | None
    done_per_second: float | None
    busy_slots: int
    busy_told: bool  # by workers, of this queue
    busy_known: bool
    slots_per_worker: int
    slots_known: bool  # told or declared; else the SDKs' default
    read_at: datetime | None  # when the queue's statistics were read
    rate_limited: bool
    watched: timedelta
    quality: Quality
    unread: bool
    most_per_second: float | None = None
    helped_by: int | None = None

    @property
    def observed_wait_seconds(self) -> float:
        """The longest wait that readings show: of the oldest task that waits, or the percentile of sampled ones."""
        return max(self.backlog_age_seconds, self.schedule_to_start_seconds or 0.0)

    @property
    def erlangs(self) -> float | None:
        """Slots that the arrivals keep busy on average (Little's law); None while the service time is unknown."""
        return None if self.service_seconds is None else self.arrivals_per_second * self.service_seconds


@dataclass(frozen=True, slots=True)
class Corner:
    """A point of the memory envelope: with so many workflows cached a worker uses so much."""

    cached: int
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Memory of one worker as its workflows cached grow: concave through `corners`, then `slope` on.

    `measured` says whether the slope was seen or is a guess from before any measurement. `soonest_bytes` is what
    the fullest worker will have when a decision that is made now takes effect. The corners are of a worker that runs no
    activities; each that it runs adds `activity_bytes`, at most `activity_high_bytes`, and nothing while it is not
    known to take anything.
    """

    corners: tuple[Corner, ...]
    slope_bytes: float
    largest_cached: int  # no worker was seen with more
    caches: int  # of one worker
    limit_bytes: int | None
    fullest_bytes: int | None
    soonest_bytes: float | None
    quality: Quality
    measured: bool
    activity_bytes: float = 0.0
    activity_high_bytes: float = 0.0
    after_replay: "MemoryUse | None" = None  # of a worker whose runs have all come back by replays
    replay_seen: bool = False  # whether that was measured; else it is assumed
    told_apart: bool = True  # whether what activities take is known from what the cache takes, or can't be

    @property
    def cautious(self) -> "MemoryUse":
        """The same where each activity takes as much as it may."""
        return replace(self, activity_bytes=self.activity_high_bytes)

    @property
    def most_held(self) -> int:
        """The fullest cache that was seen."""
        return math.ceil(self.largest_cached / self.caches)

    def predicted_bytes(self, cache: int, activities: float = 0.0) -> float:
        """Memory of a worker whose caches are full at this size while it runs so many activities."""
        return self._cached_bytes(cache) + activities * self.activity_bytes

    def _cached_bytes(self, cache: int) -> float:
        cached = cache * self.caches
        below = self.corners[0]
        for corner in self.corners[1:]:
            if cached <= corner.cached:
                share = (cached - below.cached) / (corner.cached - below.cached)
                return below.bytes + share * (corner.bytes - below.bytes)
            below = corner
        return below.bytes + (cached - below.cached) * self.slope_bytes

    def largest_cache(self, bound_bytes: float, activities: float = 0.0) -> int:
        """The largest size whose predicted memory stays within the bound; negative where not even none does."""
        bound_bytes -= activities * self.activity_bytes
        below = self.corners[0]
        if below.bytes > bound_bytes:
            return -1
        for corner in self.corners[1:]:
            if corner.bytes > bound_bytes:
                share = (bound_bytes - below.bytes) / (corner.bytes - below.bytes)
                return int((below.cached + share * (corner.cached - below.cached)) / self.caches)
            below = corner
        return int((below.cached + (bound_bytes - below.bytes) / self.slope_bytes) / self.caches)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """What caching saves: the time of a workflow task with its run cached, and of a replay; and how runs recur.

    `reuse` is the share of accesses that are followed by another of the same run, `open_share` of those that leave
    the run in its cache. For each edge of the gap histogram, `kept_seconds` is for how long a run is kept on average
    if it is dropped when unused for so long, and `late_reuse` the share of re-uses that come after.
    """

    hit_seconds: float | None
    replay_seconds: float | None
    reuse: float = 0.0
    open_share: float = 1.0
    kept_seconds: tuple[float, ...] = ()
    late_reuse: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Everything that the search builds on."""

    at: datetime
    loads: tuple[Load, ...]  # one for each queue and type that the fleet polls
    memory: MemoryUse
    cache: CacheUse
    workflow_cores: float | None
    start_seconds: float  # from its start until a worker takes tasks
    answered_until: datetime | None  # until when readings tell nothing of the last scale-out
    schedule_floor: int  # workers that a declared window asks for now
    ready: int
    starting: int
    restarting: int
    new_oom_kills: tuple[WorkerExit, ...]  # not taken into account before
    new_crashes: int

    @cached_property
    def activity_loads(self) -> tuple[Load, ...]:
        """The load of each queue that is polled for activities."""
        return tuple(load for load in self.loads if load.task_type is TaskType.ACTIVITY)

    @cached_property
    def workflow_loads(self) -> tuple[Load, ...]:
        """The load of each queue that is polled for workflow tasks."""
        return tuple(load for load in self.loads if load.task_type is TaskType.WORKFLOW)

    def with_margins(self, part: float) -> "Estimate":
        """The same with so much of each load's margin."""
        return replace(
            self, loads=tuple(replace(load, margin_per_second=part * load.margin_per_second) for load in self.loads)
        )
