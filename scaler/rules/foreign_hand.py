"""A count that somebody else set is adopted and held: for a while, or while another autoscaler moves the target. Pure.

It may stand outside the bounds.
"""

from dataclasses import replace
from datetime import datetime

from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Remembered
from scaler.rules.count import Count
from scaler.rules.situation import Situation


def adopted(situation: Situation) -> tuple[Remembered, Count | None]:
    """The count of somebody else's hand while it is held, None otherwise, and the memory that goes with it.

    One that came together with new code is a deploy: adopted, but not held.
    """
    memory = _rival_watched(situation)
    deployed = bool(memory.target_version) and memory.target_version != situation.seen.target.version
    memory = replace(memory, target_version=situation.seen.target.version or memory.target_version)
    desired, current = situation.seen.target.desired, situation.current.workers
    if situation.foreign_hand and desired is not None:
        reason = Reason.USER_DEPLOY if deployed else Reason.FOREIGN_COUNT
        return replace(memory, foreign_since=None if deployed else situation.now), _held(desired, reason)
    if _stands(situation, memory.other_scaler_since):
        return memory, _held(current, Reason.OTHER_SCALER)
    if memory.foreign_since is None:
        return memory, None
    ran_out = situation.now - memory.foreign_since >= situation.fleet.behaviour.foreign_hold
    if ran_out or not _stands(situation, memory.foreign_since):
        return replace(memory, foreign_since=None), None
    return memory, _held(current, Reason.FOREIGN_COUNT)


def held_by_another(situation: Situation) -> bool:
    """Whether the count is somebody else's for now."""
    return adopted(situation)[1] is not None


def _held(workers: int, reason: Reason) -> Count:
    return Count(workers=workers, bound=Constraint.FOREIGN_HAND, reasons=(reason,))


def _rival_watched(situation: Situation) -> Remembered:
    """Memory of since when another autoscaler moves the target."""
    memory = situation.memory
    if situation.seen.target.other_scaler is None:
        return memory if memory.other_scaler_since is None else replace(memory, other_scaler_since=None)
    return replace(memory, other_scaler_since=memory.other_scaler_since or situation.now)


def _stands(situation: Situation, since: datetime | None) -> bool:
    """Whether a hold that began then was not ended by an operator after it began."""
    resumed_at = situation.memory.operator.resumed_at
    return since is not None and (resumed_at is None or resumed_at < since)
