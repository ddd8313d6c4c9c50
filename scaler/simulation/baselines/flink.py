"""Flink's autoscaler on a fleet: capacity by busy time, and a target that catches up with what waits.

Source: apache/flink-kubernetes-operator, flink-autoscaler: Target = LAG / CATCH_UP + INPUT * RESTART / CATCH_UP +
INPUT / UTILISATION, `JobVertexScaler`, `DelayedScaleDown`; every default as there. The two kinds of tasks are two
operators that share their parallelism, so the higher of their wishes counts.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final, NamedTuple

from scaler.fleet import Workers
from scaler.model.common import Size, TaskType
from scaler.simulation.baselines.readings import scraped
from scaler.simulation.policy import Briefing, MakePolicy, Scrape, Seen

WINDOW_SECONDS: Final = 900.0
STABILISATION_SECONDS: Final = 300.0
CATCH_UP_SECONDS: Final = 1800.0
RESTART_SECONDS: Final = 300.0
BAND: Final = 0.3
"""Nothing moves while the capacity is right for a utilisation within so much of the target."""
LAG_SECONDS: Final = 300.0
"""With more than that waiting it catches up, and takes nothing away."""
SCALE_DOWN_DELAY_SECONDS: Final = 3600.0
LARGEST_DOWN_FACTOR: Final = 0.6


class Wish(NamedTuple):
    """Where one kind of tasks wants the fleet, as a factor of what is ready."""

    factor: float
    inside_band: bool
    catching_up: bool


@dataclass(slots=True)
class Flink:
    """One parallelism for all that the workers do."""

    utilisation: float
    bounds: Workers
    interval_seconds: float = 60.0
    _scrapes: deque[tuple[Scrape, int]] = field(default_factory=deque)  # with the workers that were ready
    _changed_at: float = 0.0
    _lower: deque[tuple[float, int]] = field(default_factory=deque)  # wishes for less, since the first

    def resize(self, seen: Seen) -> Size | None:
        """Up at once, down with the highest wish of an hour; nothing for a while after a change."""
        scrape = scraped(seen)
        if scrape is None:
            return None
        if not self._scrapes or scrape.at > self._scrapes[-1][0].at:
            self._scrapes.append((scrape, seen.counts.ready))
        while seen.now - self._scrapes[0][0].at > WINDOW_SECONDS:
            self._scrapes.popleft()
        if seen.now - self._changed_at < STABILISATION_SECONDS:
            return None
        wish = self._delayed(seen.now, seen.counts.desired, self.wish(seen.counts.desired))
        if wish is None or wish == seen.counts.desired:
            return None
        self._changed_at = seen.now
        self._scrapes.clear()
        return Size(wish)

    def wish(self, current: int) -> int:
        """The parallelism that the measured window asks for."""
        wishes = [wish for task_type in TaskType if (wish := self._of(task_type)) is not None]
        if not wishes or not self._scrapes:
            return current
        ready = fmean(workers for _, workers in self._scrapes)
        highest = max(wishes)
        if highest.inside_band or (highest.catching_up and highest.factor < 1):
            return current
        factor = max(highest.factor, 1 - LARGEST_DOWN_FACTOR)
        return max(self.bounds.min, 1, min(math.ceil(factor * ready - 1e-9), self.bounds.max))

    def _of(self, task_type: TaskType) -> Wish | None:
        """Rates and capacity of one kind of tasks over the window."""
        scrapes = [scrape for scrape, _ in self._scrapes]
        if len(scrapes) < 2:  # noqa: PLR2004 (growth has two ends)
            return None
        rate = fmean(_rate(scrape, task_type) for scrape in scrapes)
        busy = fmean(_busy(scrape, task_type) for scrape in scrapes)
        if rate <= 0 or busy <= 0:
            return None
        lag = scrapes[-1].backlog.get(task_type, 0)
        growth = (lag - scrapes[0].backlog.get(task_type, 0)) / (scrapes[-1].at - scrapes[0].at)
        capacity, coming = rate / min(busy, 1.0), max(rate + growth, 0.0)
        fixed = lag / CATCH_UP_SECONDS + coming * RESTART_SECONDS / CATCH_UP_SECONDS
        catching_up = lag > LAG_SECONDS * rate
        widest = 0.0 if catching_up else max(self.utilisation - BAND, 0.0)
        most = fixed + coming / widest if widest else math.inf
        least = fixed + coming / min(self.utilisation + BAND, 1.0)
        return Wish((fixed + coming / self.utilisation) / capacity, least <= capacity <= most, catching_up)

    def _delayed(self, now: float, current: int, wish: int) -> int | None:
        if wish >= current:
            self._lower.clear()
            return wish
        self._lower.append((now, wish))
        if now - self._lower[0][0] < SCALE_DOWN_DELAY_SECONDS:
            return None
        highest = max(workers for _, workers in self._lower)
        self._lower.clear()
        return highest


def flink(utilisation: float) -> MakePolicy:
    """With this target of utilisation."""

    def make(briefing: Briefing) -> Flink:
        return Flink(utilisation, briefing.fleet.workers)

    return make


def _rate(scrape: Scrape, task_type: TaskType) -> float:
    is_workflow = task_type is TaskType.WORKFLOW
    return scrape.workflow_tasks_per_second if is_workflow else scrape.activities_per_second


def _busy(scrape: Scrape, task_type: TaskType) -> float:
    if task_type is TaskType.WORKFLOW:
        return scrape.workflow_slots_used / scrape.workflow_slots if scrape.workflow_slots else 0.0
    return scrape.activity_slots_used / scrape.activity_slots if scrape.activity_slots else 0.0
