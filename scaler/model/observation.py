"""What was true when a tick ended. Pure and frozen; every reading carries its own time and quality."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, NamedTuple

from scaler.model.common import Reading, TaskType, TolerantEnum, mark
from scaler.model.record import Applied, TargetRecord
from scaler.wire.columns import WIDTH, AsColumns
from scaler.wire.compact import SixDigits

MAX_WORKER_ROWS = 100
"""Fleets up to this size have a row for each worker; of larger ones rows give names, and totals give counts."""

GAP_EDGES_SECONDS: tuple[float, ...] = tuple(round(0.1 * 10 ** (step / 8), 4) for step in range(41))
"""Upper edges of the gap histogram's buckets: eight per decade from 0.1 s to 10 000 s; one more bucket is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSeen(Reading):
    """One task queue and task type in the server's statistics.

    Sticky workflow tasks and eagerly started activities are in none of these figures (`TaskQueueStats` in
    temporal.api.taskqueue.v1), so workflow task rates are far below the work that is done.
    """

    queue: str
    task_type: TaskType
    backlog_tasks: int | None = None
    backlog_age_seconds: SixDigits | None = None
    arrivals_per_second: SixDigits | None = None
    dispatches_per_second: SixDigits | None = None
    rate_limited: bool | None = None


class UnderWay(NamedTuple):
    """Activities that have begun and not ended: about how many, and for how long the oldest sampled one has run.

    A tuple, since each reading of task times has one: two numbers on the wire, without their names.
    """

    tasks: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimesSeen(Reading):
    """How long tasks of one queue and type waited and ran, sampled from recent workflow histories.

    `schedule_to_start_seconds` is the objective's percentile over first attempts that went through the queue;
    `service_scv` is the squared coefficient of variation of the service time, and nearly none
    (0.5 %) takes longer than `longest_seconds`.
    `under_way` is None where that is not known.
    """

    queue: str
    task_type: TaskType
    samples: int = 0
    schedule_to_start_seconds: SixDigits | None = None
    service_mean_seconds: SixDigits | None = None
    service_scv: SixDigits | None = None
    longest_seconds: SixDigits | None = None
    under_way: UnderWay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySeen(Reading):
    """What a replay costs and how soon cached runs are used again, sampled from recent workflow histories.

    `sticky_seconds` is the mean time (started to completed) of workflow tasks that went to the worker of the task
    before: most found their run cached, but those after an eviction look alike and replay. `hit_seconds` is that of
    sticky tasks so soon after the one before that their run was cached for certain, `slow_seconds` that of those that
    took far longer, most likely replays (`scaler.learn.replay_cost`). `normal_seconds` is that of tasks that went to
    another worker and replayed for certain, `events` their mean history length. In the buckets of
    `GAP_EDGES_SECONDS`, `gaps` counts the times between the workflow tasks of one run, and `silences` for how long
    runs that are open have had none; `closed` runs have left the caches.
    """

    sticky_samples: int = 0
    sticky_seconds: SixDigits | None = None
    hit_samples: int = 0
    hit_seconds: SixDigits | None = None
    slow_samples: int = 0
    slow_seconds: SixDigits | None = None
    normal_samples: int = 0
    normal_seconds: SixDigits | None = None
    events: SixDigits | None = None
    gaps: tuple[int, ...] = ()
    silences: tuple[int, ...] = ()
    closed: int = 0


class WorkerState(TolerantEnum):
    """What a worker can do now."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    RESTARTING = "restarting"  # it crashed and waits for its back-off
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """One worker: a process or pod, whatever number of Worker objects it runs.

    What the target knows is always there; what worker heartbeats tell is None without a fresh one. Ages are
    seconds before `Observation.observed_at`.
    """

    name: str
    state: WorkerState = WorkerState.UNKNOWN
    age_seconds: float = 0.0
    cache: int | None = None  # the cache size it started under
    version: str = ""
    restarts: int = 0
    started_in_seconds: float | None = None  # from its start until it was ready
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None  # since the tick before
    memory_age_seconds: float | None = None
    memory_at_beat_mib: int | None = None  # what it used when it sent its newest heartbeat
    heartbeat_age_seconds: float | None = None
    caches: int | None = None
    cached: int | None = None  # workflows in all its caches
    workflow_slots: int | None = None
    workflow_slots_used: int | None = None
    activity_slots: int | None = None
    activity_slots_used: int | None = None
    workflow_tasks_per_second: float | None = None
    activities_per_second: float | None = None
    cache_hits_per_second: float | None = None
    cache_misses_per_second: float | None = None
    elsewhere_slots_used: int | None = None  # by tasks of queues that the fleet does not declare
    elsewhere_tasks_per_second: float | None = None
    known_as: str = field(default="", metadata={WIDTH: 4})  # of the mark of the identity that its heartbeats name


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTotals:
    """Sums over the workers that started under one cache size and version; complete for a fleet of any size.

    The sums below `beating` are over ready workers with a fresh heartbeat; memory is over all with a figure.
    """

    cache: int | None
    version: str
    workers: int = 0
    ready: int = 0
    draining: int = 0
    restarting: int = 0
    memory_bytes: int = 0
    memory_max_bytes: int = 0
    beating: int = 0
    cached: int = 0
    workflow_slots: int = 0
    workflow_slots_used: int = 0
    activity_slots: int = 0
    activity_slots_used: int = 0
    workflow_tasks_per_second: float = 0.0
    activities_per_second: float = 0.0
    cache_hits_per_second: float = 0.0
    cache_misses_per_second: float = 0.0

    @property
    def live(self) -> int:
        """Workers that are not on their way out."""
        return self.workers - self.draining


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSlots:
    """Slots for one task queue and type, summed over the ready workers that poll it and sent a fresh heartbeat.

    `slots` is over the `sized` ones, whose slot supplier knows how many it has. The settled figures are of workers
    that have served for so long that what they have taken and what they get done belong together.
    """

    queue: str
    task_type: TaskType
    beating: int = 0
    sized: int = 0
    slots: int = 0
    used: int = 0
    done_per_second: float = 0.0
    settled_used: int = 0
    settled_done_per_second: float = 0.0


class ExitReason(TolerantEnum):
    """Why a worker process ended."""

    OOM_KILLED = "oom_killed"
    CRASHED = "crashed"
    EVICTED = "evicted"
    DRAINED = "drained"  # it was asked to go
    KILLED = "killed"  # it was asked to go and did not in time
    UNKNOWN = "unknown"


UNASKED = (ExitReason.OOM_KILLED, ExitReason.CRASHED, ExitReason.EVICTED)
"""Ends that nobody asked for: lost capacity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerExit:
    """The end of one worker process. Targets report each for ten minutes, so a lost observation loses none.

    `process` tells the processes of one worker apart, as its platform does: the number of its restarts, a container's
    id (its mark, where that is long). `at` only orders: platforms have whole seconds and report late.
    """

    worker: str
    reason: ExitReason
    at: datetime
    process: str = ""
    cache: int | None = None
    cached: int | None = None  # workflows it had cached when it last said so
    memory_bytes: int | None = None  # the highest figure before it ended

    @property
    def identity(self) -> str:
        """What this end is told apart by; a target that names no process is taken at its word for the time."""
        return mark(f"{self.worker} {self.process or self.at.isoformat()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingSeen:
    """Workers that end again and again, by the one that did so most; told for as long as it lasts."""

    worker: str
    version: str = ""
    starts: int = 0
    status: int | None = None  # of its last end; negative is the number of a signal
    last_line: str = ""  # of its output; no control characters, at most 200
    log: str = ""  # where the rest is, on the target's host
    ever_ready: bool = False  # whether any worker of its version ever was


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsSeen:
    """A target whose workers get a new version from this product, one by one, and how they come up."""

    failing: FailingSeen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSeen(Reading):
    """The scale target itself, beside its workers."""

    desired: int | None = None
    cache: int | None = None  # what a worker that starts now would get
    memory_limit_bytes: int | None = None  # of one worker
    version: str = ""
    unschedulable: int = 0
    unschedulable_reason: str | None = None
    other_scaler: str | None = None  # another autoscaler that moves the same target
    versions: VersionsSeen | None = None  # None where the platform itself brings a new version out
    chooses_victims: bool = True  # whether those leave that a plan names; else the platform takes whom it likes

    @property
    def failing(self) -> FailingSeen | None:
        """Workers that end again and again, where the target tells of them."""
        return self.versions.failing if self.versions is not None else None


class Wake(TolerantEnum):
    """What ended a tick before its time."""

    EMERGENCY_MEMORY = "emergency_memory"
    MEMORY = "memory"
    BACKLOG = "backlog"
    SLOTS = "slots"
    WORKERS_LOST = "workers_lost"
    WORKERS_READY = "workers_ready"
    NEWER_PLAN = "newer_plan"
    SHUTDOWN = "shutdown"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that could not be read, in words for an operator; never a secret."""

    source: str
    message: str


@dataclass(frozen=True, slots=True)
class ScheduleSeen:
    """The floor that declared windows give now, and when that changes."""

    floor: int = 0
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was true when a tick ended. What many rules ask of a hundred workers is worked out once."""

    observed_at: datetime
    found: TargetRecord | None  # the target's record before this tick's step
    applied: Applied
    target: TargetSeen
    queues: tuple[QueueSeen, ...] = ()
    task_times: tuple[TaskTimesSeen, ...] = ()
    replay: ReplaySeen = ReplaySeen()
    workers: Annotated[tuple[WorkerSeen, ...], AsColumns(WorkerSeen)] = ()
    totals: Annotated[tuple[WorkerTotals, ...], AsColumns(WorkerTotals)] = ()
    slots: Annotated[tuple[QueueSlots, ...], AsColumns(QueueSlots)] = ()  # none where workers told only sums
    exits: Annotated[tuple[WorkerExit, ...], AsColumns(WorkerExit)] = ()
    strangers: tuple[str, ...] = ()  # pollers that are not the target's: uncontrolled capacity; the first ten
    strangers_seen: int = 0  # how many there are
    suspects: tuple[str, ...] = ()  # workflows whose task was under way at several kills for memory
    workflow_cores: float | None = None  # cores that one worker's workflow tasks can use, where its SDK limits them
    schedule: ScheduleSeen = ScheduleSeen()
    faults: tuple[Fault, ...] = ()
    woken_by: Wake | None = None

    @cached_property
    def live(self) -> tuple[WorkerSeen, ...]:
        """Workers that are not on their way out."""
        leaving = WorkerState.DRAINING
        return tuple(worker for worker in self.workers if worker.state is not leaving)

    @cached_property
    def ready(self) -> tuple[WorkerSeen, ...]:
        """Workers that serve."""
        serving = WorkerState.READY
        return tuple(worker for worker in self.workers if worker.state is serving)

    @cached_property
    def live_count(self) -> int:
        """How many workers are not on their way out; of a large fleet `live` names only some of them."""
        return sum(total.live for total in self.totals)

    @cached_property
    def ready_count(self) -> int:
        """How many workers serve; of a large fleet `ready` names only some of them."""
        return sum(total.ready for total in self.totals)

    @cached_property
    def served_for_seconds(self) -> float:
        """How long all ready workers have served; 0 where none is."""
        return min([worker.age_seconds - (worker.started_in_seconds or 0.0) for worker in self.ready], default=0.0)

    @cached_property
    def caches(self) -> frozenset[int | None]:
        """The cache sizes that live workers started under; None among them where one is not known."""
        return frozenset([total.cache for total in self.totals if total.live])

    def serves_with(self, cache: int | None) -> bool:
        """Whether any worker that started under this cache size serves."""
        return any(total.ready for total in self.totals if total.cache == cache)

    @cached_property
    def crashes(self) -> int:
        """Workers that ended by themselves in the last ten minutes, but for those that were killed for their memory."""
        return sum(ended.reason is ExitReason.CRASHED for ended in self.exits)

    @cached_property
    def any_beats(self) -> bool:
        """Whether any worker tells of itself."""
        return any(total.beating for total in self.totals)

    @cached_property
    def all_beat(self) -> bool:
        """Whether every ready worker tells of itself."""
        return all(total.beating >= total.ready for total in self.totals)

    @cached_property
    def fullest_bytes(self) -> int | None:
        """Memory of the worker that uses most; None where no worker has a figure."""
        return max([worker.memory_bytes for worker in self.workers if worker.memory_bytes is not None], default=None)
