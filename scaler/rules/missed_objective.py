"""While tasks are seen to wait longer than the objective, no worker goes, whatever the prediction says. Pure."""

from scaler.rules.effect import shown_in_vain
from scaler.rules.situation import Situation


def held_while_late(situation: Situation) -> int:
    """The floor that lateness leaves: the present count while a fresh reading misses its objective, else 0.

    Workers that a trial showed to bring the late queue nothing may go, down to the count before the trial.
    """
    counts = (shown_in_vain(situation, load) for load in situation.late_loads)
    return max((situation.current.workers if count is None else count for count in counts), default=0)
