"""`python -m benchmarks.comparison --traces DIR`: runs what is not finished yet, and writes the tables.

It may be interrupted and started again: finished cells are kept.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.comparison.cell import run_cell, tuned_cache
from benchmarks.comparison.cells import TRAINING, Cell, Kind, cells
from benchmarks.comparison.store import ROOT, Store
from benchmarks.comparison.tables import write
from scaler.simulation import catalogue
from scaler.simulation.convert import converted, known_recipes
from scaler.simulation.traces import write_trace

PROGRESS_SECONDS = 60.0


def main() -> int:
    """Run the benchmark as the command line says."""
    asked = _arguments()
    traces = _converted(asked.traces, asked.out / "traces")
    store, plan = Store(asked.out / "cells"), list(cells(traces))
    deadline = time.monotonic() + asked.hours * 3600
    tuning = [cell for cell in plan if cell.kind is Kind.TUNING]
    scored = [cell for cell in plan if cell.kind is not Kind.TUNING]
    _run(tuning, store, asked, {}, deadline)
    caches = _caches(store.rows(tuning))
    _run(scored, store, asked, caches, deadline)
    write(asked.document, store.rows(scored))
    left = sum(not store.has(cell) for cell in plan)
    print(f"{len(plan) - left} of {len(plan)} cells are finished; tables are in {asked.document}")  # noqa: T201
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.comparison", description=__doc__)
    parser.add_argument("--traces", type=Path, required=True, help="folder with the public recordings")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench", help="where finished cells are kept")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--hours", type=float, default=3.8, help="stop after so long; started again it goes on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="cells whose name contains this")
    return parser.parse_args()


def _converted(recordings: Path, folder: Path) -> list[str]:
    """The traces in a folder of recordings, by name; written once."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for path in sorted(recordings.glob("*.csv*")):
        for name, recipe in known_recipes(path).items():
            if name not in TRAINING:
                continue
            target = folder / f"{name}.csv.gz"
            if not target.exists():
                write_trace(converted(path, recipe), target)
            names.append(name)
    if not names:
        sys.exit(f"{recordings} holds none of the recordings that are known; see docs/benchmarks.md")
    return names


def _caches(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    found = {name: tuned_cache(list(rows), name) for name in catalogue.names()}
    return {name: cache for name, cache in found.items() if cache is not None}


def _run(
    plan: Sequence[Cell], store: Store, asked: argparse.Namespace, caches: dict[str, int], deadline: float
) -> None:
    """Run the unfinished cells of a plan, as many at a time as there are jobs, until the deadline."""
    waiting = iter([cell for cell in plan if not store.has(cell) and asked.only in cell.name])
    running: dict[Future[list[dict[str, Any]]], Cell] = {}
    told = time.monotonic()
    with ProcessPoolExecutor(asked.jobs) as pool:
        while True:
            room = asked.jobs - len(running) if time.monotonic() < deadline else 0
            for cell in islice(waiting, room):
                running[pool.submit(run_cell, cell, asked.out / "traces", caches)] = cell
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                store.keep(running.pop(future), future.result())
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                print(f"{sum(map(store.has, plan))} of {len(plan)} cells", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
