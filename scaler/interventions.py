"""What people ask of a running fleet, as changes of its memory. Pure: time is an argument, never read."""

from dataclasses import replace
from datetime import datetime

from scaler.model.remembered import Operator, Override, Pause, Remembered, Stop


def paused(memory: Remembered, pause: Pause) -> Remembered:
    """Leave all sizes alone."""
    return _with(memory, replace(memory.operator, pause=pause))


def resumed(memory: Remembered, now: datetime) -> Remembered:
    """End a pause, and a hold for somebody else's hand."""
    return _with(memory, replace(memory.operator, pause=None, resumed_at=now))


def overridden(memory: Remembered, override: Override, now: datetime) -> Remembered:
    """Name the end point; a hold for somebody else's hand ends with it."""
    return _with(memory, replace(memory.operator, override=override, resumed_at=now))


def override_cleared(memory: Remembered) -> Remembered:
    """Decide by the load again."""
    return _with(memory, replace(memory.operator, override=None))


def stopped(memory: Remembered, *, drain: bool, cancelled: bool = False) -> Remembered:
    """Give the fleet up, which ends a pause; asking again may add the drain but not take it back."""
    earlier = memory.operator.stop or Stop(drain=False)
    stop = replace(earlier, drain=drain or earlier.drain, cancelled=cancelled or earlier.cancelled)
    return _with(memory, replace(memory.operator, stop=stop, pause=None))


def stop_answered(memory: Remembered, *, settled: bool) -> Remembered:
    """After a tick of a fleet that is to be given up: whether its target took the plan."""
    stop = memory.operator.stop
    if stop is None:
        return memory
    unanswered = 0 if settled else stop.unanswered + 1
    if unanswered == stop.unanswered:
        return memory
    return _with(memory, replace(memory.operator, stop=replace(stop, unanswered=unanswered)))


def expired(memory: Remembered, now: datetime) -> Remembered:
    """Drop what has run out."""
    operator = memory.operator
    if operator.pause is not None and operator.pause.until is not None and operator.pause.until <= now:
        operator = replace(operator, pause=None)
    if operator.override is not None and operator.override.until <= now:
        operator = replace(operator, override=None)
    return memory if operator is memory.operator else _with(memory, operator)


def _with(memory: Remembered, operator: Operator) -> Remembered:
    return replace(memory, operator=operator)
