"""Watches what this product changed of its own accord, and takes back what made things worse. Pure.

What memory demanded is never taken back: only voluntary changes are on trial.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from scaler.model.common import Size
from scaler.model.remembered import Change, Embargo, Remembered, Trial, figure, whole_second
from scaler.rules.scale_in_window import scale_in_window
from scaler.rules.situation import Situation

SETTLES = timedelta(seconds=45)
JUDGED = timedelta(minutes=10)
"""A change that did no harm for so long is no longer on trial."""

EMBARGO = timedelta(minutes=20)

MORE_DEMAND = 1.2
"""Lateness under so much more demand than before is not the change's doing."""

WORSE_MEMORY = 1.05


def harmful(situation: Situation) -> tuple[Trial, ...]:
    """The changes on trial that made things worse."""
    verdicts = {
        Change.SCALE_IN: _made_late,
        Change.CACHE_CUT: _made_late,
        Change.CACHE_RAISE: _outgrew,
    }
    return tuple(
        trial
        for trial in situation.memory.trials
        if (judge := verdicts.get(trial.change)) is not None and judge(trial, situation)
    )


def unsettled(situation: Situation) -> bool:
    """Whether another change now would hide what the one on trial does.

    A scale-in shows its harm as soon as it settles; steps follow each other for as long as a load falls, and a cache
    can't wait for the end of that. A cache fills slowly, and is watched for the whole time.
    """
    return any(
        trial.change is not Change.SCALE_IN or not _settled(trial, situation) for trial in situation.memory.trials
    )


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


def on_trial(situation: Situation, memory: Remembered, change: Change, after: Size) -> Remembered:
    """Memory with a change that is watched from now on, beside one of the other kind."""
    trial = _begun(situation, change, after)
    return replace(memory, scale_in=trial) if change is Change.SCALE_IN else replace(memory, trial=trial)


def _begun(situation: Situation, change: Change, after: Size) -> Trial:
    """A trial; steps in the same direction within one scale-in window are one change.

    Of a whole evening of steps only those can be blamed that came just before the harm: to take all of them back took
    a fleet from 12 workers to the 100 of its busiest hour.
    """
    estimate, earlier = situation.estimate, _of_kind(situation.memory, change)
    before, since = situation.current, situation.now
    if earlier is not None and situation.now - (earlier.since or earlier.at) <= scale_in_window(situation):
        before, since = earlier.before, earlier.since or earlier.at
    predicted = estimate.memory.predicted_bytes(after.cache) if after.cache is not None else None
    return Trial(
        change=change,
        at=whole_second(situation.now),
        since=whole_second(since),
        before=before,
        after=after,
        late_before=situation.late is not False,
        arrivals_before=figure(sum(load.arrivals_per_second for load in estimate.loads)),
        predicted_bytes=int(predicted) if predicted is not None else None,
    )


def _of_kind(memory: Remembered, change: Change) -> Trial | None:
    return next((trial for trial in memory.trials if trial.change is change), None)


def judged(memory: Remembered, harm: tuple[Trial, ...], now: datetime) -> Remembered:
    """Memory after harm was found or time has cleared a change; embargoes that ran out are gone."""
    if not memory.trials and not memory.embargoes:
        return memory
    embargoes = tuple(embargo for embargo in memory.embargoes if embargo.until > now)
    new = tuple(Embargo(trial.change, whole_second(now + EMBARGO)) for trial in harm)
    return replace(
        memory,
        trial=_still(memory.trial, harm, now),
        scale_in=_still(memory.scale_in, harm, now),
        embargoes=(*embargoes, *new),
    )


def _still(trial: Trial | None, harm: tuple[Trial, ...], now: datetime) -> Trial | None:
    over = trial is None or trial in harm or now - trial.at > JUDGED
    return None if over else trial
