"""After a cut of the cache workers stay until latency was inside the objective for a whole window, once per cut. Pure.

Fewer cached runs mean more replays, and what that costs shows only with time.
"""

from datetime import datetime, timedelta

from scaler.rules.situation import Situation

HOLD_WINDOW = timedelta(minutes=10)
"""For so long after the cut, and without a break, latency must have been inside the objective."""


def held_after_cut(situation: Situation) -> int:
    """The floor that a cache cut leaves; 0 without one, and once its hold is over."""
    cut, over = _cut_at(situation), situation.memory.hold_over
    if cut is None or (over is not None and cut <= over):
        return 0
    record = situation.record
    workers = record.cut.workers if record is not None and record.cut is not None else 0
    return max(workers, situation.need.size.workers)


def hold_over(situation: Situation, good_since: datetime | None) -> datetime | None:
    """The time of the newest cut whose hold has ended: tasks that are late long after are not that cut's doing."""
    cut, before = _cut_at(situation), situation.memory.hold_over
    if cut is None or good_since is None or situation.now - max(good_since, cut) < HOLD_WINDOW:
        return before
    return cut


def good_since(situation: Situation) -> datetime | None:
    """From when on latency has been inside the objective without a break that anybody saw."""
    return (situation.memory.good_since or situation.now) if situation.late is False else None


def _cut_at(situation: Situation) -> datetime | None:
    record = situation.record
    return record.cut.at if record is not None and record.cut is not None else None
