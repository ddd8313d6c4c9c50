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
class Memory:
    """What the next decision must remember."""

    operator: Operator = field(default_factory=Operator)
    unechoed: Size | None = None  # of the newest plan that no observation has echoed
