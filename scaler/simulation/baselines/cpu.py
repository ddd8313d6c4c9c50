"""Cloud Run's CPU autoscaling of worker pools: mean CPU of all instances over the last minute, 60 % by default.

Source: cloud.google.com/run/docs/configuring/workerpools/cpu-autoscaling. Not documented is how instances are taken
away; the highest wish of five minutes is assumed, which is kinder than none. Start-up and replay count as CPU.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from scaler.model.common import Size
from scaler.simulation.baselines.readings import scraped
from scaler.simulation.policy import Briefing, MakePolicy, Seen

WINDOW_SECONDS: Final = 300.0


@dataclass(slots=True)
class CpuTarget:
    """Instances so that their mean CPU comes to the target."""

    target: float
    interval_seconds: float = 15.0
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)

    def resize(self, seen: Seen) -> Size | None:
        """The highest wish of the window."""
        scrape = scraped(seen)
        if scrape is None or scrape.cpu_cloud_run is None:
            return None
        self._wishes.append((seen.now, math.ceil(seen.counts.existing * scrape.cpu_cloud_run / self.target)))
        while seen.now - self._wishes[0][0] > WINDOW_SECONDS:
            self._wishes.popleft()
        return Size(max(workers for _, workers in self._wishes))


def cpu(target: float) -> MakePolicy:
    """Scale on this CPU share."""

    def make(_: Briefing) -> CpuTarget:
        return CpuTarget(target)

    return make
