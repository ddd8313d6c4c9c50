"""Finished cells on disk: one JSON file each, written whole or not at all, kept until what it rests on changes."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from benchmarks.comparison.cells import Cell, Group

ROOT: Final = Path(__file__).parents[2]

_WORLD: Final = (
    "scaler/simulation",
    "scaler/fleet.py",
    "scaler/queueing.py",
    "benchmarks/comparison/cell.py",
    "benchmarks/comparison/cells.py",
)
_DECISION: Final = ("scaler/*.py", "scaler/model", "activities/targets/contract.py", "activities/sources")


class Store:
    """The cells of this version of the code, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        world = _fingerprint(_WORLD)
        self._version = {Group.OTHERS: world, Group.JOINT: _fingerprint((*_WORLD, *_DECISION))}
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
        return self._folder / f"{cell.name}-{self._version[cell.group]}.json"


def _fingerprint(places: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for place in places:
        for path in _files(place):
            digest.update(str(path.relative_to(ROOT)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def _files(place: str) -> list[Path]:
    if "*" in place:
        return sorted(ROOT.glob(place))
    path = ROOT / place
    found = path.rglob("*") if path.is_dir() else [path]
    return sorted(each for each in found if each.suffix in (".py", ".yaml"))
