"""Fits and comparisons of measured samples. Pure."""

import heapq
import math
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """y = intercept + slope · x by least squares."""

    intercept: float
    slope: float
    r_squared: float
    worst_residual: float  # the largest |measured − fitted|

    def at(self, x: float) -> float:
        """The fitted y."""
        return self.intercept + self.slope * x


def line(points: Iterable[tuple[float, float]]) -> Line:
    """The straight line through points of at least two different x; ValueError for fewer."""
    xs, ys = _columns(points)
    return _fitted(xs, ys, np.ones_like(ys))


def relative_line(points: Iterable[tuple[float, float]]) -> Line:
    """The line with the smallest relative residuals: where values span decades, the small ones count too."""
    xs, ys = _columns(points)
    return _fitted(xs, ys, 1 / ys)


def _columns(points: Iterable[tuple[float, float]]) -> tuple[Column, Column]:
    xs, ys = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    if len(set(xs.tolist())) < 2:  # noqa: PLR2004 (a line has two points)
        raise ValueError("a line needs points of at least two different x")
    return xs, ys


def _fitted(xs: Column, ys: Column, weights: Column) -> Line:
    slope, intercept = np.polyfit(xs, ys, 1, w=weights)
    residuals = ys - (intercept + slope * xs)
    spread = float(((ys - ys.mean()) ** 2).sum())
    return Line(
        intercept=float(intercept),
        slope=float(slope),
        r_squared=1 - float((residuals**2).sum()) / spread if spread else 1.0,
        worst_residual=float(np.abs(residuals).max()),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Of the sorted values the one that `share` per cent lie below."""
    return float(np.percentile(np.array(values), share))


def relative(measured: float, predicted: float) -> float:
    """By how much the prediction is off, as a part of what was measured; infinite for nothing measured."""
    if measured:
        return (predicted - measured) / measured
    return math.inf if predicted else 0.0


def fifo_waits(arrivals: Sequence[float], holds: Sequence[float], servers: int) -> list[float]:
    """How long each task would wait for one of so many servers that take tasks in their order, exactly.

    Kiefer and Wolfowitz' recursion: the next task gets the server that is free first.
    """
    free = [-math.inf] * servers
    waits = []
    for arrival, hold in zip(arrivals, holds, strict=True):
        begins = max(arrival, heapq.heappop(free))
        waits.append(begins - arrival)
        heapq.heappush(free, begins + hold)
    return waits


def partitioned_waits(tasks: Sequence[tuple[float, float]], servers: int, partitions: int, seed: int) -> list[float]:
    """The same where arrivals are dealt out to partitions at random, and a free server takes from one at random.

    Within a partition tasks keep their order; over all of them they do not. `tasks` are arrivals in order, and holds.
    """
    chance = random.Random(seed)  # noqa: S311 (a simulation is no secret)
    backlogs: list[deque[tuple[float, float]]] = [deque() for _ in range(partitions)]
    busy: list[float] = []
    waits = []

    def serve(until: float) -> None:
        while busy and busy[0] <= until:
            free_at = heapq.heappop(busy)
            waiting = [backlog for backlog in backlogs if backlog]
            if waiting:
                arrival, hold = chance.choice(waiting).popleft()
                waits.append(free_at - arrival)
                heapq.heappush(busy, free_at + hold)

    for arrival, hold in tasks:
        serve(arrival)
        if len(busy) < servers:
            waits.append(0.0)
            heapq.heappush(busy, arrival + hold)
        else:
            chance.choice(backlogs).append((arrival, hold))
    serve(math.inf)
    return waits


def lru_misses(accesses: Iterable[int], caches: Sequence[int]) -> int:
    """Re-uses that find their key in no cache, with keys dealt out evenly to caches of these sizes and staying there.

    A key's first use is no miss: there is nothing to be found yet.
    """
    held: list[dict[int, None]] = [{} for _ in caches]
    home: dict[int, int] = {}
    misses = 0
    for key in accesses:
        first = key not in home
        place = home.setdefault(key, len(home) % len(caches))
        if held[place].pop(key, True) is not None and not first:
            misses += 1
        held[place][key] = None
        if len(held[place]) > caches[place]:
            del held[place][next(iter(held[place]))]
    return misses


def scv(values: Sequence[float]) -> float:
    """Squared coefficient of variation."""
    mean = fmean(values)
    return fmean((value - mean) ** 2 for value in values) / mean**2
