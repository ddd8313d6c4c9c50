"""Watches what scale-outs bring, and stops those that bring nothing. Pure."""

from dataclasses import replace
from datetime import timedelta

from scaler.model.common import TaskType
from scaler.model.decision import Reason
from scaler.model.remembered import Push, Remembered, figure, whole_second
from scaler.rules.situation import Situation

EFFECT_TIME = timedelta(seconds=40)
"""Until a scale-out shows in what is done; the server's rates are averages over 30 s."""

LEAST_EFFECT = 0.1
"""A scale-out that brought less than this part of what it should have was in vain."""

IN_VAIN = timedelta(minutes=10)


def pushed(situation: Situation, workers: int) -> Push | None:
    """Begin to watch a scale-out for activities; one that is being watched already goes on.

    Not by the first rates: while free slots fill up, more is dispatched than workers can do. Measured against that, a
    scale-out passed for one in vain, and none followed for ten minutes while every slot was busy.
    """
    push, done = situation.memory.push, _done(situation)
    if push is not None or done is None or situation.learning or workers <= situation.current.workers:
        return push
    return Push(at=whole_second(situation.now), workers_before=situation.current.workers, done_before=figure(done))


def effect_judged(situation: Situation) -> Remembered:
    """Memory after a scale-out has had the time to show an effect: without one, the next ones would be in vain too."""
    memory, push = situation.memory, situation.memory.push
    done = _done(situation)
    if push is None or done is None:
        return memory
    if situation.now - push.at < EFFECT_TIME + timedelta(seconds=situation.estimate.start_seconds):
        return memory
    memory = replace(memory, push=None)
    expected = push.done_before * (situation.estimate.ready / max(push.workers_before, 1) - 1)
    waiting = any(load.backlog_tasks for load in situation.estimate.activity_loads)
    starved = waiting and situation.late is True
    if not starved or expected <= 0 or done - push.done_before >= LEAST_EFFECT * expected:
        return memory
    return replace(memory, ineffective_until=situation.now + IN_VAIN)


def in_vain(situation: Situation) -> Reason | None:
    """Why more workers would not help, if that is known."""
    until = situation.memory.ineffective_until
    if any(load.rate_limited for load in situation.estimate.activity_loads):
        return Reason.RATE_LIMITED
    return Reason.INEFFECTIVE_SCALE_OUT if until is not None and situation.now < until else None


def _done(situation: Situation) -> float | None:
    """Activities done per second: what was dispatched, where heartbeats do not tell."""
    done = [load.done_per_second for load in situation.estimate.activity_loads if load.done_per_second is not None]
    if done:
        return sum(done)
    rates = [
        queue.dispatches_per_second
        for queue in situation.seen.queues
        if queue.task_type is TaskType.ACTIVITY and queue.dispatches_per_second is not None
    ]
    return sum(rates) if rates else None
