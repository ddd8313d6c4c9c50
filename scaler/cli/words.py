"""How figures and states are written for a person. A missing one is a dash, never a zero."""

import math
from datetime import datetime, timedelta
from enum import StrEnum

from scaler.wire.units import format_duration, format_size

MISSING = "–"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_FINE = 10  # seconds below which tenths are told
_LINE = 200
_COARSE = 100  # a count from which on its fraction is not told


def span(seconds: float | None) -> str:
    """A length of time in at most two units: `0s`, `250ms`, `12s`, `5m10s`, `3h20m`, `2d4h`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    seconds = max(seconds, 0.0)
    if seconds < _FINE:
        return format_duration(timedelta(seconds=round(seconds, 3 if seconds < 1 else 1)))
    if seconds < _HOUR:
        return format_duration(timedelta(seconds=round(seconds)))
    if seconds < _DAY:
        return format_duration(timedelta(minutes=round(seconds / _MINUTE)))
    hours = round(seconds / _HOUR)
    return f"{hours // 24}d{hours % 24}h" if hours % 24 else f"{hours // 24}d"


def ago(at: datetime | None, now: datetime) -> str:
    """How long before now; a clock that runs ahead reads as now."""
    return MISSING if at is None else f"{span(round((now - at).total_seconds()))} ago"


def left(until: datetime, now: datetime) -> str:
    """A moment to come: `12:30 UTC (in 5m)`."""
    return f"{moment(until, now)} (in {span(round((until - now).total_seconds()))})"


def moment(at: datetime, now: datetime) -> str:
    """A time of this day, or with its date."""
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def size(count: float | None) -> str:
    """Bytes for a person."""
    return MISSING if count is None else format_size(count)


def share(part: float | None, whole: float | None) -> str:
    """A percentage; a dash where either is missing."""
    return MISSING if part is None or not whole else f"{part / whole:.0%}"


def number(count: float | None) -> str:
    """A count or a rate, as long as it needs to be."""
    if count is None or not math.isfinite(count):
        return MISSING
    return (
        f"{count:.0f}" if count == int(count) or count >= _COARSE else f"{count:.2g}" if count < 1 else f"{count:.1f}"
    )


def spoken(word: StrEnum) -> str:
    """An enum's member in words: `held_by_window` as `held by window`."""
    return word.value.replace("_", " ")


def printable(text: str) -> str:
    """Text from outside without what would steer a terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def first_line(text: str | None) -> str:
    """What of a longer message fits beside other things: a line, and not all of a long one."""
    return (text or "").strip().partition("\n")[0][:_LINE]
