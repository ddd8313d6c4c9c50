"""The activities by name, with one request and one result type each; all that the workflow knows of them."""

from dataclasses import dataclass
from typing import Final

from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.plan import Plan, Stamp

RECONCILE: Final = "reconcile"
CHECK_TARGET: Final = "check_target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Make the plan so, watch until it ends, and tell what was true then. Answered by an `Observation`."""

    fleet: Fleet
    plan: Plan
    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What came through the door, unread: how many payloads, and the text of the only one if it is JSON."""

    payloads: int
    json: str | None = None
    fault: str | None = None  # why there is no text


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTarget:
    """Read a submitted fleet strictly and hold it against the outside. Answered by a `Verdict`."""

    submission: Submission
    workflow_id: str
    current: Fleet | None = None  # for an update: what may not change


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The fleet as it will be run, or every reason why not."""

    fleet: Fleet | None = None
    host: str | None = None
    problems: tuple[Problem, ...] = ()
