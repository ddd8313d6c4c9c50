"""Who knows every turn that will come: bounds for all others, not rivals. One keeps the best cache, one changes it.

Workers are ordered a start-up before they are needed, and kept where they would soon be needed again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from scaler.model.common import Size
from scaler.simulation.baselines.needed import WINDOW_SECONDS, Needed
from scaler.simulation.future import Future
from scaler.simulation.policy import Briefing, MakeClairvoyant, Seen
from scaler.simulation.traces import Integers

KEPT_SECONDS: Final = 120.0
"""A worker that is needed again within this time stays: its cache and its start-up cost more."""

SEGMENT_SECONDS: Final = 1800.0
WORTHWHILE: Final = 0.2
"""A cache that differs by less from the one before is not worth a rollout."""


@dataclass(slots=True)
class Foreknown:
    """Sizes that were computed before the run."""

    workers: Integers  # for each window
    cache: Callable[[float], int]
    interval_seconds: float = WINDOW_SECONDS

    def resize(self, seen: Seen) -> Size:
        """The size of this moment."""
        place = min(int(seen.now / WINDOW_SECONDS), len(self.workers) - 1)
        return Size(int(self.workers[place]), self.cache(seen.now))


def best_fixed_cache(spare: float) -> MakeClairvoyant:
    """So many times the workers that are needed, all with the largest cache that is safe to the end."""

    def make(briefing: Briefing, future: Future) -> Foreknown:
        needed = Needed(briefing.scenario, future)
        cache = needed.largest_cache()
        return Foreknown(_ordered(briefing, needed.workers(cache), spare), lambda _: cache)

    return make


def best_changing_cache(spare: float) -> MakeClairvoyant:
    """The same with the largest cache that is safe for the half hour and the one after it."""

    def make(briefing: Briefing, future: Future) -> Foreknown:
        needed = Needed(briefing.scenario, future)
        caches = _segments(needed, future.load.seconds)
        workers = needed.workers(min(caches))
        return Foreknown(
            _ordered(briefing, workers, spare), lambda now: caches[min(int(now / SEGMENT_SECONDS), len(caches) - 1)]
        )

    return make


def _segments(needed: Needed, seconds: float) -> list[int]:
    caches: list[int] = []
    for start in np.arange(0.0, seconds, SEGMENT_SECONDS):
        cache = needed.largest_cache(float(start), float(start) + 2 * SEGMENT_SECONDS)
        before = caches[-1] if caches else cache
        worth = cache < before or cache > (1 + WORTHWHILE) * before
        caches.append(cache if worth else before)
    return caches


def _ordered(briefing: Briefing, needed: Integers, spare: float) -> Integers:
    """When to have ordered them: the most of what is needed from now until a start-up, or a while, later."""
    start_up = briefing.scenario.platform.start_up.time.mean_seconds
    ahead = int(np.ceil((max(start_up * 1.3, KEPT_SECONDS) + WINDOW_SECONDS) / WINDOW_SECONDS))
    padded = np.concatenate([np.ceil(needed * spare - 1e-9).astype(np.int64), np.full(ahead, needed[-1])])
    most: Integers = np.lib.stride_tricks.sliding_window_view(padded, ahead + 1).max(axis=1)
    return most
