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
class RecordStep:
    """What to do with a plan: `write` first if there is something to write, then act if the outcome is applied."""

    outcome: StepOutcome
    write: TargetRecord | None = None


def record_step(
    found: TargetRecord | None, plan: Plan, stamp: Stamp, now: datetime, *, owner_lives: bool
) -> RecordStep:
    """Hold a plan against the record that a target carries.

    Args:
        found: The record, or None where this product never wrote one.
        plan: What is to be made so; without a size it only looks.
        stamp: Who sends it and where it stands in the order of plans.
        now: When this step is taken; stands in the record of a cache cut.
        owner_lives: Whether the workflow that the record names is still running. A closed one leaves its
            target to the next that only looks.

    """
    if found is None or found.owner != stamp.owner:
        return _claim(found, plan, stamp, owner_lives=owner_lives)
    if found.generation > stamp.generation:
        return RecordStep(outcome=StepOutcome.REFUSED_GENERATION)
    wanted = _intended(found, plan, now)
    if stamp.release:
        wanted = replace(wanted, owner=None)
    changed = wanted != found or stamp.fence
    outcome = StepOutcome.LOOKED if _only_looks(plan) else StepOutcome.APPLIED
    return RecordStep(
        outcome=outcome, write=replace(wanted, generation=stamp.generation) if changed else None
    )


def _claim(found: TargetRecord | None, plan: Plan, stamp: Stamp, *, owner_lives: bool) -> RecordStep:
    """Only a look may claim: a late plan of a fleet that was given up must not."""
    owned = found is not None and found.owner is not None and owner_lives
    if owned or not _only_looks(plan):
        return RecordStep(outcome=StepOutcome.REFUSED_OWNER)
    if stamp.release:
        return RecordStep(outcome=StepOutcome.LOOKED)
    base = found or TargetRecord(owner=None, generation=stamp.generation)
    claimed = replace(base, owner=stamp.owner, generation=stamp.generation)
    return RecordStep(outcome=StepOutcome.LOOKED, write=claimed)


def _only_looks(plan: Plan) -> bool:
    """A step that only a later version knows is not guessed at."""
    return plan.size is None or plan.step is RolloutStep.UNKNOWN


def _intended(found: TargetRecord, plan: Plan, now: datetime) -> TargetRecord:
    if plan.size is None or _only_looks(plan):
        return found
    before, size = found.intended, plan.size
    if size.cache is None and before is not None:
        size = Size(size.workers, before.cache)
    record = replace(found, intended=size, step=plan.step, surge=plan.surge)
    if before is None or before == size:
        return record
    record = replace(record, previous=before)
    cut = before.cache is not None and size.cache is not None and size.cache < before.cache
    return replace(record, cut=CacheCut(now, before.workers)) if cut else record
