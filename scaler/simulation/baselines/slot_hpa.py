"""Temporal's HPA example: slot utilisation 0.75 and a backlog of one task for each worker, the higher of both.

Source: temporalio/temporal-worker-controller, docs/scaling-recommendations.md and its example of an HPA: 10 % in 10 s,
windows of 30 s up and 120 s down. The busier of the two kinds of slots counts. Both figures come through the metrics
stack here, the backlog sooner than Temporal Cloud shows it.
"""

from dataclasses import dataclass
from typing import Final

from scaler.model.common import Size
from scaler.simulation.baselines.hpa import (
    SYNC_SECONDS,
    Autoscaler,
    Direction,
    by_average_value,
    by_utilisation,
)
from scaler.simulation.baselines.readings import scraped
from scaler.simulation.policy import Briefing, MakePolicy, Scrape, Seen

BACKLOG_PER_WORKER: Final = 1.0
UP: Final = Direction(window_seconds=30.0, percent=10.0, period_seconds=10.0)
DOWN: Final = Direction(window_seconds=120.0, percent=10.0, period_seconds=10.0)


@dataclass(slots=True)
class SlotUtilisation:
    """Workers by busy slots and by backlog."""

    target: float
    autoscaler: Autoscaler
    interval_seconds: float = SYNC_SECONDS

    def resize(self, seen: Seen) -> Size | None:
        """The higher of two wishes; None where there are no metrics."""
        scrape = scraped(seen)
        if scrape is None or not scrape.activity_slots + scrape.workflow_slots:
            return None
        by_slots = by_utilisation(_utilisation(scrape), self.target, seen.counts)
        by_backlog = by_average_value(sum(scrape.backlog.values()), BACKLOG_PER_WORKER, seen.counts)
        return Size(self.autoscaler.settle(seen.now, seen.counts.desired, max(by_slots, by_backlog, 1)))


def slot_hpa(target: float) -> MakePolicy:
    """Scale on this slot utilisation."""

    def make(briefing: Briefing) -> SlotUtilisation:
        return SlotUtilisation(target, Autoscaler(briefing.fleet.workers, UP, DOWN))

    return make


def _utilisation(scrape: Scrape) -> float:
    used = ((scrape.activity_slots_used, scrape.activity_slots), (scrape.workflow_slots_used, scrape.workflow_slots))
    return max(busy / slots for busy, slots in used if slots)
