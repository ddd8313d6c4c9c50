"""Runs one cell. What it needs to know of others, the tuned caches, it is given."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.comparison.cells import CACHE_FACTORS, MINUTES, OWN, Block, Cell, Kind, entrants_of
from scaler.fleet import CACHE_FLOOR
from scaler.simulation import catalogue
from scaler.simulation.baselines.caches import hand_tuned
from scaler.simulation.contender import Contender
from scaler.simulation.entrants import Tuning, entrant
from scaler.simulation.load import Load, LoadRequest, load_of
from scaler.simulation.run import Setting, run
from scaler.simulation.scenario import Scenario
from scaler.simulation.traces import read_trace

Row = dict[str, Any]
TUNED_WITH: Final = "wci-tuned"
"""The policy whose fixed cache is tuned."""


def run_cell(cell: Cell, traces: Path, caches: Mapping[str, int]) -> list[Row]:
    """One row for each run.

    Args:
        cell: What to run.
        traces: The folder with the traces.
        caches: The tuned cache of each scenario.

    """
    block = cell.block
    scenario = _shortened(block.scenario)
    trace = read_trace(traces / f"{block.trace}.csv.gz") if block.trace != OWN else None
    load = load_of(scenario, LoadRequest(seed=block.seed, trace=trace))
    if cell.kind is Kind.TUNING:
        return list(_tuning(block, scenario, load))
    return [
        _row(
            block,
            Setting(scenario=scenario, load=load, seed=block.seed),
            each.contender(scenario, Tuning(setting=setting, cache=caches.get(block.scenario))),
        )
        | {"setting": setting}
        for each, setting in entrants_of(cell)
    ]


def tuned_cache(rows: list[Row], scenario: str) -> int | None:
    """The cache with the fewest kills, then the fewest worker-hours for tasks in time, of a scenario's tuning runs."""
    tried: dict[int, list[Row]] = {}
    for row in rows:
        if row["scenario"] == scenario:
            tried.setdefault(row["cache"], []).append(row)
    if not tried:
        return None

    def worth(cache: int) -> tuple[float, float, float]:
        runs = tried[cache]
        late = sum(row["slo_violation_task_share"] for row in runs) / len(runs)
        return sum(row["oom_kills"] for row in runs), round(late, 2), sum(row["worker_hours"] for row in runs)

    return min(tried, key=worth)


def _tuning(block: Block, scenario: Scenario, load: Load) -> Iterator[Row]:
    caches = {max(CACHE_FLOOR, math.floor(factor * hand_tuned(scenario))) for factor in CACHE_FACTORS}
    for cache in sorted(caches, reverse=True):
        contender = entrant(TUNED_WITH).contender(scenario, Tuning(cache=cache))
        yield _row(block, Setting(scenario=scenario, load=load, seed=block.seed), contender) | {"cache": cache}


def _row(block: Block, setting: Setting, contender: Contender) -> Row:
    score = run(setting, contender).score
    place = asdict(block) | {"policy": contender.name}
    return place | asdict(score)


def _shortened(name: str) -> Scenario:
    scenario = catalogue.named(name)
    return scenario.model_copy(update={"duration": timedelta(minutes=MINUTES[name])})
