"""What the next decision must remember. Pure and frozen; as JSON at most 4 KiB with one queue, 16 KiB with eight."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from scaler.model.common import Size, TaskType, TolerantEnum
from scaler.wire.compact import AsPair, Brief, without_gaps


def figure(value: float) -> float:
    """Six digits: finer than any estimate, and a third of the length on the wire."""
    return float(f"{value:.6g}")


def whole_second(at: datetime) -> datetime:
    """A moment without its fraction: microseconds are a third of its length on the wire."""
    return at.replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Sizes are left alone until `until`, or until `resume`."""

    reason: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An operator names the end point: workers, cache or both."""

    reason: str
    until: datetime
    workers: int | None = None
    cache: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The fleet is to be given up, empty or as it is. `unanswered` counts ticks in which its target did not take it."""

    drain: bool
    cancelled: bool = False  # asked for by cancelling the workflow
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What people asked for."""

    pause: Pause | None = None
    override: Override | None = None
    stop: Stop | None = None
    resumed_at: datetime | None = None  # ends a hold for somebody else's hand


@dataclass(frozen=True, slots=True)
class Level:
    """A smoothed figure and when it was last fed; None until there was one."""

    value: float | None = None
    at: datetime | None = None


FewBytes = Annotated[Level, AsPair(Level)]
"""A level in a value of which a fleet has many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The newest backlog and its slope since the reading before."""

    tasks: int = 0
    at: Brief | None = None
    growth_per_second: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is remembered of one task queue and type.

    `surprises` are decayed counts of how far arrivals ran above their level, in buckets of `scaler.learn.margin`;
    `levels_before` are what they are measured against, `highest_per_second` is the highest level of late;
    `unqueued_per_second` is what workers do beyond what was dispatched to them; `since` is when arrivals were first
    seen, `limited_at` when a rate limit of the queue last held them back. `most_done` is what one worker got done in a
    second at most while tasks waited, `most_done_service` how long they took then, `waiting_since` since when some do.
    `slots` is how many each worker last told of.
    """

    queue: str = ""
    task_type: TaskType = TaskType.UNKNOWN
    since: Brief | None = None
    arrivals_per_second: FewBytes = Level()
    unqueued_per_second: FewBytes = Level()
    busy_slots: FewBytes = Level()
    service_seconds: FewBytes = Level()
    service_scv: float = 1.0
    surprises: tuple[float, ...] = ()
    levels_before: tuple[FewBytes, ...] = ()
    highest_per_second: float | None = None
    backlog: Backlog = Backlog()
    limited_at: Brief | None = None
    waiting_since: Brief | None = None
    most_done: FewBytes = Level()
    most_done_service: float | None = None
    slots: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """The most memory that a worker was seen to use with so many workflows cached, and how many activities it ran."""

    cached: int
    bytes: int
    at: Brief
    running: int = 0
    replayed: bool = False  # whether its runs had come back by replays


@dataclass(frozen=True, slots=True)
class ActivityFit:
    """Fading moments of the least-squares fit in `scaler.learn.activity_bytes`, in its order; megabytes."""

    moments: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What is remembered of the memory of single workers; `version` is whose code the points are of."""

    version: str = ""
    points: tuple[MemoryPoint, ...] = ()
    activities: ActivityFit = ActivityFit()
    fullest_bytes: Level = Level()
    growth_bytes_per_second: float = 0.0
    replayed_at: Brief | None = None  # when runs last came back by replays in numbers
    replay_factor: float | None = None  # how many times as much those took as runs that had grown; None if never seen


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A worker count that some moment in the scale-in window wanted."""

    at: Brief
    workers: int


class Change(TolerantEnum):
    """What this product changed of its own accord, so that it can be judged and taken back."""

    SCALE_IN = "scale_in"
    CACHE_RAISE = "cache_raise"
    CACHE_CUT = "cache_cut"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A change that is being watched: what it was, and how things stood before it.

    `at` is its newest step, `since` the first of the steps that `before` was before.
    """

    change: Change
    at: datetime
    since: datetime | None = None
    before: Size
    after: Size
    late_before: bool
    arrivals_before: float
    predicted_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Embargo:
    """A kind of change that did harm is not tried again before `until`."""

    change: Change
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleOut:
    """A scale-out on trial for what it brings one queue whose tasks wait, or the verdict that it brought nothing.

    `done_before` and `taken_before` are what all workers got done a second and the slots taken before it.
    `in_vain_until` is set by the verdict; from then on one more worker may be tried. `helped_by` is the count beyond
    which workers were shown to bring nothing.
    """

    queue: str
    task_type: TaskType
    at: Brief
    workers_before: int
    done_before: float
    taken_before: int = 0
    in_vain_until: Brief | None = None
    helped_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A change of the cache size that is under way."""

    began: datetime
    before: int | None
    forced: bool  # for safety: never taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The last direction in which the count moved, and how often it turned around lately."""

    up: bool = True
    at: datetime | None = None
    reversals: Level = Level()


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    """One heartbeat of one worker."""

    worker: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the next decision must remember."""

    operator: Operator = field(default_factory=Operator)
    unechoed: Size | None = None  # of the newest plan that no observation has echoed
    decided_on: datetime | None = None  # time of the newest observation that was learned from
    demands: tuple[Demand, ...] = ()  # one for each queue and type that the fleet polls
    workflow: Demand | None = None  # of versions that knew one load per task type; read, never written
    activity: Demand | None = None
    worker: Footprint = field(default_factory=Footprint)
    start_seconds: Level = Level()
    exits_known: tuple[Brief, ...] = ()  # the same by their times, for versions that tell ends apart by those
    exits_counted: tuple[str, ...] = ()  # ends of workers that counted already, by identity; oldest first
    recommendations: tuple[Recommendation, ...] = ()
    good_since: datetime | None = None  # from when on latency has been inside the objective
    hold_over: datetime | None = None  # time of the newest cache cut that holds no worker any more
    foreign_since: datetime | None = None
    other_scaler_since: datetime | None = None  # from when on another autoscaler has been on the target
    cache_foreign_since: datetime | None = None  # from when on the target has had a cache size of somebody else's
    cache_repaired_at: datetime | None = None
    cache_left_since: datetime | None = None  # set again after it was put back: theirs from then on
    target_version: str = ""
    rollout: Rollout | None = None
    cache_changes: Level = Level()  # a leaking count of voluntary rollouts
    trial: Trial | None = None  # a change of the cache
    scale_in: Trial | None = None
    embargoes: tuple[Embargo, ...] = ()
    scale_outs: tuple[ScaleOut, ...] = ()
    overfull: int = 0  # heartbeats in a row in which one worker held more than its cache size
    overfull_beat: WorkerBeat | None = None  # the newest of them
    turns: Turns = field(default_factory=Turns)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The changes that are being watched, at most one of the cache and one scale-in."""
        return tuple(trial for trial in (self.trial, self.scale_in) if trial is not None)

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What says nothing is left out: it reads as its default. What people asked for is whole: scripts read it."""
        whole = write(self)
        written: dict[str, Any] = {"operator": whole["operator"], **without_gaps(whole | {"operator": None})}
        return written
