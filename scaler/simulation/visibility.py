"""What can be seen at a moment: blackouts, lost readings, and readings that come late."""

import heapq
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from scaler.simulation.scenario import Blackout, SignalName, Stack

Reading = TypeVar("Reading")


@dataclass(frozen=True, slots=True)
class Darkness:
    """When which signals can't be read."""

    blackouts: tuple[Blackout, ...]

    def hides(self, signal: SignalName, now: float) -> bool:
        """Whether a signal can't be read now."""
        return any(
            signal in each.signals and each.at.total_seconds() <= now < (each.at + each.lasts).total_seconds()
            for each in self.blackouts
        )


@dataclass(slots=True)
class Late(Generic[Reading]):
    """Readings on their way through a metrics stack; each may come late, out of order or not at all."""

    path: Stack
    rng: np.random.Generator
    _coming: list[tuple[float, float, Reading]] = field(default_factory=list)  # seen from, taken at
    _newest: tuple[float, Reading] | None = None

    def send(self, reading: Reading, now: float) -> None:
        """A reading is taken."""
        lost, late = self.rng.random(2)
        if lost >= self.path.loss:
            seen_at = now + self.path.delay.total_seconds() + late * self.path.jitter.total_seconds()
            heapq.heappush(self._coming, (seen_at, now, reading))

    def newest(self, now: float) -> Reading | None:
        """The reading with the newest time of those that have come."""
        while self._coming and self._coming[0][0] <= now:
            _, taken_at, reading = heapq.heappop(self._coming)
            if self._newest is None or taken_at > self._newest[0]:
                self._newest = (taken_at, reading)
        return None if self._newest is None else self._newest[1]
