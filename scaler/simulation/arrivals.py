"""When turns arrive: by a scenario's own process or by a trace's window. Pure but for the generator it is given."""

import math
from typing import Final

import numpy as np

from scaler.simulation.scenario import Arrivals, Bursty, Cyclic, Diurnal, FlashCrowd
from scaler.simulation.traces import COPIES_APART_SECONDS, Floats, Integers, Trace

ROWS_APART_SECONDS: Final = 2.0
"""Copies of single arrivals, where a trace is scaled up, come within so many seconds of it."""


def drawn(arrivals: Arrivals, seconds: float, scale: float, rng: np.random.Generator) -> Floats:
    """Times of the turns in so many seconds of a scenario's own process, at `scale` times its rate."""
    if isinstance(arrivals, Cyclic):
        count = int(seconds / arrivals.period.total_seconds() * arrivals.sessions * scale)
        return np.arange(count, dtype=float) * (arrivals.period.total_seconds() / (arrivals.sessions * scale))
    grid = np.arange(0.0, seconds, 1.0)
    rates = _rates(arrivals, grid, rng) * scale
    counts = rng.poisson(rates * np.minimum(1.0, seconds - grid))
    return spread_out(grid, np.ones_like(grid), counts, rng)


def mean_rate(arrivals: Arrivals) -> float:
    """Turns per second that a scenario declares, on average or before its crowd comes."""
    if isinstance(arrivals, Cyclic):
        return arrivals.sessions / arrivals.period.total_seconds()
    return arrivals.turns_per_second


def _rates(arrivals: Arrivals, at: Floats, rng: np.random.Generator) -> Floats:
    if isinstance(arrivals, Diurnal):
        return _diurnal(arrivals, at)
    if isinstance(arrivals, FlashCrowd):
        return _flash_crowd(arrivals, at)
    if isinstance(arrivals, Bursty):
        return _bursty(arrivals, at, rng)
    return np.full(len(at), mean_rate(arrivals))


def _diurnal(arrivals: Diurnal, at: Floats) -> Floats:
    turned = 2 * math.pi / arrivals.period.total_seconds() * at
    rates: Floats = arrivals.turns_per_second * (1 - arrivals.swing * np.cos(turned))
    return rates


def _flash_crowd(arrivals: FlashCrowd, at: Floats) -> Floats:
    stretches = (arrivals.at, arrivals.rise, arrivals.hold, arrivals.fall)
    corners = np.cumsum([stretch.total_seconds() for stretch in stretches])
    factors = np.array([1.0, arrivals.factor, arrivals.factor, 1.0])
    rates: Floats = arrivals.turns_per_second * np.interp(at, corners, factors)
    return rates


def _bursty(arrivals: Bursty, at: Floats, rng: np.random.Generator) -> Floats:
    epoch = (at / arrivals.epoch.total_seconds()).astype(np.int64)
    if not arrivals.cv:
        return np.full(len(at), arrivals.turns_per_second)
    shape = 1 / arrivals.cv**2
    rates: Floats = arrivals.turns_per_second * rng.gamma(shape, 1 / shape, int(epoch[-1]) + 1)
    return rates[epoch]


def spread_out(begin: Floats, seconds: Floats, counts: Integers, rng: np.random.Generator) -> Floats:
    """So many arrivals in each interval, at independent uniform times: what a Poisson process looks like given them."""
    times = np.repeat(begin, counts) + np.repeat(seconds, counts) * rng.random(int(counts.sum()))
    times.sort()
    return times


def of_counts(trace: Trace, scale: float, rng: np.random.Generator) -> Floats:
    """Single arrivals of a trace that has counts; as many as counted at scale 1, else Poisson around them."""
    assert trace.count is not None  # noqa: S101 (for the type checker)
    counts = np.nan_to_num(trace.count)
    exact = scale == 1 and bool((counts == np.round(counts)).all())
    drawn_counts = counts.astype(np.int64) if exact else rng.poisson(counts * scale)
    return spread_out(trace.at, trace.interval_seconds, drawn_counts, rng)


def of_rows(trace: Trace, scale: float, rng: np.random.Generator) -> Trace:
    """Single arrivals or sessions of a trace, thinned or copied to `scale` times as many; sessions stay whole."""
    if scale == 1:
        return trace
    owner = trace.session if trace.session is not None else np.arange(len(trace.at))
    units, of_unit = np.unique(owner, return_inverse=True)
    copies = np.floor(scale) + (rng.random(len(units)) < scale - np.floor(scale))
    rows = np.repeat(np.arange(len(trace.at)), copies[of_unit].astype(np.int64))
    copy = _place_among_equals(rows)
    apart = COPIES_APART_SECONDS if trace.session is not None else ROWS_APART_SECONDS
    shifts = rng.random((len(units), int(copies.max(initial=1)))) * apart
    shifts[:, 0] = 0.0
    at = trace.at[rows] + shifts[of_unit[rows], copy]
    order = np.argsort(at, kind="stable")
    if trace.session is None or trace.turn is None:
        return Trace(at=at[order])
    session = of_unit[rows] + len(units) * copy
    return Trace(at=at[order], session=session[order], turn=trace.turn[rows][order])


def _place_among_equals(rows: Integers) -> Integers:
    """0, 1, 2 … for each run of equal, sorted numbers."""
    first = np.searchsorted(rows, rows)
    return np.arange(len(rows)) - first
