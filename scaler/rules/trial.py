"""Watches what this product changed of its own accord, and takes back what made things worse. Pure.

What memory demanded is never taken back: only voluntary changes are on trial.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from scaler.model.common import Size
from scaler.model.remembered import Change, Embargo, Remembered, Trial, figure
from scaler.rules.situation import Situation

SETTLES = timedelta(seconds=45)
JUDGED = timedelta(minutes=10)
"""A change that did no harm for so long is no longer on trial."""

EMBARGO = timedelta(minutes=20)

MORE_DEMAND = 1.2
"""Lateness under so much more demand than before is not the change's doing."""

WORSE_MEMORY = 1.05


def harmful(situation: Situation) -> Trial | None:
    """The change on trial, if it made things worse."""
    trial = situation.memory.trial
    if trial is None:
        return None
    verdicts = {
        Change.SCALE_IN: _made_late,
        Change.CACHE_CUT: _made_late,
        Change.CACHE_RAISE: _outgrew,
    }
    judge = verdicts.get(trial.change)
    return trial if judge is not None and judge(trial, situation) else None


def unsettled(situation: Situation) -> bool:
    """Whether another change now would hide what the one on trial does.

    A scale-in shows its harm as soon as it settles; steps follow each other for as long as a load falls, and a cache
    can't wait for the end of that. A cache fills slowly, and is watched for the whole time.
    """
    trial = situation.memory.trial
    return trial is not None and not (trial.change is Change.SCALE_IN and _settled(trial, situation))


def _made_late(trial: Trial, situation: Situation) -> bool:
    if trial.late_before or not situation.late or not _settled(trial, situation):
        return False
    demand = sum(load.arrivals_per_second for load in situation.estimate.loads)
    return demand <= MORE_DEMAND * trial.arrivals_before


def _outgrew(trial: Trial, situation: Situation) -> bool:
    """More memory than was predicted for full caches: seen at once, settled or not."""
    fullest = situation.estimate.memory.fullest_bytes
    return fullest is not None and trial.predicted_bytes is not None and fullest > WORSE_MEMORY * trial.predicted_bytes


def _settled(trial: Trial, situation: Situation) -> bool:
    return situation.now - trial.at >= max(SETTLES, timedelta(seconds=3 * situation.estimate.start_seconds))


def on_trial(situation: Situation, change: Change, after: Size) -> Trial:
    """Begin to watch a change; steps in the same direction are one change."""
    earlier, estimate = situation.memory.trial, situation.estimate
    before = earlier.before if earlier is not None and earlier.change is change else situation.current
    predicted = estimate.memory.predicted_bytes(after.cache) if after.cache is not None else None
    return Trial(
        change=change,
        at=situation.now,
        before=before,
        after=after,
        late_before=situation.late is not False,
        arrivals_before=figure(sum(load.arrivals_per_second for load in estimate.loads)),
        predicted_bytes=int(predicted) if predicted is not None else None,
    )


def judged(memory: Remembered, harm: Trial | None, now: datetime) -> Remembered:
    """Memory after harm was found or time has cleared the change; embargoes that ran out are gone."""
    trial = memory.trial
    if trial is None and not memory.embargoes:
        return memory
    embargoes = tuple(embargo for embargo in memory.embargoes if embargo.until > now)
    if harm is not None:
        return replace(memory, trial=None, embargoes=(*embargoes, Embargo(harm.change, now + EMBARGO)))
    if trial is not None and now - trial.at > JUDGED:
        trial = None
    return replace(memory, trial=trial, embargoes=embargoes)
