"""How a plan becomes a target's record: who may write, what is written, and what is refused. Pure.

Targets write the record first, under their own concurrency check, and act then; so whoever reads it later knows
what was intended even if nobody came to act.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from scaler.model.common import Size
from scaler.model.plan import Plan, Stamp
from scaler.model.record import CacheCut, RolloutStep, StepOutcome, TargetRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the target stands when a step is taken."""

    now: datetime
    owner_lives: bool  # whether the workflow that the record names is still running
    desired: int | None = None  # the count that the target is set to, without what a rollout borrowed
    borrowed: int | None = None  # what its one number holds beside that; None where the two are apart


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStep:
    """What to do with a plan: `write` first if there is something to write, then act if the outcome is applied."""

    outcome: StepOutcome
    write: TargetRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the one number of a target is made of: the count that it is set to, and what a rollout borrowed."""

    desired: int
    borrowed: int


def counted(number: int, record: TargetRecord | None) -> Counted:
    """Take apart what a platform with one number is set to, as a Deployment is with its replicas.

    The number is what the record intends, or what it held before, wherever a controller was killed between the record
    and the act. What is neither is somebody else's, who counts all workers.
    """
    if record is None or record.intended is None:
        return Counted(desired=number, borrowed=0)
    intended, previous = record.intended, record.previous or record.intended
    ours = ((intended, record.surge), (previous, record.surge_before), (intended, record.surge_before))
    for size, surge in ours:
        if size.workers + surge == number:
            return Counted(desired=size.workers, borrowed=surge)
    return Counted(desired=number, borrowed=0)


def record_step(found: TargetRecord | None, plan: Plan, stamp: Stamp, standing: Standing) -> RecordStep:
    """Hold a plan against the record that a target carries, None where this product never wrote one."""
    if found is None or not stamp.owner.is_same(found.owner):
        return _claim(found, plan, stamp, standing)
    if found.generation > stamp.generation:
        return RecordStep(outcome=StepOutcome.REFUSED_GENERATION)
    outcome = _outcome(found, plan, standing)
    mine = replace(found, owner=stamp.owner if stamp.owner.cluster else found.owner)
    wanted = _intended(mine, plan, standing) if outcome is StepOutcome.APPLIED else mine
    if stamp.release:
        wanted = replace(wanted, owner=None)
    changed = wanted != found or stamp.fence
    return RecordStep(outcome=outcome, write=replace(wanted, generation=stamp.generation) if changed else None)


def set_by_another_hand(record: TargetRecord, desired: int | None) -> bool:
    """Whether a count is neither the record's intended one nor the one before, so that somebody else set it."""
    if desired is None or record.intended is None:
        return False
    ours = {record.intended.workers, record.previous.workers if record.previous else record.intended.workers}
    return desired not in ours


def _claim(found: TargetRecord | None, plan: Plan, stamp: Stamp, standing: Standing) -> RecordStep:
    """Only a look may claim: a late plan of a fleet that was given up must not. A closed owner claims nothing."""
    owned = found is not None and found.owner is not None and standing.owner_lives
    if owned or not _only_looks(plan):
        return RecordStep(outcome=StepOutcome.REFUSED_OWNER)
    if stamp.release:
        return RecordStep(outcome=StepOutcome.LOOKED)
    base = found or TargetRecord(owner=None, generation=stamp.generation)
    claimed = replace(base, owner=stamp.owner, generation=stamp.generation)
    return RecordStep(outcome=StepOutcome.LOOKED, write=claimed)


def _outcome(found: TargetRecord, plan: Plan, standing: Standing) -> StepOutcome:
    if plan.size is None or _only_looks(plan):
        return StepOutcome.LOOKED
    if set_by_another_hand(found, standing.desired) and plan.size.workers != standing.desired:
        return StepOutcome.REFUSED_HAND
    return StepOutcome.APPLIED


def _only_looks(plan: Plan) -> bool:
    """A step that only a later version knows is not guessed at."""
    return plan.size is None or plan.step is RolloutStep.UNKNOWN


def _intended(found: TargetRecord, plan: Plan, standing: Standing) -> TargetRecord:
    if plan.size is None:
        return found
    before, size = found.intended, plan.size
    if size.cache is None and before is not None:
        size = Size(size.workers, before.cache)
    record = replace(found, intended=size, step=plan.step, surge=plan.surge)
    if before is None:
        # What the target had before this product came is no foreign hand's work if the first act never happens.
        return replace(record, previous=Size(standing.desired) if standing.desired is not None else None)
    # What was written but never acted on may not push out what the target still has:
    # 4 → 6 → 5 with no act in between leaves a 4 that is nobody else's.
    if standing.borrowed in (None, found.surge) and (before, found.surge) != (size, plan.surge):
        record = replace(record, surge_before=found.surge)
    if before == size:
        return record
    if standing.desired in (None, before.workers):
        record = replace(record, previous=before)
    cut = before.cache is not None and size.cache is not None and size.cache < before.cache
    return replace(record, cut=CacheCut(standing.now, before.workers)) if cut else record
