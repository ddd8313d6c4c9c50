"""Carries `simulate` out: reads what was named, runs it, and writes table, JSON and report. Needs numpy."""

import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.text import Text

from scaler.cli.declared_file import FileRefused, read_declared_file
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.options import Output
from scaler.cli.screen import Screen
from scaler.cli.simulate import Asked
from scaler.cli.tables import ALARM, GOOD, add_row, plain_table
from scaler.door import Refused
from scaler.simulation import catalogue, entrants
from scaler.simulation.comparison import Circumstances, Comparison, Outcome
from scaler.simulation.contender import Baseline
from scaler.simulation.recorded_sizes import RecordedSizes, read_recording
from scaler.simulation.report.page import COLUMNS, page
from scaler.simulation.scenario import Scenario
from scaler.simulation.traces import read_trace

RECORDED = "recorded"
"""The sizes that there were."""


def simulate(asked: Asked, output: Output) -> None:
    """Run and answer; `CommandFailed` or `FileRefused` with what is not right."""
    screen = Screen(output)
    names = asked.policies or tuple(entrants.ENTRANTS)
    try:
        for name in names:
            entrants.entrant(name)
        comparison = Comparison(_circumstances(asked))
    except Refused as refused:
        raise CommandFailed(Exit.REFUSED, str(refused)) from None
    outcomes = list(comparison.outcomes(names, lambda name: screen.tell(f"{asked.scenario}: {name}", style="dim")))
    if asked.report is not None:
        write_page(asked.report, page(comparison.circumstances, comparison.loads[0], outcomes))
    _show(screen, outcomes)


def backtest(recording: Path, scenario: str, report: Path | None, output: Output) -> None:
    """Play a recording once, as it is and to its end: to this product, and to the sizes that there were."""
    screen = Screen(output)
    try:
        trace, sizes = read_recording(recording)
        length = timedelta(seconds=math.ceil(trace.span_seconds))
        world = _from_first(sizes, scenario_of(scenario).model_copy(update={"duration": length}))
        circumstances = Circumstances(scenario=world, seeds=1, trace=trace, rate_scale=1.0)
        others = {RECORDED: Baseline(name=RECORDED, make=lambda _: sizes, decides_cache=True)} if sizes else {}
        comparison = Comparison(circumstances, others)
    except Refused as refused:
        raise CommandFailed(Exit.REFUSED, str(refused)) from None
    names = (entrants.JOINT, *others)
    outcomes = list(comparison.outcomes(names, lambda name: screen.tell(f"{recording}: {name}", style="dim")))
    if report is not None:
        write_page(report, page(circumstances, comparison.loads[0], outcomes))
    _show(screen, outcomes)


def _from_first(sizes: RecordedSizes | None, scenario: Scenario) -> Scenario:
    """The scenario as the recording found the fleet."""
    if sizes is None or not sizes.sizes:
        return scenario
    first, start = sizes.sizes[0], scenario.start
    found = start.model_copy(update={"workers": first.workers, "cache": first.cache or start.cache})
    return scenario.model_copy(update={"start": found})


def _circumstances(asked: Asked) -> Circumstances:
    return Circumstances(
        scenario=scenario_of(asked.scenario),
        seeds=asked.seeds,
        trace=read_trace(asked.trace) if asked.trace is not None else None,
        rate_scale=asked.rate_scale,
        time_scale=asked.time_scale,
    )


def scenario_of(name: str) -> Scenario:
    """One that comes with the product, else a file."""
    if name in catalogue.names() or not Path(name).exists():
        return catalogue.named(name)
    document = read_declared_file(Path(name))
    try:
        return catalogue.declared(document.value)
    except Refused as refused:
        raise FileRefused(map(document.mistake, refused.problems)) from None


def write_page(report: Path, text: str) -> None:
    """Write a page for a browser."""
    try:
        report.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(Exit.REFUSED, f"{report} can't be written: {error.strerror}") from None


def _show(screen: Screen, outcomes: Sequence[Outcome]) -> None:
    figures = [outcome.figures() for outcome in outcomes]
    if screen.json:
        screen.document(figures, list[dict[str, Any]])
        return
    headings = (heading.upper() + ("" if key == "policy" else ">") for key, heading, _ in COLUMNS)
    table = plain_table(*headings)
    for row in figures:
        own = row["policy"] == entrants.JOINT
        cells = [
            Text(format(row[key], form), style=ALARM if key == "oom_kills" and row[key] else GOOD if own else "")
            for key, _, form in COLUMNS
        ]
        add_row(table, cells)
    screen.show(table)
