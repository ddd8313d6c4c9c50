"""Levels: what is remembered of a figure that was sampled at irregular times. Pure."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

from scaler.model.remembered import Backlog, Demand, Level, figure, whole_second
from scaler.wire.compact import millisecond


def clamped(level: Level, at: datetime) -> Level:
    """A level that was not fed after `at`: a controller whose clock was ahead may have said so."""
    return level if level.at is None or level.at <= at else replace(level, at=whole_second(at))


def not_ahead(demand: Demand, at: datetime) -> Demand:
    """What is remembered of a queue with nothing from after `at`: else nothing would be learned until then."""
    if all(moment is None or moment <= at for moment in _moments(demand)):
        return demand
    backlog = demand.backlog
    return replace(
        demand,
        since=_no_later(demand.since, whole_second(at)),
        arrivals_per_second=clamped(demand.arrivals_per_second, at),
        unqueued_per_second=clamped(demand.unqueued_per_second, at),
        busy_slots=clamped(demand.busy_slots, at),
        service_seconds=clamped(demand.service_seconds, at),
        levels_before=tuple(each for each in demand.levels_before if each.at is not None and each.at <= at),
        backlog=Backlog() if backlog.at is not None and backlog.at > at else backlog,
        limited_at=_no_later(demand.limited_at, millisecond(at)),
        waiting_since=_no_later(demand.waiting_since, millisecond(at)),
        most_done=clamped(demand.most_done, at),
    )


def _no_later(moment: datetime | None, at: datetime) -> datetime | None:
    return None if moment is None else min(moment, at)


def _moments(demand: Demand) -> tuple[datetime | None, ...]:
    rates = (demand.arrivals_per_second, demand.unqueued_per_second, demand.most_done)
    levels = (*rates, demand.busy_slots, demand.service_seconds, *demand.levels_before)
    moments = (demand.since, demand.backlog.at, demand.limited_at, demand.waiting_since)
    return (*moments, *(level.at for level in levels))


def level_after(level: Level, sample: float | None, at: datetime, time_constant: timedelta) -> Level:
    """An exponentially weighted level whose weight follows the time between samples, not their number."""
    if sample is None:
        return level
    at = whole_second(at)  # on both sides of a difference, so that no time is lost
    if level.value is None or level.at is None:
        return Level(figure(sample), at)
    passed = max((at - level.at) / time_constant, 0.0)
    return Level(figure(level.value + (sample - level.value) * (1 - math.exp(-passed))), at)
