"""What was seen of a demo, second by second, and what is told of it in the end. Values only."""

from dataclasses import dataclass, field

from scaler.model.common import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at the fleet. None is what was not known then; memory is as the target measures it."""

    at_seconds: float  # since the load began
    phase: str
    offered_per_second: float
    arrived: int  # turns so far
    completed: int
    failed: int
    workers: int  # that are not on their way out
    ready: int
    size: Size | None  # that the target is set to
    needed: Size | None = None  # what the load alone asks for, before anything is held or bounded in time
    fullest_bytes: int | None
    peak_bytes: int | None  # the fullest of the last minute
    limit_bytes: int | None
    cached: int | None = None  # workflows in the fullest cache, by its heartbeat
    backlog: int | None = None  # tasks of both types, as the server counts them
    wait_seconds: float | None = None  # schedule-to-start of activities at the objective's percentile, as sampled
    mode: str = ""
    reasons: tuple[str, ...] = ()
    cache_bound: str = ""
    ticks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStart:
    """A worker's process was started."""

    worker: str
    at_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One task that went through a queue: when it was scheduled, and how long it waited for its start."""

    at_seconds: float
    seconds: float
    replayed: bool = False


@dataclass(slots=True, kw_only=True)
class Recording:
    """Everything that was recorded."""

    samples: list[Sample] = field(default_factory=list)
    starts: list[WorkerStart] = field(default_factory=list)
    oom_kills: list[float] = field(default_factory=list)
    activity_waits: list[Wait] = field(default_factory=list)
    workflow_task_waits: list[Wait] = field(default_factory=list)
    answers: list[Wait] = field(default_factory=list)  # from a turn's arrival to its answer
    turn_latency_p95_seconds: float | None = None
    history_events: int = 0
