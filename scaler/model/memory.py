"""What the next decision must remember. Pure and frozen; at most 4 KiB as JSON."""

from dataclasses import dataclass, field
from datetime import datetime

from scaler.model.common import Size


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
    """The fleet is to be given up, empty or as it is."""

    drain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What people asked for."""

    pause: Pause | None = None
    override: Override | None = None
    stop: Stop | None = None
    resumed_at: datetime | None = None  # ends a hold for somebody else's hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A smoothed figure and when it was last fed; None until there was one."""

    value: float | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is known of one task type."""

    arrivals_per_second: Level = Level()
    service_seconds: Level = Level()


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """The most memory that a worker was seen to use with so many workflows cached."""

    cached: int
    bytes: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """How many workers one stretch of the scale-in window would have wanted at most."""

    at: datetime
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the next decision must remember."""

    operator: Operator = field(default_factory=Operator)
    unechoed: Size | None = None  # of the newest plan that no observation has echoed
    decided_on: datetime | None = None  # time of the newest observation that was learned from
    workflow: Demand = field(default_factory=Demand)
    activity: Demand = field(default_factory=Demand)
    envelope: tuple[MemoryPoint, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    exits_known: tuple[datetime, ...] = ()  # when the workers ended whose end was taken into account
    hold_since: datetime | None = None  # from when latency was inside the objective, after a cache cut
    foreign_since: datetime | None = None
    cache_changed_at: datetime | None = None
