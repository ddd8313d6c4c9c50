"""Justin: where more parallelism is wanted and the cache misses, first one level more memory; else scale out.

Source: Schmitz, Rosinosky and Riviere, Justin (DAIS 2025), CloudLargeScale-UCLouvain/flink-justin, over Flink's
autoscaler. A memory level doubles the cache here; the highest one is what the worker's limit allows at the memory per
cached run that is measured. Its second trigger, the latency of state access, has no counterpart.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scaler.model.common import Size
from scaler.simulation.baselines.flink import Flink
from scaler.simulation.baselines.readings import scraped
from scaler.simulation.policy import Briefing, MakePolicy, Scrape, Seen
from scaler.simulation.scenario import Footprint

HIT_RATE: Final = 0.8
LEVEL_FACTOR: Final = 2


class _Vertical(StrEnum):
    """What the last step up in memory came to."""

    UNTRIED = "untried"
    TRIED = "tried"
    STOPPED = "stopped"


@dataclass(slots=True)
class Justin:
    """Flink's parallelism, and the cache by its hit rate."""

    horizontal: Flink
    memory: Footprint
    interval_seconds: float = 60.0
    _vertical: _Vertical = _Vertical.UNTRIED
    _before: tuple[float, int] = (0.0, 0)  # hit rate and cache when the level was raised

    def resize(self, seen: Seen) -> Size | None:
        """Only where Flink wants more is the cache looked at."""
        wish, scrape, cache = self.horizontal.resize(seen), scraped(seen), seen.size.cache or 0
        if wish is None or scrape is None or wish.workers <= seen.counts.desired:
            return wish
        hit_rate = _hit_rate(scrape)
        if self._vertical is _Vertical.TRIED:
            if hit_rate <= self._before[0]:
                self._vertical = _Vertical.STOPPED
                return Size(wish.workers, self._before[1])
            self._vertical = _Vertical.UNTRIED
        raised = cache * LEVEL_FACTOR
        if self._vertical is _Vertical.UNTRIED and hit_rate < HIT_RATE and self._fits(scrape, raised):
            self._vertical, self._before = _Vertical.TRIED, (hit_rate, cache)
            return Size(seen.counts.desired, raised)
        return wish

    def _fits(self, scrape: Scrape, cache: int) -> bool:
        if not scrape.cached or scrape.memory_mean_bytes is None or not scrape.activity_slots:
            return False
        cached = max(scrape.memory_mean_bytes - self.memory.base, 0.0)
        workers = max(scrape.activity_slots / (self.horizontal.bounds.slots.activity or 1), 1.0)
        return self.memory.base + cache * cached * workers / scrape.cached <= self.memory.limit


def justin(utilisation: float) -> MakePolicy:
    """With this target of utilisation for its parallelism."""

    def make(briefing: Briefing) -> Justin:
        memory = briefing.scenario.platform.memory
        return Justin(Flink(utilisation, briefing.fleet.workers), memory)

    return make


def _hit_rate(scrape: Scrape) -> float:
    used = scrape.hits_per_second + scrape.misses_per_second
    return scrape.hits_per_second / used if used else 1.0
