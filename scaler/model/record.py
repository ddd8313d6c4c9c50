"""What a target remembers of this product, and the echo of a plan. Pure and frozen."""

from dataclasses import dataclass
from datetime import datetime

from scaler.model.common import Generation, Owner, Size, TolerantEnum


class RolloutStep(TolerantEnum):
    """Where a change of the cache size stands. Each step is idempotent and ends by being observed."""

    NONE = "none"
    SURGE = "surge"  # workers with the new cache start beside the old ones
    REPLACE = "replace"  # old ones drain, each gets a successor
    CONFIRM = "confirm"  # all are new; memory and latency are watched before the surge goes
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CacheCut:
    """The last cut of the cache: when it was written to the target, and how many workers were intended then."""

    at: datetime
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRecord:
    """What a target remembers of this product, so that holds and rollouts can be rebuilt from an observation.

    `previous` is the size that `intended` replaced: a count on the target that is neither of the two came from
    someone else's hand. `surge` is what a rollout borrowed on top of `intended.workers`, `surge_before` what it had
    borrowed when that was last seen on the target.
    """

    owner: Owner | None
    generation: Generation
    intended: Size | None = None
    previous: Size | None = None
    step: RolloutStep = RolloutStep.NONE
    surge: int = 0
    surge_before: int = 0
    cut: CacheCut | None = None


class StepOutcome(TolerantEnum):
    """What became of the step towards a plan."""

    APPLIED = "applied"
    LOOKED = "looked"  # the plan had no size
    REFUSED_GENERATION = "refused_generation"  # the record is ahead: an orphan, a reset, a restored database
    REFUSED_OWNER = "refused_owner"  # the record names another owner, or none and the plan had a size
    NOT_ALLOWED = "not_allowed"  # the controller's configuration does not list the target
    REFUSED_HAND = "refused_hand"  # somebody else set the count; it is adopted before it is changed
    CONFLICT = "conflict"  # somebody wrote the target in between; the next tick tries again
    FAILED = "failed"  # the target could not be reached, or refused; `detail` says why
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The echo of a plan: which one, and what became of it."""

    generation: Generation
    outcome: StepOutcome
    record: TargetRecord | None = None  # as it stands after the step
    detail: str | None = None

    @property
    def settled(self) -> bool:
        """Whether it is known what came of the plan, so that the next decision may build on it."""
        return self.outcome in (StepOutcome.APPLIED, StepOutcome.LOOKED, StepOutcome.REFUSED_HAND)
