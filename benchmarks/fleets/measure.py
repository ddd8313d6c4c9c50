"""What a journal and a process table tell of one controller: ticks, how late they were, calls, CPU and memory."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import psutil

SHORTEST_WATCH_SECONDS: Final = 4.0
"""Shorter plans are looks: they have no end to be late for."""

WOKEN_SECONDS: Final = 0.5
"""A tick that ended so much before its time was ended by something."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """When a controller's ticks began, by fleet, and when each was to end."""

    by_fleet: dict[str, list[tuple[float, float]]]
    calls: list[tuple[float, int]]

    @classmethod
    def read(cls, journal: Path) -> "Ticks":
        """All whole lines."""
        by_fleet: dict[str, list[tuple[float, float]]] = defaultdict(list)
        calls: list[tuple[float, int]] = []
        for entry in _entries(journal):
            if "fleet" in entry:
                by_fleet[entry["fleet"]].append((entry["at"], entry["until"]))
            else:
                calls.append((entry["at"], entry["calls"]))
        return cls(dict(by_fleet), calls)

    def first(self) -> list[float]:
        """When each fleet ticked for the first time, in order."""
        return sorted(ticks[0][0] for ticks in self.by_fleet.values())

    def between(self, since: float, until: float) -> int:
        """How many began."""
        return sum(since <= at < until for ticks in self.by_fleet.values() for at, _ in ticks)

    def lengths_seconds(self, since: float, until: float) -> list[float]:
        """How long those ticks were meant to last."""
        return sorted(end - at for ticks in self.by_fleet.values() for at, end in ticks if since <= at < until)

    def late_seconds(self, since: float, until: float) -> list[float]:
        """From the planned end of a watch to the beginning of the fleet's next tick."""
        late = [
            after - end
            for ticks in self.by_fleet.values()
            for (at, end), (after, _) in pairwise(ticks)
            if since <= end < until and end - at >= SHORTEST_WATCH_SECONDS
        ]
        return sorted(each for each in late if each > -WOKEN_SECONDS)

    def calls_per_second(self, since: float, until: float) -> float:
        """Calls to the server that the budget let through."""
        inside = [(at, calls) for at, calls in self.calls if since <= at < until]
        (first, before), (last, after) = inside[0], inside[-1]
        return (after - before) / (last - first)


def _entries(journal: Path) -> Iterator[dict[str, Any]]:
    for line in journal.read_text(encoding="utf-8").splitlines():
        if line.endswith("}"):
            yield json.loads(line)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so large a share does not exceed; not a number of none."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time that it has used."""
    used = process.cpu_times()
    return float(used.user + used.system)
