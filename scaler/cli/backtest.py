"""`backtest`: what this version would have decided on what was recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from scaler.cli import words
from scaler.cli.connection import connected
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleets import FleetWorkflows
from scaler.cli.options import LIVE, SHOWN, Fleets, Output
from scaler.cli.recorded_history import Recorded, fetch_history, read_history_file
from scaler.cli.screen import Screen
from scaler.cli.simulate import simulator
from scaler.cli.tables import WARNING, add_row, mode_style, plain_table
from scaler.model.common import Size
from scaler.simulation.backtest import Backtested, Summary, backtested, summary

HISTORY_SUFFIX = ".json"
RECORDING_SUFFIXES = (".csv", ".csv.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All ticks, and what they come to."""

    summary: Summary
    ticks: tuple[Backtested, ...]


async def backtest(
    source: Annotated[str, Parameter(name="SOURCE")],
    /,
    *,
    scenario: str = "steady",
    report: Path | None = None,
    fleets: Fleets = LIVE,
    output: Output = SHOWN,
) -> None:
    """Show what this version would have done on a recorded history.

    A fleet's own history is decided again, tick by tick, on what was seen then. Arrivals from a CSV are played to
    simulated workers; with columns workers and cache, the sizes that there were run beside this product.

    Args:
        source: A fleet, a workflow id, a history as FILE.json, or arrivals as FILE.csv or FILE.csv.gz.
        scenario: For a CSV: what the workers are like, a name or a YAML file.
        report: For a CSV: write a page with plots there.
        fleets: Where the fleet runs.
        output: How the answer is written.

    """
    if source.endswith(RECORDING_SUFFIXES):
        simulator().backtest(Path(source), scenario, report, output)
        return
    if report is not None:
        raise CommandFailed(Exit.USAGE, "--report is for arrivals from a CSV", "A history comes as a table or JSON.")
    recorded = read_history_file(Path(source)) if source.endswith(HISTORY_SUFFIX) else await _fetched(source, fleets)
    rows = tuple(backtested(recorded.ticks, recorded.memory))
    _show(Screen(output), rows)


async def _fetched(source: str, fleets: Fleets) -> Recorded:
    async with connected(fleets) as client:
        workflows = FleetWorkflows(client, dry_run=fleets.dry_run, patience=fleets.command_timeout)
        return await fetch_history(client, source if "/" in source else workflows.workflow_id(source))


def _show(screen: Screen, rows: tuple[Backtested, ...]) -> None:
    found = summary(rows)
    if screen.json:
        screen.document(Answer(summary=found, ticks=rows), Answer)
        return
    if not rows:
        screen.tell("Nothing was decided in this history yet.")
        return
    screen.show(_table(_runs_of_equals(rows), datetime.now(UTC)))
    screen.tell(
        f"{found.ticks} ticks, {found.differ} decided otherwise; workers on average "
        f"{words.number(found.workers_then)} then, {words.number(found.workers_now)} now; "
        f"size changes {found.changes_then} then, {found.changes_now} now."
    )


def _runs_of_equals(rows: Sequence[Backtested]) -> list[tuple[Backtested, int]]:
    """The first of each run of rows that say the same, and how many they are."""
    runs: list[tuple[Backtested, int]] = []
    for row in rows:
        if runs and _says(runs[-1][0]) == _says(row):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((row, 1))
    return runs


def _says(row: Backtested) -> tuple[object, ...]:
    return (row.decided_then, row.decided_now, row.mode, row.reasons)


def _table(runs: Sequence[tuple[Backtested, int]], now: datetime) -> Table:
    table = plain_table("FIRST AT", "TICKS>", "FOUND>", "THEN>", "NOW>", "MODE", "BOUND BY~", "REASONS~")
    for row, ticks in runs:
        add_row(
            table,
            (
                words.moment(row.at, now),
                str(ticks),
                _told(row.found),
                _told(row.decided_then),
                Text(_told(row.decided_now), style=WARNING if row.differs else ""),
                Text(words.spoken(row.mode), style=mode_style(row.mode)),
                f"{words.spoken(row.workers_bound)} / {words.spoken(row.cache_bound)}",
                ", ".join(map(words.spoken, row.reasons)) or words.MISSING,
            ),
        )
    return table


def _told(size: Size | None) -> str:
    return words.MISSING if size is None else f"{size.workers}×{words.number(size.cache)}"
