"""Finished cells on disk: one JSON file each, written whole or not at all, kept until what it rests on changes."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.comparison.cells import CACHE_FACTORS, MINUTES, OWN, Cell, Group, Kind, entrants_of
from benchmarks.comparison.fingerprint import ROOT, Code

_WORLD: Final = (
    "scaler.simulation.baseline",
    "scaler.simulation.entrants",
    "scaler.simulation.load",
    "scaler.simulation.score",
    "scaler.simulation.steps",
)
_RUNS: Final = ("benchmarks.comparison.cell", "scaler.simulation.run")
"""These import the loop of this product beside that of the others."""


class Store:
    """The cells of this version of the code, in a folder.

    Args:
        folder: Where they lie.
        traces: The folder with the traces.
        caches: The tuned cache of each scenario, which the others' cells rest on.

    """

    def __init__(self, folder: Path, traces: Path, caches: Mapping[str, int]) -> None:
        self._folder, self._traces, self._caches = folder, traces, caches
        self._code = _code()
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, cell: Cell) -> bool:
        """Whether it is finished."""
        return self._path(cell).exists()

    def keep(self, cell: Cell, rows: list[dict[str, Any]]) -> None:
        """It is finished."""
        path = self._path(cell)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(rows), encoding="utf-8")
        draft.rename(path)

    def rows(self, cells: Iterable[Cell]) -> list[dict[str, Any]]:
        """The rows of those of them that are finished, with what kind of cell they come from."""
        return [
            row | {"kind": cell.kind.value}
            for cell in cells
            if self.has(cell)
            for row in json.loads(self._path(cell).read_text(encoding="utf-8"))
        ]

    def _path(self, cell: Cell) -> Path:
        return self._folder / f"{cell.name}-{self._key(cell)}.json"

    def _key(self, cell: Cell) -> str:
        """A digest of the code, the scenario, the trace and the settings: of all that a cell's rows follow from."""
        block = cell.block
        if cell.kind is Kind.TUNING:
            set_to: list[Any] = list(CACHE_FACTORS)
        else:
            set_to = [(entrant.name, setting) for entrant, setting in entrants_of(cell)]
        cache = self._caches.get(block.scenario) if cell.group is Group.OTHERS else None
        trace = _contents(self._traces / f"{block.trace}.csv.gz") if block.trace != OWN else OWN
        scenario = _contents(ROOT / "scaler" / "simulation" / "scenarios" / f"{block.scenario}.yaml")
        rests_on = (self._code[cell.group], scenario, MINUTES[block.scenario], trace, set_to, cache)
        return hashlib.sha256(json.dumps(rests_on).encode()).hexdigest()[:10]


@cache
def _code() -> Mapping[Group, str]:
    code = Code(ROOT)
    return {
        Group.OTHERS: code.fingerprint(
            _WORLD, ("scaler.simulation", "scaler.fleet", "scaler.size.queueing"), alone=_RUNS
        ),
        Group.JOINT: code.fingerprint((*_WORLD, *_RUNS), ("scaler", "activities")),
    }


@cache
def _contents(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
