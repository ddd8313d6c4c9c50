"""A worker count that somebody else set is adopted and held for a while, even outside the bounds. Pure."""

from dataclasses import replace

from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Remembered
from scaler.rules.count import Count
from scaler.rules.situation import Situation


def adopted(situation: Situation) -> tuple[Remembered, Count | None]:
    """The count of somebody else's hand while it is held, None otherwise, and the memory that goes with it.

    One that came together with new code is a deploy: adopted, but not held.
    """
    desired, version = situation.seen.target.desired, situation.seen.target.version
    memory = situation.memory
    deployed = bool(memory.target_version) and memory.target_version != version
    if version and version != memory.target_version:
        memory = replace(memory, target_version=version)
    if situation.foreign_hand and desired is not None:
        reason = Reason.USER_DEPLOY if deployed else Reason.FOREIGN_COUNT
        held = Count(workers=desired, bound=Constraint.FOREIGN_HAND, reasons=(reason,))
        return replace(memory, foreign_since=None if deployed else situation.now), held
    if memory.foreign_since is None:
        return memory, None
    if _released(situation):
        return replace(memory, foreign_since=None), None
    workers = situation.current.workers
    return memory, Count(workers=workers, bound=Constraint.FOREIGN_HAND, reasons=(Reason.FOREIGN_COUNT,))


def _released(situation: Situation) -> bool:
    """Whether the hold has run out, or was ended by an operator after it began."""
    since, resumed_at = situation.memory.foreign_since, situation.memory.operator.resumed_at
    if since is None or (resumed_at is not None and resumed_at >= since):
        return True
    return situation.now - since >= situation.fleet.behaviour.foreign_hold
