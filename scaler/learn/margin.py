"""How far arrivals may run above what is seen: as far as they did of late, at the objective's percentile. Pure."""

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scaler.learn.level import level_after
from scaler.model.remembered import Demand, Level, whole_second

SURPRISE_EDGES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
"""Upper edges of the buckets of surprises, in standard deviations of a Poisson count; one more bucket is open."""

SURPRISE_TIME = timedelta(minutes=30)
SURPRISES_LEFT = 3.0
"""Part of the surprises that a margin leaves uncovered, for each part of the tasks that the objective lets be late."""

SURPRISE_HORIZON = timedelta(seconds=30)
"""How far ahead a plan looks: statistics are up to 20 s old and a worker takes a while to start."""

ONE_SURPRISE, LONGEST_SURPRISE = timedelta(seconds=15), timedelta(minutes=1)
"""What counts as one: surprises count by how long they lasted, since ticks are short just where tasks wait, and bad
moments would count three to twelve times. After a longer gap nobody knows how long."""

LEVELS_KEPT = 4
LARGEST_MARGIN = 1.0
"""A margin at most doubles the level: bursts beyond are met by what a backlog says, not by what was once surprising."""

HIGHEST_TIME = timedelta(minutes=30)
HIGHEST_BEATEN = 0.25
"""How far a load may be expected above its highest level of late. A load that jumps between two levels has large
surprises, but at the upper one nothing is left to be surprised by: it took twice the workers that it needed."""

FIRST_SURPRISES = (0.0, 0.0, 2.0, 1.5, 0.4, 0.2, 0.1, 0.05, 0.02, 0.0, 0.0)
"""What counts as seen before anything was, in the same buckets; it weighs less as real ones come. With next to nothing
at first, fleets lost workers in their fifth minute and missed them in the sixth."""

LEAST_COUNT = 0.01
"""Less of a surprise is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one observation adds: the rate that was read, and the level after it."""

    rate: float | None
    level: Level
    at: datetime
    learning: bool  # the first rates rise from nothing, which is no surprise


def levels_after(demand: Demand, news: News) -> tuple[Level, ...]:
    """A few past levels, far enough apart that the oldest lies a horizon back."""
    level, at = news.level, news.at
    kept = tuple(each for each in demand.levels_before if each.at is not None and at - each.at <= 2 * SURPRISE_HORIZON)
    crowded = kept and kept[-1].at is not None and at - kept[-1].at < SURPRISE_HORIZON / (LEVELS_KEPT - 1)
    if crowded or level.at is None:
        return kept
    return (*kept, replace(level, at=whole_second(level.at)))[-LEVELS_KEPT:]


def highest_after(demand: Demand, news: News) -> float | None:
    """The highest level of late, which fades towards the present one."""
    highest, level, last = demand.highest_per_second, news.level.value, demand.arrivals_per_second.at
    if news.rate is None or level is None:
        return highest
    if highest is None or last is None or news.learning:
        return level
    return max(level_after(Level(highest, last), level, news.at, HIGHEST_TIME).value or 0.0, level)


def surprises_after(demand: Demand, news: News) -> tuple[float, ...]:
    """Decayed counts of surprises, with how far the rate lies above the level of a horizon ago."""
    before = demand.levels_before[0] if demand.levels_before else Level()
    if news.learning or news.rate is None or before.value is None or before.at is None:
        return demand.surprises
    if news.at - before.at < SURPRISE_HORIZON / 3:
        return demand.surprises
    surprise = (news.rate - before.value) / math.sqrt(max(before.value, 0.0) + 1)
    last = demand.arrivals_per_second.at
    passed = max(whole_second(news.at) - last, timedelta(0)) if last is not None else ONE_SURPRISE
    decay, lasted = math.exp(-passed / SURPRISE_TIME), min(passed, LONGEST_SURPRISE) / ONE_SURPRISE
    counts = demand.surprises or FIRST_SURPRISES
    bucket = bisect_left(SURPRISE_EDGES, surprise)
    return tuple(_kept(count * decay + (lasted if index == bucket else 0.0)) for index, count in enumerate(counts))


def _kept(count: float) -> float:
    """Digits rather than decimals: with two of those rounding gave back what a tick of 5 s takes, and nothing faded."""
    return float(f"{count:.4g}") if count >= LEAST_COUNT else 0.0


def margin_per_second(demand: Demand, rate: float, percentile: float) -> float:
    """Arrivals beyond a rate that the workers are to bear.

    Args:
        demand: What is remembered of the task type.
        rate: Arrivals per second.
        percentile: Of the tasks, that the objective wants in time.

    """
    surprise = _quantile(demand.surprises or FIRST_SURPRISES, percentile) * math.sqrt(rate + 1)
    return min(surprise, LARGEST_MARGIN * rate, _below_highest(demand, rate))


def _below_highest(demand: Demand, rate: float) -> float:
    """How far it is to somewhat above the highest level of late; above that level itself, as much again."""
    highest = demand.highest_per_second
    return math.inf if highest is None else max(highest, rate) * (1 + HIGHEST_BEATEN) - rate


def _quantile(surprises: tuple[float, ...], percentile: float) -> float:
    """The surprise that most stay below; straight between the edges, since a step of a margin moves workers.

    Args:
        surprises: Counts in the buckets of `SURPRISE_EDGES`.
        percentile: Of the tasks, that the objective wants in time.

    """
    total, covered = sum(surprises), 1 - SURPRISES_LEFT * (1 - percentile / 100)
    if covered <= 0:
        return 0.0
    below, left = 0.0, covered * total
    for count, edge in zip(surprises, SURPRISE_EDGES, strict=False):
        if count >= left:
            return below + (edge - below) * left / count
        below, left = edge, left - count
    return below
