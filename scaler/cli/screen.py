"""Writes answers: coloured tables on a terminal, whole plain lines elsewhere, or one JSON document.

Without a terminal nothing is wrapped, cut or redrawn, so that what is piped is what there is.
"""

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from pydantic import TypeAdapter
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from scaler.cli.options import Color, Format, Output, Terminal

UNBOUNDED_WIDTH = 10_000


class Screen:
    """Standard output for what was asked for, standard error for what is said about it."""

    def __init__(self, options: Terminal) -> None:
        self._color = options.color
        self._json = isinstance(options, Output) and options.output is Format.JSON
        self._out = self._console(sys.stdout)
        self._error = self._console(sys.stderr)

    @property
    def json(self) -> bool:
        """Whether a program reads the answer."""
        return self._json

    @property
    def live(self) -> bool:
        """Whether a page can be redrawn in place."""
        return sys.stdout.isatty() and not self._out.is_dumb_terminal and not self._json

    def show(self, page: RenderableType) -> None:
        """Write a page for a person."""
        if sys.stdout.isatty():
            self._out.print(page)
        else:
            sys.stdout.write(self._whole(page))
            sys.stdout.flush()

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines as they are, however long."""
        for line in lines:
            self._out.print(Text(line), soft_wrap=True)

    def document(self, value: Any, kind: Any, *, indent: int | None = 2) -> None:
        """Write the JSON of a value of this type."""
        sys.stdout.write(TypeAdapter(kind).dump_json(value, indent=indent).decode() + "\n")
        sys.stdout.flush()

    def tell(self, text: str, style: str = "") -> None:
        """Say something beside the answer."""
        self._error.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def redrawn(self) -> Iterator[Live]:
        """A page that is redrawn in place."""
        with Live(console=self._out, auto_refresh=False, vertical_overflow="crop") as live:
            yield live

    def _whole(self, page: RenderableType) -> str:
        """A page as wide as it is, without the spaces that fill cells up."""
        written = io.StringIO()
        console = self._console(written)
        console.width = UNBOUNDED_WIDTH
        console.print(page)
        return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())

    def _console(self, file: TextIO) -> Console:
        return Console(
            file=file,
            force_terminal=True if self._color is Color.ALWAYS else None,
            color_system=None if self._color is Color.NEVER else "auto",
            highlight=False,
            markup=False,
            emoji=False,
        )
