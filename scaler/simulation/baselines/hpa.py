"""The Kubernetes horizontal pod autoscaler: tolerance, stabilisation windows and step policies. Pure.

Source: kubernetes/kubernetes, pkg/controller/podautoscaler/{horizontal,replica_calculator}.go (autoscaling/v2).
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from scaler.fleet import Workers
from scaler.simulation.policy import Counts

SYNC_SECONDS: Final = 15.0
TOLERANCE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """One side of `behavior`: the window that is looked back over, and what may change within a period at most."""

    window_seconds: float
    percent: float
    pods: int | None = None  # with it the larger change of the two
    period_seconds: float = 15.0


DEFAULT_UP: Final = Direction(window_seconds=0.0, percent=100.0, pods=4)
DEFAULT_DOWN: Final = Direction(window_seconds=300.0, percent=100.0)


@dataclass(slots=True)
class Autoscaler:
    """What becomes of a recommendation, sync by sync."""

    bounds: Workers
    up: Direction = DEFAULT_UP
    down: Direction = DEFAULT_DOWN
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)
    _changes: deque[tuple[float, int]] = field(default_factory=deque)

    def settle(self, now: float, current: int, wish: int) -> int:
        """The count to set: stabilised, limited, within the bounds."""
        self._forget(now)
        self._wishes.append((now, wish))
        count = self._limited(now, current, self._stabilised(now, current))
        count = max(self.bounds.min, min(count, self.bounds.max))
        if count != current:
            self._changes.append((now, count - current))
        return count

    def _stabilised(self, now: float, current: int) -> int:
        low = min(wish for at, wish in self._wishes if now - at <= self.up.window_seconds)
        high = max(wish for at, wish in self._wishes if now - at <= self.down.window_seconds)
        return min(max(current, low), high)

    def _limited(self, now: float, current: int, wish: int) -> int:
        if wish > current:
            start = current - self._net(now, self.up)
            by_percent = math.ceil(start * (1 + self.up.percent / 100))
            by_pods = start + self.up.pods if self.up.pods is not None else 0
            return min(wish, max(by_percent, by_pods, current))
        start = current - self._net(now, self.down)
        by_percent = math.trunc(start * (1 - self.down.percent / 100))
        by_pods = start - self.down.pods if self.down.pods is not None else by_percent
        return max(wish, min(by_percent, by_pods, current))

    def _net(self, now: float, direction: Direction) -> int:
        """How the count changed in the running period."""
        return sum(change for at, change in self._changes if now - at < direction.period_seconds)

    def _forget(self, now: float) -> None:
        horizon = max(self.up.window_seconds, self.down.window_seconds)
        while self._wishes and now - self._wishes[0][0] > horizon:
            self._wishes.popleft()
        period = max(self.up.period_seconds, self.down.period_seconds)
        while self._changes and now - self._changes[0][0] >= period:
            self._changes.popleft()


def by_average_value(value: float, target: float, counts: Counts) -> int:
    """An external metric with AverageValue: so much for each replica, where that differs by more than the tolerance."""
    used = value / (target * counts.existing) if counts.existing else math.inf
    return counts.existing if abs(1 - used) <= TOLERANCE else math.ceil(value / target)


def by_utilisation(utilisation: float, target: float, counts: Counts) -> int:
    """A metric with a target Value: the ready pods times how far it is from there, beyond the tolerance."""
    ratio = utilisation / target
    return counts.desired if abs(1 - ratio) <= TOLERANCE else math.ceil(ratio * counts.ready)
