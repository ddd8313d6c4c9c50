"""How much memory a worker uses, as its supervisor measures it, and the highest figure of the last minute."""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import psutil

PEAK_SECONDS: Final = 60.0
"""A peak over a fixed span: several readers do not take it from each other."""


def resident_bytes(processes: Iterable[psutil.Process]) -> int:
    """Resident memory of all these processes; pages that they share count for each."""
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


class MemoryTrack:
    """The figures of the last minute, by the monotonic clock."""

    def __init__(self) -> None:
        self._figures: deque[tuple[float, int]] = deque()

    def add(self, now: float, figure: int) -> None:
        """Take a figure and forget those that are too old."""
        self._figures.append((now, figure))
        while self._figures[0][0] < now - PEAK_SECONDS:
            self._figures.popleft()

    def age_seconds(self, now: float) -> float | None:
        """How old the newest figure is; None before the first."""
        return now - self._figures[-1][0] if self._figures else None

    @property
    def newest_bytes(self) -> int | None:
        """The newest figure; None before the first."""
        return self._figures[-1][1] if self._figures else None

    @property
    def peak_bytes(self) -> int | None:
        """The highest figure of the last minute; None before the first."""
        return max((figure for _, figure in self._figures), default=None)
