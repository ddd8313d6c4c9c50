"""Recorded arrivals as CSV, plain or gzipped: read strictly, cut to a window, scaled.

The columns are `t_s`, then `count` (arrivals in the interval that begins there; empty where nothing was measured),
or no `count` (a row is one arrival), or `session_id,turn` (turns of sessions). One arrival is one turn.
"""

import csv
import gzip
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scaler.door import Problem, Refused

WINDOWS_TRIED: Final = 200
"""Windows that are drawn to find one without a gap."""

COPIES_APART_SECONDS: Final = 30.0
"""Copies of a session, where a trace is scaled up, begin within so many seconds of it."""

_GZIP_MAGIC: Final = b"\x1f\x8b"

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Arrivals in the order of their times, in seconds. Either has counts of intervals, or a row is one arrival."""

    at: Floats
    count: Floats | None = None  # NaN where nothing was measured
    session: Integers | None = None
    turn: Integers | None = None

    @property
    def span_seconds(self) -> float:
        """How long the trace is; the last interval is as long as the one before it."""
        if len(self.at) < 2:  # noqa: PLR2004 (an interval has two ends)
            return 0.0
        tail = float(self.at[-1] - self.at[-2]) if self.count is not None else 0.0
        return float(self.at[-1] - self.at[0]) + tail

    @property
    def mean_per_second(self) -> float:
        """Arrivals per second over all that was measured."""
        if self.count is None:
            return len(self.at) / self.span_seconds if self.span_seconds else 0.0
        measured = ~np.isnan(self.count)
        seconds = float(self.interval_seconds[measured].sum())
        return float(self.count[measured].sum()) / seconds if seconds else 0.0

    @property
    def interval_seconds(self) -> Floats:
        """The length of each interval of a trace with counts."""
        lengths = np.diff(self.at)
        return np.append(lengths, lengths[-1]) if len(lengths) else np.zeros(len(self.at))

    def stretched(self, factor: float) -> "Trace":
        """With all times multiplied: 0.5 plays it twice as fast."""
        return replace(self, at=self.at * factor)

    def window(self, seconds: float, rng: np.random.Generator) -> tuple[float, float]:
        """Where a window of so many seconds lies, without a gap if there is one; all of a shorter trace."""
        begin, spare = float(self.at[0]), self.span_seconds - seconds
        if spare <= 0:
            return begin, begin + self.span_seconds
        starts = begin + spare * rng.random(WINDOWS_TRIED)
        best = min(starts, key=lambda start: self._unmeasured(float(start), seconds))
        return float(best), float(best) + seconds

    def between(self, start: float, end: float) -> "Trace":
        """What arrived from `start` until before `end`, counted from `start`; intervals are cut in proportion."""
        if self.count is None:
            kept = (self.at >= start) & (self.at < end)
            return Trace(at=self.at[kept] - start, session=_kept(self.session, kept), turn=_kept(self.turn, kept))
        lengths = self.interval_seconds
        begins, ends = np.maximum(self.at, start), np.minimum(self.at + lengths, end)
        kept = ends > begins
        counts = self.count[kept] * (ends - begins)[kept] / lengths[kept]
        edges = np.append(begins[kept], ends[kept][-1:]) - start
        return Trace(at=edges, count=np.append(counts, 0.0)) if len(counts) else Trace(at=edges, count=counts)

    def _unmeasured(self, start: float, seconds: float) -> float:
        """Seconds of a window in which nothing was measured."""
        if self.count is None:
            return 0.0
        gap = np.isnan(self.count)
        ends = self.at + self.interval_seconds
        overlap = np.minimum(ends, start + seconds) - np.maximum(self.at, start)
        return float(np.clip(overlap[gap], 0.0, None).sum())


def _kept(column: Integers | None, kept: NDArray[np.bool_]) -> Integers | None:
    return None if column is None else column[kept]


def read_trace(path: Path) -> Trace:
    """Read a trace file; `Refused` with the first mistake in it."""
    return parse_trace(text_of(path))


def text_of(path: Path) -> str:
    """A file's text, unpacked if it is gzipped; `Refused` where it has none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused((Problem((), f"{path} can't be read: {error.strerror}"),)) from None
    try:
        return (gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Refused((Problem((), f"{path} is no CSV: {error}"),)) from None


def parse_trace(text: str) -> Trace:
    """Read a trace; `Refused` with the first mistake in it."""
    return _parsed(csv.reader(io.StringIO(text)))


def write_trace(trace: Trace, path: Path) -> None:
    """Write what `read_trace` reads; gzipped, always to the same bytes, where the name ends in `.gz`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_header(trace))
    writer.writerows(_rows(trace))
    content = out.getvalue().encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _header(trace: Trace) -> tuple[str, ...]:
    if trace.count is not None:
        return ("t_s", "count")
    return ("t_s",) if trace.session is None else ("t_s", "session_id", "turn")


def _rows(trace: Trace) -> Iterator[tuple[str, ...]]:
    times = [f"{at:.3f}".rstrip("0").rstrip(".") for at in trace.at]
    if trace.count is not None:
        yield from zip(times, ("" if math.isnan(count) else f"{count:g}" for count in trace.count), strict=True)
    elif trace.session is not None and trace.turn is not None:
        yield from zip(times, map(str, trace.session), map(str, trace.turn), strict=True)
    else:
        yield from ((at,) for at in times)


def _parsed(rows: Iterator[list[str]]) -> Trace:
    header = tuple(name.strip() for name in next(rows, []))
    if header not in _COLUMNS:
        allowed = " or ".join(",".join(columns) for columns in _COLUMNS)
        raise Refused((Problem((), f"the first line must be {allowed}, found {','.join(header)[:60]!r}"),))
    columns: list[list[float]] = [[] for _ in header]
    for number, row in enumerate(rows, start=2):
        if row:
            _read_row(row, number, columns)
    if not columns[0]:
        raise Refused((Problem((), "has no arrivals"),))
    arrays = [np.array(column) for column in columns]
    order = np.argsort(arrays[0], kind="stable")
    if header[1:] == ("count",):
        return Trace(at=arrays[0][order], count=arrays[1][order])
    if len(header) == 1:
        return Trace(at=arrays[0][order])
    return Trace(at=arrays[0][order], session=arrays[1][order].astype(np.int64), turn=arrays[2][order].astype(np.int64))


_COLUMNS: Final = (("t_s", "count"), ("t_s",), ("t_s", "session_id", "turn"))


def _read_row(row: Sequence[str], number: int, columns: list[list[float]]) -> None:
    if len(row) != len(columns):
        raise Refused((Problem((f"line {number}",), f"must have {len(columns)} fields, found {len(row)}"),))
    for index, (cell, column) in enumerate(zip(row, columns, strict=True)):
        try:
            figure = math.nan if index and not cell.strip() else float(cell)
        except ValueError:
            raise Refused((Problem((f"line {number}",), f"must be numbers, found {cell[:60]!r}"),)) from None
        if math.isinf(figure) or (index == 0 and math.isnan(figure)) or (index and figure < 0):
            raise Refused((Problem((f"line {number}",), f"must be finite and not negative, found {cell[:60]!r}"),))
        column.append(figure)
