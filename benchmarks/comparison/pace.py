"""Whether there is time for some more cells, by how long others of their kind took."""

import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from benchmarks.comparison.cells import SWEPT, Cell, Group, Kind


class Pace:
    """A budget of time, from now on, for so many jobs at once."""

    def __init__(self, budget_seconds: float, jobs: int) -> None:
        self._ends = time.monotonic() + budget_seconds
        self._jobs = jobs
        self._took: defaultdict[tuple[Kind, Group], list[float]] = defaultdict(list)

    def took(self, cell: Cell, seconds: float) -> None:
        """A cell is finished."""
        self._took[cell.kind, cell.group].append(seconds)

    def has_time_for(self, cells: Sequence[Cell]) -> bool:
        """Whether they will be finished in time."""
        needed = sum(self._expected_seconds(cell) for cell in cells) / self._jobs
        return time.monotonic() + needed < self._ends

    def _expected_seconds(self, cell: Cell) -> float:
        """The mean of its kind. The first sweep takes as many times as long as there are settings beside the default.

        Nothing where that is not known either: cells of a kind that never ran are tried.
        """
        own, default = self._took[cell.kind, cell.group], self._took[Kind.DEFAULT, cell.group]
        if own:
            return fmean(own)
        return fmean(default) * (SWEPT - 1) if default else 0.0
