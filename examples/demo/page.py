"""The live page of a demo. Pure: what was recorded in, text out."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from examples.demo.changes import changes
from examples.demo.recording import Sample
from examples.demo.scenes import Scene
from scaler.cli import words
from scaler.cli.tables import ALARM, GOOD, QUIET, WARNING, mode_style
from scaler.model.common import TaskType
from scaler.state import State
from scaler.words.explain import explain

BARS = "▁▂▃▄▅▆▇█"
CELLS = 44
"""Of a row's history; with the rest of the row it fits 100 columns."""

CHANGES_SHOWN = 6

Figure = Callable[[Sample], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a page is made of."""

    scenes: Sequence[Scene]
    samples: Sequence[Sample]
    state: State
    place: str  # where more can be seen

    @property
    def now(self) -> Sample:
        """The newest sample."""
        return self.samples[-1]


def page(view: View) -> RenderableType:
    """All of it, on a screen of 100 columns and 30 lines."""
    parts: list[RenderableType] = [_title(view), "", _rows(view), "", *_why(view), ""]
    parts += [Text("What was changed", style="bold"), *_changes(view), "", Text(view.place, style=QUIET)]
    return Group(*parts)


def _title(view: View) -> Text:
    now, length = view.now, view.scenes[-1].ends
    left = f"{words.span(round(max(length - now.at_seconds, 0)))} left" if now.at_seconds < length else "last answers"
    title = Text("A fleet of real workers, sized as you watch", style="bold")
    return title.append(f"   {now.phase}, {left}", style="not bold")


def _rows(view: View) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True, width=9)
    table.add_column(justify="right", no_wrap=True, width=8)
    table.add_column(no_wrap=True, width=CELLS)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_row("", "", _phases(view), "")
    for row in _figures(view):
        table.add_row(
            row.name, row.now, Text(_history(view, row), style=row.style), Text(row.note, style=row.note_style)
        )
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    now: str
    figure: Figure
    note: str = ""
    style: str = "cyan"
    note_style: str = ""
    least: float = 1.0  # what a full bar stands for, at the least


def _figures(view: View) -> Iterator[_Row]:
    now, fleet = view.now, view.state.fleet
    size = now.size
    yield _Row(
        name="load",
        now=f"{now.offered_per_second:.1f}/s",
        figure=lambda each: each.offered_per_second,
        note=f"{now.completed} turns answered" + (f", {now.failed} failed" if now.failed else ""),
        note_style=ALARM if now.failed else "",
    )
    decided = f"{size.workers} decided" if size is not None else ""
    yield _Row(
        name="workers",
        now=str(now.ready),
        figure=lambda each: each.ready,
        note=f"{decided} ({fleet.workers.min}–{fleet.workers.max})",
        note_style=WARNING if size is not None and size.workers != now.ready else "",
        style=GOOD,
    )
    yield _Row(
        name="cache",
        now=words.number(size.cache if size is not None else None),
        figure=lambda each: each.size.cache if each.size is not None else None,
        note=f"{words.number(now.cached)} in the fullest worker",
        style=GOOD,
    )
    yield _Row(
        name="backlog",
        now=words.number(now.backlog),
        figure=lambda each: each.backlog,
        note="tasks wait",
        style=WARNING,
        least=8,
    )
    objective = fleet.objective_seconds(TaskType.ACTIVITY)
    late = now.wait_seconds is not None and now.wait_seconds > objective
    yield _Row(
        name="wait",
        now=words.span(now.wait_seconds),
        figure=lambda each: each.wait_seconds,
        note=f"{fleet.objective.percentile:g}% to start; objective {words.span(objective)}",
        style=WARNING,
        note_style=WARNING if late else "",
        least=objective,
    )
    yield _Row(
        name="memory",
        now=words.size(now.fullest_bytes),
        figure=lambda each: each.fullest_bytes,
        note=f"fullest worker, {words.share(now.fullest_bytes, now.limit_bytes)} of {words.size(now.limit_bytes)}",
        least=now.limit_bytes or 1.0,
    )


def _history(view: View, row: _Row) -> str:
    """A bar for each stretch of the demo, as high as the highest figure in it."""
    cells = _highest(view, row.figure)
    full = max([row.least, *(cell for cell in cells if cell is not None)])
    return "".join(" " if cell is None else BARS[_height(cell, full)] for cell in cells)


def _height(figure: float, full: float) -> int:
    """Anything above nothing is seen."""
    return min(len(BARS) - 1, math.ceil(figure / full * (len(BARS) - 1)))


def _highest(view: View, figure: Figure) -> list[float | None]:
    cells: list[float | None] = [None] * CELLS
    for sample in view.samples:
        known = figure(sample)
        if known is not None:
            place = min(int(sample.at_seconds / view.scenes[-1].ends * CELLS), CELLS - 1)
            cells[place] = max(known, cells[place] or 0.0)
    return cells


def _phases(view: View) -> Text:
    """The names of the phases over their part of the history."""
    line = Text()
    for scene in view.scenes:
        place = round(scene.begins / view.scenes[-1].ends * CELLS)
        line.pad_right(max(place - len(line), 1 if line else 0))
        line.append(scene.name, style="bold" if scene.name == view.now.phase else QUIET)
    return line


def _why(view: View) -> Iterator[Text]:
    """The first paragraph of what `explain` says."""
    decision = view.state.decision
    for place, line in enumerate(explain(view.state).split("\n\n")[0].splitlines()):
        style = mode_style(decision.mode) if decision is not None and place == 0 else ""
        yield Text(line, style=style)


def _changes(view: View) -> Iterator[Text]:
    newest = changes(view.samples)[-CHANGES_SHOWN:]
    for change in newest:
        yield Text(str(change), no_wrap=True, overflow="ellipsis")
    for _ in range(CHANGES_SHOWN - len(newest)):
        yield Text()
