"""KEDA's Temporal scaler and its HPA: the approximate backlog, five tasks for each worker by default.

Source: kedacore/keda, pkg/scalers/temporal_scaler.go and pkg/scaling/executor/scale_scaledobjects.go.
"""

from dataclasses import dataclass
from typing import Final

from scaler.model.common import Size
from scaler.simulation.baselines.hpa import SYNC_SECONDS, Autoscaler, by_average_value
from scaler.simulation.baselines.readings import backlog_tasks
from scaler.simulation.policy import Briefing, MakePolicy, Seen

POLLING_SECONDS: Final = 30.0
COOLDOWN_SECONDS: Final = 300.0


@dataclass(slots=True)
class Keda:
    """Workers by backlog; between none and one its executor decides, by whether there is any."""

    target: float
    autoscaler: Autoscaler
    interval_seconds: float = SYNC_SECONDS
    _polled_at: float = -POLLING_SECONDS
    _active_at: float = 0.0

    def resize(self, seen: Seen) -> Size | None:
        """None where the server did not answer: an HPA without metrics keeps what there is."""
        backlog = backlog_tasks(seen)
        if backlog is None:
            return None
        current, least = seen.counts.desired, self.autoscaler.bounds.min
        if backlog:
            self._active_at = seen.now
        if seen.now - self._polled_at >= POLLING_SECONDS:
            self._polled_at = seen.now
            if current == 0:
                return Size(max(1, least)) if backlog else None
            if least == 0 and seen.now - self._active_at >= COOLDOWN_SECONDS:
                return Size(0)
        if current == 0:
            return None
        wish = max(1, by_average_value(backlog, self.target, seen.counts))
        return Size(max(1, self.autoscaler.settle(seen.now, current, wish)))


def keda(target: float) -> MakePolicy:
    """Scale on so many waiting tasks for each worker."""

    def make(briefing: Briefing) -> Keda:
        return Keda(target, Autoscaler(briefing.fleet.workers))

    return make
