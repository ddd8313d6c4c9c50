"""Every scale-out is a trial for each queue whose tasks wait: one that brought a queue nothing is not followed by more.

What is looked up is what is handed to workers and, for tasks so long that none of the new ones can have ended, how many
slots are taken. The verdict binds what this queue may ask for and no other. It caps the queue at the count from before
the trial; after a while one more worker is tried, and only if that helps are there more. Pure.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from scaler.model.common import Polled, Quality
from scaler.model.estimate import Estimate, Load
from scaler.model.remembered import ScaleOut, figure
from scaler.rules.readings import Readings
from scaler.rules.situation import Situation, set_size
from scaler.wire.compact import millisecond

EFFECT_TIME = timedelta(seconds=40)
"""Until new workers show in what is handed out; the server's rates are averages over 30 s."""

COUNTED_SECONDS = 30.0

LEAST_EFFECT = 0.1
"""A scale-out that brought less than this part of what it should have was in vain."""

BY_CHANCE = 3.0
"""An effect is told from chance where it is so many standard deviations of a count."""

IN_VAIN = timedelta(minutes=10)
"""How long a queue's verdict stands before one more worker is tried."""

LONGEST_TRIAL = timedelta(minutes=10)
"""A trial that chance or silent workers kept from being judged for so long is begun anew by the next scale-out."""


def trials_after(readings: Readings, trials: tuple[ScaleOut, ...]) -> tuple[ScaleOut, ...]:
    """The trials after one more observation: judged, confirmed, or dropped once nothing is late any more."""
    return tuple(_after(readings, trials))


def helped(readings: Readings, trials: tuple[ScaleOut, ...]) -> Estimate:
    """The estimate with what is known of how many workers each queue is helped by."""
    estimate, current = readings.estimate, set_size(readings.seen).workers
    if not trials and not readings.beside_free_slots and not any(load.rate_limited for load in estimate.loads):
        return estimate
    of = {Polled.of(trial): trial for trial in trials}
    loads = tuple(
        replace(load, helped_by=_helped_by(readings, load, of.get(Polled.of(load)), current)) for load in estimate.loads
    )
    return replace(estimate, loads=loads)


def begun(situation: Situation, workers: int) -> tuple[ScaleOut, ...]:
    """The trials once the count was raised: one for each queue that waits; one that is under way goes on.

    Not by the first rates: while free slots fill up, more is dispatched than workers can do. Measured against that, a
    scale-out passed for one in vain, and none followed for ten minutes while every slot was busy.
    """
    trials, current = situation.memory.scale_outs, situation.current.workers
    if workers <= current or situation.learning:
        return trials
    kept = {Polled.of(trial): trial for trial in trials}
    for load in situation.estimate.loads:
        polled = Polled.of(load)
        earlier, done = kept.get(polled), situation.readings.dispatched_per_second(load)
        if not load.backlog_tasks or done is None or (earlier is not None and earlier.in_vain_until is None):
            continue
        kept[polled] = ScaleOut(
            queue=load.queue,
            task_type=load.task_type,
            at=millisecond(situation.now),
            workers_before=current,
            done_before=figure(done),
            taken_before=load.busy_slots,
            helped_by=earlier.helped_by if earlier is not None else None,
        )
    return tuple(kept.values())


def shown_in_vain(situation: Situation, load: Load) -> int | None:
    """The count beyond which a trial showed workers to bring a queue nothing; None without such a verdict."""
    for trial in situation.memory.scale_outs:
        if Polled.of(trial) == Polled.of(load) and trial.in_vain_until is not None:
            return trial.helped_by
    return None


def _after(readings: Readings, trials: tuple[ScaleOut, ...]) -> Iterator[ScaleOut]:
    loads = {Polled.of(load): load for load in readings.estimate.loads}
    for trial in trials:
        load = loads.get(Polled.of(trial))
        if load is None:
            continue
        starved = load in readings.late_loads and load.backlog_tasks > 0
        if trial.in_vain_until is not None:
            if load.quality is not Quality.FRESH or (starved and not _lifted(readings, load, trial)):
                yield trial
        elif (judged := _judged(readings, load, trial) if starved else _unneeded(readings, trial)) is not None:
            yield judged


def _unneeded(readings: Readings, trial: ScaleOut) -> ScaleOut | None:
    """A trial while nothing is late goes on until its workers had the time to show what they do: then it succeeded."""
    return trial if readings.now - trial.at < _settles(readings) else None


def _judged(readings: Readings, load: Load, trial: ScaleOut) -> ScaleOut | None:
    """The trial of a queue that is still late: undecided, dropped because it helped, or with a verdict."""
    waited, added = readings.now - trial.at, readings.estimate.ready - trial.workers_before
    if waited < _settles(readings):
        return trial
    effect = _effect(readings, load, trial, added) if added > 0 else None
    if effect is None:
        return trial if waited < LONGEST_TRIAL else None
    if effect:
        return None
    before = trial.workers_before if trial.helped_by is None else min(trial.helped_by, trial.workers_before)
    return replace(trial, in_vain_until=millisecond(readings.now + IN_VAIN), helped_by=before)


def _lifted(readings: Readings, load: Load, trial: ScaleOut) -> bool:
    """Whether what held the workers back has gone: they get more done than before the trial, more than by chance."""
    added = max(readings.estimate.ready - trial.workers_before, 1)
    if not _effect(readings, load, trial, added):
        return False
    done = readings.dispatched_per_second(load)
    by_chance = BY_CHANCE * math.sqrt(trial.done_before / COUNTED_SECONDS)
    return _takes_minutes(load) or (done is not None and done - trial.done_before >= by_chance)


def _settles(readings: Readings) -> timedelta:
    return EFFECT_TIME + timedelta(seconds=readings.estimate.start_seconds)


def _effect(readings: Readings, load: Load, trial: ScaleOut, added: int) -> bool | None:
    """Whether so many more workers brought at least a part of what they should have; None while nobody can tell."""
    if _takes_minutes(load):
        return _more_taken(load, trial, added)
    done = readings.dispatched_per_second(load)
    if done is None:
        return None
    expected = _gain_per_second(load, trial) * added
    if expected * COUNTED_SECONDS < BY_CHANCE * math.sqrt(trial.done_before * COUNTED_SECONDS):
        return None
    return done > trial.done_before and done - trial.done_before >= LEAST_EFFECT * expected


def _takes_minutes(load: Load) -> bool:
    return load.service_seconds is not None and load.service_seconds >= EFFECT_TIME.total_seconds()


def _more_taken(load: Load, trial: ScaleOut, added: int) -> bool | None:
    """Of tasks that take minutes none has ended yet: what new workers do shows in the slots that they have taken."""
    if not load.busy_known:
        return None
    return load.busy_slots - trial.taken_before >= LEAST_EFFECT * added * load.slots_per_worker


def _gain_per_second(load: Load, trial: ScaleOut) -> float:
    """What one more worker should get done: as much as one did before, or what its slots allow if none did anything."""
    if trial.done_before > 0 and trial.workers_before:
        return trial.done_before / trial.workers_before
    if not load.service_seconds:
        return 0.0
    return load.slots_per_worker / load.service_seconds


def _helped_by(readings: Readings, load: Load, trial: ScaleOut | None, current: int) -> int | None:
    """The most workers that a queue may ask for, None for as many as it likes; at least one, that it may wake."""
    limits = [current] if load.rate_limited else []
    if trial is not None and trial.helped_by is not None:
        probed = trial.in_vain_until is None or readings.now >= trial.in_vain_until
        limits.append(trial.helped_by + probed)
    elif load in readings.beside_free_slots:
        limits.append(max(current, trial.workers_before + 1) if trial is not None else current + 1)
    return max(min(limits), 1) if limits else None
