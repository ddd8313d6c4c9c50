"""The threshold scaler with a forecast: the mean load of the past day at this hour, a quarter of an hour ahead.

Source: the predictive scaler of the course "Scaling Agent Systems". Load is counted in workers' worth of busy slots;
what it needs for it is load / (1 - the upper threshold) + 1, as printed.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from scaler.fleet import Workers
from scaler.model.common import Size
from scaler.simulation.baselines.readings import scraped
from scaler.simulation.baselines.threshold import Thresholds
from scaler.simulation.policy import Briefing, MakePolicy, Seen

AHEAD_SECONDS: Final = 900.0
NEAR_SECONDS: Final = 3600.0
DAY_SECONDS: Final = 86400.0
FEWEST: Final = 10
"""Loads that have to be known before anything is foretold."""


@dataclass(slots=True)
class Predictive:
    """Never less than what the forecast needs; all else as the thresholds say."""

    base: Thresholds
    bounds: Workers
    interval_seconds: float = 30.0
    _loads: deque[tuple[float, float]] = field(default_factory=deque)

    def resize(self, seen: Seen) -> Size | None:
        """The step of the thresholds, or out to the forecast."""
        scrape = scraped(seen)
        size = self.base.resize(seen)
        if scrape is None:
            return size
        slots = scrape.activity_slots / seen.counts.ready if seen.counts.ready else 0.0
        if slots:
            self._loads.append((seen.now, scrape.activity_slots_used / slots))
        needed = self._needed(seen.now)
        if needed > seen.counts.desired:
            return Size(max(needed, size.workers if size is not None else 0))
        return size

    def _needed(self, now: float) -> int:
        while self._loads and now - self._loads[0][0] > DAY_SECONDS:
            self._loads.popleft()
        if len(self._loads) < FEWEST:
            return 0
        similar = [load for at, load in self._loads if _apart(at, now + AHEAD_SECONDS) < NEAR_SECONDS]
        load = fmean(similar or [load for _, load in list(self._loads)[-FEWEST:]])
        needed = int(load / (1 - self.base.utilisation_up)) + 1
        return max(self.bounds.min, min(needed, self.bounds.max))


def predictive(utilisation_up: float) -> MakePolicy:
    """With this upper threshold."""

    def make(briefing: Briefing) -> Predictive:
        return Predictive(Thresholds(utilisation_up), briefing.fleet.workers)

    return make


def _apart(one: float, other: float) -> float:
    """Between two times of day, as printed: midnight is far from itself."""
    return abs(one % DAY_SECONDS - other % DAY_SECONDS)
