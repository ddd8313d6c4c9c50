"""Turns public recordings into traces. Knows the files this project is benchmarked with; takes others by recipe."""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from scaler.door import Problem, Refused
from scaler.simulation.draws import Stream, generator
from scaler.simulation.traces import Floats, Integers, Trace

MISSING_STEP: Final = 1.5
"""An interval that is so many times as long as usual has others missing behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which columns of a recording are what. Without `count` and `rate` every row is one arrival."""

    time: str
    """Seconds, or a moment in ISO 8601."""
    count: str | None = None
    """Arrivals in the interval that begins there."""
    rate: str | None = None
    """Arrivals per second in it, instead of their count."""
    session: str | None = None
    turn: str | None = None
    zero_is_gap: bool = False
    """Whether an interval without arrivals is one in which nothing was measured."""
    jitter_seconds: float = 0.0
    """How coarse the times are: each lies anywhere in so many seconds."""


_SERVEGEN: Final = (
    "language/m-large",
    "language/m-mid",
    "language/m-small",
    "multimodal/mm-image",
    "reason/deepseek-r1",
)

KNOWN: Final[Mapping[str, Mapping[str, Recipe]]] = {
    "azure_llm_2023_conv_arrivals": {"azure-conversation": Recipe(time="t_s")},
    "mooncake_conversation_sessions": {
        "mooncake-conversation": Recipe(time="t_s", session="session_id", turn="turn", jitter_seconds=3.0)
    },
    "worldcup98_requests_per_minute": {"worldcup": Recipe(time="utc_minute", count="requests")},
    "nab_aws_elb_request_count_5min": {"aws-elb": Recipe(time="t_s", count="count")},
    "servegen_alibaba_rps_10min": {
        f"servegen-{family.split('/')[1]}": Recipe(time="t_s", rate=f"{family}:rps", zero_is_gap=True)
        for family in _SERVEGEN
    },
}
"""By how a file's name begins: the traces in it, by name. Sources and licences stand beside the files."""


def known_recipes(path: Path) -> Mapping[str, Recipe]:
    """The traces in a file that is known by its name; none in others."""
    return next((recipes for stem, recipes in KNOWN.items() if path.name.startswith(stem)), {})


def converted(path: Path, recipe: Recipe, seed: int = 0) -> Trace:
    """The trace in a recording, CSV with a header line, gzipped or not; `Refused` where a column is not there."""
    rows = list(_rows(path, recipe))
    if not rows:
        raise Refused((Problem((path.name,), "has no rows"),))
    at = _times([row[recipe.time] for row in rows])
    at -= at.min()
    if recipe.count is None and recipe.rate is None:
        return _arrivals(rows, at, recipe, generator(seed, Stream.CONVERSION))
    figures = np.array([float(row[recipe.count or recipe.rate or ""] or "nan") for row in rows])
    order = np.argsort(at, kind="stable")
    return _intervals(at[order], figures[order], recipe)


def _rows(path: Path, recipe: Recipe) -> Iterator[dict[str, str]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    reader = csv.DictReader(io.StringIO(text))
    wanted = {recipe.time, recipe.count, recipe.rate, recipe.session, recipe.turn} - {None}
    missing = sorted(str(name) for name in wanted - set(reader.fieldnames or ()))
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise Refused((Problem((path.name,), f"must have the columns {', '.join(missing)}, found {found}"),))
    yield from reader


def _times(cells: list[str]) -> Floats:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        moments = [datetime.fromisoformat(cell) for cell in cells]
        return np.array([(each if each.tzinfo else each.replace(tzinfo=UTC)).timestamp() for each in moments])


def _arrivals(rows: list[dict[str, str]], at: Floats, recipe: Recipe, rng: np.random.Generator) -> Trace:
    at = at + recipe.jitter_seconds * rng.random(len(at))
    if recipe.session is None or recipe.turn is None:
        return Trace(at=np.sort(at))
    _, session = np.unique([row[recipe.session] for row in rows], return_inverse=True)
    turn = np.array([int(row[recipe.turn or ""]) for row in rows])
    at = _in_turn(at, session, turn)
    order = np.argsort(at, kind="stable")
    return Trace(at=at[order], session=session[order], turn=turn[order])


def _in_turn(at: Floats, session: Integers, turn: Integers) -> Floats:
    """The same times, but in each session in the order of its turns: jitter must not turn them around."""
    times = np.empty_like(at)
    times[np.lexsort((turn, session))] = at[np.lexsort((at, session))]
    return times


def _intervals(at: Floats, figures: Floats, recipe: Recipe) -> Trace:
    usual = float(np.median(np.diff(at)))
    counts = figures * usual if recipe.rate is not None else figures.copy()
    if recipe.zero_is_gap:
        counts[counts == 0] = np.nan
    holes = np.flatnonzero(np.diff(at) > MISSING_STEP * usual)
    return Trace(at=np.insert(at, holes + 1, at[holes] + usual), count=np.insert(counts, holes + 1, np.nan))
