"""Thresholds with cool-downs: two workers more above 80 % or under pressure, one less below 30 %.

Source: the auto-scaler of the course "Scaling Agent Systems", every constant as printed there. Its response time is
what a request waited here: with the model's own seconds in it, it would never stop.
"""

from dataclasses import dataclass
from typing import Final

from scaler.model.common import Size
from scaler.simulation.baselines.readings import scraped
from scaler.simulation.policy import Briefing, MakePolicy, Scrape, Seen

LOW_OF_HIGH: Final = 0.3 / 0.8
"""The lower threshold as a part of the upper one."""

PRESSURE_UP, PRESSURE_DOWN = 0.5, 0.1
LATENCY_UP_SECONDS: Final = 5.0
COOLDOWN_UP_SECONDS, COOLDOWN_DOWN_SECONDS = 60.0, 300.0
STEP_UP, STEP_DOWN = 2, 1


@dataclass(slots=True)
class Thresholds:
    """Steps up and down between two thresholds of utilisation."""

    utilisation_up: float
    interval_seconds: float = 30.0
    _up_at: float = -COOLDOWN_UP_SECONDS
    _down_at: float = -COOLDOWN_DOWN_SECONDS

    def resize(self, seen: Seen) -> Size | None:
        """One step, unless one in its direction was taken lately."""
        scrape = scraped(seen)
        if scrape is None:
            return None
        if self._is_high(scrape) and seen.now - self._up_at >= COOLDOWN_UP_SECONDS:
            self._up_at = seen.now
            return Size(seen.counts.desired + STEP_UP)
        if self._is_low(scrape) and seen.now - self._down_at >= COOLDOWN_DOWN_SECONDS:
            self._down_at = seen.now
            return Size(max(1, seen.counts.desired - STEP_DOWN))
        return None

    def _is_high(self, scrape: Scrape) -> bool:
        waited = max(scrape.activity_wait_seconds or 0.0, scrape.workflow_wait_seconds or 0.0)
        return (
            utilisation(scrape) > self.utilisation_up or _pressure(scrape) > PRESSURE_UP or waited > LATENCY_UP_SECONDS
        )

    def _is_low(self, scrape: Scrape) -> bool:
        return not self._is_high(scrape) and (
            utilisation(scrape) < LOW_OF_HIGH * self.utilisation_up and _pressure(scrape) < PRESSURE_DOWN
        )


def threshold(utilisation_up: float) -> MakePolicy:
    """Scale out above this utilisation, and in below three eighths of it."""

    def make(_: Briefing) -> Thresholds:
        return Thresholds(utilisation_up)

    return make


def utilisation(scrape: Scrape) -> float:
    """Requests at work, of what there is capacity for; 1 without any capacity."""
    return scrape.activity_slots_used / scrape.activity_slots if scrape.activity_slots else 1.0


def _pressure(scrape: Scrape) -> float:
    waiting = sum(scrape.backlog.values())
    if not scrape.activity_slots:
        return 1.0 if waiting else 0.0
    return min(1.0, waiting / (2 * scrape.activity_slots))
