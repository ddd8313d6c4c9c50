"""Tables without lines: readable on a terminal, and cut apart by spaces when piped."""

from collections.abc import Sequence

from rich.console import JustifyMethod, OverflowMethod
from rich.table import Table
from rich.text import Text

from scaler.cli.words import printable
from scaler.model.decision import Mode

_ALARMING = {Mode.EMERGENCY, Mode.MEMORY_LIMIT_TOO_SMALL, Mode.INFEASIBLE, Mode.BLOCKED, Mode.WORKERS_FAILING}
_CALM = {Mode.STEADY}

GOOD, WARNING, ALARM, QUIET = "green", "yellow", "bold red", "dim"


def plain_table(*columns: str) -> Table:
    """A table with these headings; `>` after one has its cells to the right, `~` lets them be folded if need be."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        justify: JustifyMethod = "right" if column.endswith(">") else "left"
        folds = column.endswith("~")
        overflow: OverflowMethod = "fold" if folds else "ellipsis"
        table.add_column(column.rstrip(">~"), justify=justify, no_wrap=not folds, overflow=overflow)
    return table


def add_row(table: Table, cells: Sequence[str | Text]) -> None:
    """Add a row; texts from outside can't steer the terminal."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in cells))


def facts(rows: Sequence[tuple[str, str | Text]]) -> Table:
    """Names and values, one to a line; long values go on below themselves."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        add_row(table, (name, value))
    return table


def mode_style(mode: Mode) -> str:
    """How urgent a mode is."""
    return ALARM if mode in _ALARMING else GOOD if mode in _CALM else WARNING
