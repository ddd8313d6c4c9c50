"""What the next tick makes so. Pure and frozen."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scaler.model.common import Generation, Owner, Size
from scaler.model.observation import Wake
from scaler.model.record import RolloutStep

SHORTEST_TICK, LONGEST_TICK = timedelta(seconds=5), timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Thresholds that end a tick before its time; None is no threshold.

    A threshold that was crossed already when the plan was made does not end it; crossing the emergency one always does.
    """

    memory_bytes: int | None = None  # of the fullest worker
    emergency_memory_bytes: int | None = None
    backlog_tasks: int | None = None
    backlog_age_seconds: float | None = None
    activity_slots_used: int | None = None  # over the fleet
    ready_below: int | None = None
    ready_at_least: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the next tick makes so: levels, not changes, so that carrying it out twice is carrying it out once.

    A target keeps `size.workers + surge` workers that are not draining. It starts new ones under `size.cache`,
    drains those in `replace` whatever their number, and takes others away in the order of `victims`, only as
    far as there are too many. Without a size it only looks.
    """

    size: Size | None
    until: datetime
    step: RolloutStep = RolloutStep.NONE
    surge: int = 0
    replace: tuple[str, ...] = ()
    victims: tuple[str, ...] = ()
    wake: WakeAt = field(default_factory=WakeAt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Who sends a plan and where it stands in the order of plans; set by the workflow, not by the decision.

    `fence` has the generation written to the target even if nothing else changes, which shuts out whatever an
    earlier, never echoed plan may still do. `release` gives the target up: its record names no owner after.
    """

    owner: Owner
    generation: Generation
    wake_from: datetime  # thresholds end the tick from then on
    at: datetime | None = None  # the server's time when the step is taken; set by whoever serves the tick
    fence: bool = False
    release: bool = False
    held: tuple[Wake, ...] | None = None  # thresholds crossed already when it was decided; None from an older version
    ends_known: tuple[str, ...] = ()  # ends of workers that were known then, by identity
