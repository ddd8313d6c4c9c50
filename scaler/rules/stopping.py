"""How many workers a fleet that is being given up keeps for now. Pure."""

from scaler.model.common import Size
from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Stop
from scaler.rules.count import Count
from scaler.rules.rollout import workers_kept
from scaler.rules.situation import Situation


def stopping_count(situation: Situation, stop: Stop) -> Count:
    """None, or what it had before a rollout borrowed more; and for now those whose work would be lost.

    A count that somebody else set is adopted first: until the record names it the target refuses any other. Workers
    that report nothing go with the others, and have their drain to finish in: nobody could tell when they are idle, so
    a stop that waited for it would never end.
    """
    desired, current = situation.seen.target.desired, situation.current.workers
    if situation.foreign_hand and desired is not None:
        return Count(workers=desired, bound=Constraint.STOPPING, reasons=(Reason.STOPPING,))
    most = current + workers_kept(situation, Size(current))
    busy = max(situation.staying - situation.running_work.silent, 0)
    workers = min(busy, most) if stop.drain else most
    waits = (Reason.HELD_BY_RUNNING_WORK,) if workers > (0 if stop.drain else current) else ()
    return Count(workers=workers, bound=Constraint.STOPPING, reasons=(Reason.STOPPING, *waits))
