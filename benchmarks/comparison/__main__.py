"""`python -m benchmarks.comparison --traces DIR`: runs what is not finished yet, and writes the tables.

It may be interrupted and started again: finished cells are kept.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import chain, islice
from pathlib import Path
from typing import Any

from benchmarks.comparison import plan
from benchmarks.comparison.cell import run_cell, tuned_cache
from benchmarks.comparison.cells import Cell
from benchmarks.comparison.evidence import Evidence
from benchmarks.comparison.fingerprint import ROOT
from benchmarks.comparison.pace import Pace
from benchmarks.comparison.store import Store
from benchmarks.comparison.tables import write
from scaler.simulation import catalogue
from scaler.simulation.convert import converted, known_recipes
from scaler.simulation.traces import write_trace

PROGRESS_SECONDS = 60.0


def main() -> int:
    """Run the benchmark as the command line says."""
    asked = _arguments()
    pace = Pace(asked.budget * 60, asked.jobs)
    folder = asked.out / "traces"
    traces = _converted(asked.traces, folder)
    tuning = plan.tuning(traces)
    untuned = Store(asked.out / "cells", folder, {})
    with ProcessPoolExecutor(asked.jobs) as pool:
        _Work(untuned, asked, pace, {}).run(pool, [tuning], "")
        caches = _caches(untuned.rows(tuning.cells))
        store = Store(asked.out / "cells", folder, caches)
        passes = list(plan.passes(traces))
        if all(map(untuned.has, tuning.cells)):
            _Work(store, asked, pace, caches).run(pool, passes, asked.only)
    write(asked.document, Evidence(passes=passes, finished=store.has, rows=store.rows))
    cells = [cell for each in passes for cell in each.cells]
    print(f"{sum(map(store.has, cells))} of {len(cells)} cells are finished; tables are in {asked.document}")  # noqa: T201
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.comparison", description=__doc__)
    out = ROOT / "out" / "bench"
    parser.add_argument("--traces", type=Path, required=True, help="folder with the public recordings")
    parser.add_argument("--out", type=Path, default=out, help="where finished cells are kept")
    parser.add_argument(
        "--document", type=Path, default=out / "comparison.md", help="where the tables go: its own part"
    )
    parser.add_argument(
        "--budget", type=float, default=225.0, help="minutes: no pass over the scenarios begins that would take longer"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="cells whose name contains this, for a look; no table is fair then")
    return parser.parse_args()


def _converted(recordings: Path, folder: Path) -> list[str]:
    """The traces in a folder of recordings, by name; written anew, to the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for path in sorted(recordings.glob("*.csv*")):
        for name, recipe in known_recipes(path).items():
            if name not in plan.TRAINING:
                continue
            write_trace(converted(path, recipe), folder / f"{name}.csv.gz")
            names.append(name)
    if not names:
        sys.exit(f"{recordings} holds none of the recordings that are known; see docs/benchmarks.md")
    return names


def _caches(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    found = {name: tuned_cache(list(rows), name) for name in catalogue.names()}
    return {name: cache for name, cache in found.items() if cache is not None}


class _Work:
    """Runs the unfinished cells of passes, as many at a time as there are jobs, as long as there is time for a pass."""

    def __init__(self, store: Store, asked: argparse.Namespace, pace: Pace, caches: dict[str, int]) -> None:
        self._store, self._asked, self._pace, self._caches = store, asked, pace, caches
        self._told = time.monotonic()

    def run(self, pool: ProcessPoolExecutor, passes: Sequence[plan.Pass], only: str) -> None:
        """Until all whose name contains `only` is finished, or the next pass would not be in time."""
        waiting = chain.from_iterable(self._begun(passes, only))
        running: dict[Future[list[dict[str, Any]]], tuple[Cell, float]] = {}
        while True:
            for cell in islice(waiting, self._asked.jobs - len(running)):
                future = pool.submit(run_cell, cell, self._asked.out / "traces", self._caches)
                running[future] = (cell, time.monotonic())
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                cell, began = running.pop(future)
                self._store.keep(cell, future.result())
                self._pace.took(cell, time.monotonic() - began)
            self._tell(passes)

    def _begun(self, passes: Sequence[plan.Pass], only: str) -> Iterator[list[Cell]]:
        for each in passes:
            left = [cell for cell in each.cells if only in cell.name and not self._store.has(cell)]
            if left and not self._pace.has_time_for(left):
                return
            yield left

    def _tell(self, passes: Sequence[plan.Pass]) -> None:
        now = time.monotonic()
        if now - self._told > PROGRESS_SECONDS:
            self._told = now
            cells = [cell for each in passes for cell in each.cells]
            print(f"{sum(map(self._store.has, cells))} of {len(cells)} cells", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
