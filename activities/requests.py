"""The activities by name, with one request and one result type each; all that the workflow knows of them."""

from dataclasses import dataclass
from typing import Final

from scaler.door import Problem, Submission
from scaler.fleet import Fleet, Target, TaskQueue, TemporalPlace
from scaler.model.common import Claims
from scaler.model.plan import Plan, Stamp

RECONCILE: Final = "reconcile"
CHECK_TARGET: Final = "check_target"

FLEET_MEMO: Final = "fleet"
"""The memo key under which a fleet's workflow shows what it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Make the plan so, watch until it ends, and tell what was true then. Answered by an `Observation`."""

    fleet: Fleet
    plan: Plan
    stamp: Stamp


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
    claims: Claims | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMemo:
    """What a list of workflows tells of a fleet without asking it."""

    name: str
    target: Target
    task_queues: tuple[TaskQueue, ...]
    temporal: TemporalPlace
    claims: Claims | None = None  # None from a version that did not resolve them

    @classmethod
    def of(cls, fleet: Fleet, claims: Claims | None = None) -> "FleetMemo":
        """The part of a declaration that others look at."""
        return cls(
            name=fleet.name,
            target=fleet.target,
            task_queues=fleet.task_queues,
            temporal=fleet.temporal,
            claims=claims,
        )

    @property
    def target_identity(self) -> str:
        """The target in one spelling."""
        return self.claims.target if self.claims is not None else self.target.identity()

    @property
    def temporal_place(self) -> str:
        """Server and namespace in one spelling; where that was not resolved, the declaration's own."""
        if self.claims is not None and self.claims.place:
            return self.claims.place
        return f"{self.temporal.connection or ''}/{self.temporal.namespace or 'default'}"
