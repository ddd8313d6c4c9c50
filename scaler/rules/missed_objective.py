"""While tasks are seen to wait longer than the objective, no worker goes, whatever the prediction says. Pure."""

from scaler.rules.situation import Situation


def held_while_late(situation: Situation) -> int:
    """The floor that lateness leaves: the present count while a fresh reading misses its objective, else 0."""
    return situation.current.workers if situation.late_loads else 0
