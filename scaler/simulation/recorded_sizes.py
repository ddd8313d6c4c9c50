"""A recording of arrivals with the sizes that a fleet had then: who ran it is a contender like any other.

A trace with counts whose CSV has the further columns `workers` and, if wanted, `cache`; an empty cell is as before.
"""

import csv
import io
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from scaler.door import Problem, Refused
from scaler.model.common import Size
from scaler.simulation.policy import Seen
from scaler.simulation.traces import Trace, parse_trace, text_of


@dataclass(slots=True)
class RecordedSizes:
    """The sizes that were, at the times at which they were."""

    at: tuple[float, ...]  # seconds from the start
    sizes: tuple[Size, ...]
    interval_seconds: float = 5.0

    def resize(self, seen: Seen) -> Size | None:
        """The size of this moment."""
        place = bisect_right(self.at, seen.now) - 1
        return self.sizes[place] if place >= 0 else None


def read_recording(path: Path) -> tuple[Trace, RecordedSizes | None]:
    """The arrivals, and the sizes where they were recorded too; `Refused` with the first mistake in it."""
    text = text_of(path)
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or "workers" not in rows[0]:
        return parse_trace(text), None
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [name for name in rows[0] if name not in ("workers", "cache")]
    writer.writerow(names)
    writer.writerows([row[name] for name in names] for row in rows)
    return parse_trace(out.getvalue()), _sizes(rows)


def _sizes(rows: list[dict[str, str]]) -> RecordedSizes:
    at: list[float] = []
    sizes: list[Size] = []
    start = float(rows[0]["t_s"])
    for number, row in enumerate(rows, start=2):
        try:
            if (row["workers"] or "").strip():
                cache = (row.get("cache") or "").strip()
                sizes.append(Size(int(row["workers"]), int(cache) if cache else None))
                at.append(float(row["t_s"]) - start)
        except ValueError:
            raise Refused((Problem((f"line {number}",), "workers and cache must be whole numbers"),)) from None
    return RecordedSizes(tuple(at), tuple(sizes))
