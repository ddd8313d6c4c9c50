"""Levels: what is remembered of a figure that was sampled at irregular times. Pure."""

import math
from datetime import datetime, timedelta

from scaler.model.remembered import Level, figure, whole_second


def level_after(level: Level, sample: float | None, at: datetime, time_constant: timedelta) -> Level:
    """An exponentially weighted level whose weight follows the time between samples, not their number."""
    if sample is None:
        return level
    at = whole_second(at)  # on both sides of a difference, so that no time is lost
    if level.value is None or level.at is None:
        return Level(figure(sample), at)
    passed = max((at - level.at) / time_constant, 0.0)
    return Level(figure(level.value + (sample - level.value) * (1 - math.exp(-passed))), at)
