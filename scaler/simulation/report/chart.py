"""Charts as inline SVG: axes with round numbers, lines, marks. Pure; no library, no script, no font to load."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

Points = Sequence[tuple[float, float]]

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 24, 22
"""Margins in pixels."""

TICKS: Final = 4
LINE: Final = 13
LETTER: Final = 6.2
"""Height and width of small letters in pixels, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series; `steps` holds a value until the next."""

    name: str
    points: Points
    color: str
    dashed: bool = False
    steps: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Moments or places that are pointed out, each with a word or none."""

    points: Points
    color: str
    labels: Sequence[str] = ()
    radius: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A chart's title, its size in pixels, and what its axes reach to (from zero)."""

    title: str
    x_max: float
    y_max: float
    x_name: str = ""
    width: int = 420
    height: int = 170


def chart(frame: Frame, lines: Sequence[Line] = (), marks: Sequence[Marks] = ()) -> str:
    """One chart."""
    parts = [_axes(frame), *(_line(frame, line) for line in lines), *(_marks(frame, each) for each in marks)]
    parts.append(_labels(frame, marks))
    legend = _legend(frame, lines)
    size = f'viewBox="0 0 {frame.width} {frame.height}" width="{frame.width}" height="{frame.height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(frame.title)}" {size}>{"".join(parts)}{legend}</svg>'  # noqa: E501


def rounded_up(value: float) -> float:
    """The next number that begins with 1, 2, 4, 6 or 8: where an axis with four parts ends."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def told(value: float) -> str:
    """A number at an axis."""
    if value == 0:
        return "0"
    if abs(value) >= 1_000_000:  # noqa: PLR2004
        return f"{value / 1_000_000:g}M"
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:.3g}"  # noqa: PLR2004


def _place(frame: Frame, x: float, y: float) -> tuple[float, float]:
    across = (frame.width - LEFT - RIGHT) * min(max(x / frame.x_max, 0.0), 1.0)
    up = (frame.height - TOP - BOTTOM) * min(max(y / frame.y_max, 0.0), 1.0)
    return LEFT + across, frame.height - BOTTOM - up


def _axes(frame: Frame) -> str:
    parts = [f'<text class="title" x="{LEFT}" y="14">{escape(frame.title)}</text>']
    for tick in range(TICKS + 1):
        value = frame.y_max * tick / TICKS
        _, y = _place(frame, 0, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{frame.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{told(value)}</text>')
        x, _ = _place(frame, frame.x_max * tick / TICKS, 0)
        anchor = "end" if tick == TICKS else "middle"
        unit = f" {frame.x_name}" if tick == TICKS else ""
        text = escape(told(frame.x_max * tick / TICKS) + unit)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{frame.height - 6}" text-anchor="{anchor}">{text}</text>')
    return "".join(parts)


def _line(frame: Frame, line: Line) -> str:
    placed = [_place(frame, x, y) for x, y in line.points]
    if not placed:
        return ""
    path = [f"M{placed[0][0]:.1f},{placed[0][1]:.1f}"]
    for x, y in placed[1:]:
        path.append(f"H{x:.1f}V{y:.1f}" if line.steps else f"L{x:.1f},{y:.1f}")
    dashes = ' stroke-dasharray="4 3"' if line.dashed else ""
    return f'<path d="{"".join(path)}" fill="none" stroke="{line.color}" stroke-width="1.5"{dashes}/>'


def _marks(frame: Frame, marks: Marks) -> str:
    places = [_place(frame, x, y) for x, y in marks.points]
    return "".join(
        f'<circle cx="{across:.1f}" cy="{up:.1f}" r="{marks.radius:g}" fill="{marks.color}"/>' for across, up in places
    )


def _labels(frame: Frame, all_marks: Sequence[Marks]) -> str:
    """The words beside all marks, each moved up until it stands on none of those before it."""
    named = [
        (*_place(frame, *point), label)
        for marks in all_marks
        for point, label in zip(marks.points, marks.labels, strict=False)
    ]
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []  # left, right and height of each
    for across, up, label in sorted(named):
        width, height = LETTER * len(label), up - LINE / 2
        left = across + LINE / 2 if across + width < frame.width - RIGHT else across - width - LINE / 2
        while any(left < end and begin < left + width and abs(height - other) < LINE for begin, end, other in taken):
            height -= LINE
        taken.append((left, left + width, height))
        parts.append(f'<text class="tick" x="{left:.1f}" y="{height + 4:.1f}">{escape(label)}</text>')
    return "".join(parts)


def _legend(frame: Frame, lines: Sequence[Line]) -> str:
    named = [line for line in lines if line.name]
    parts, x = [], float(frame.width - RIGHT)
    for line in reversed(named):
        parts.append(f'<text class="tick" x="{x:.1f}" y="14" text-anchor="end">{escape(line.name)}</text>')
        x -= LETTER * len(line.name) + 4
        dashes = ' stroke-dasharray="4 3"' if line.dashed else ""
        parts.append(
            f'<line x1="{x - 14:.1f}" x2="{x:.1f}" y1="10" y2="10" stroke="{line.color}" stroke-width="2"{dashes}/>'
        )
        x -= 24
    return "".join(parts)
