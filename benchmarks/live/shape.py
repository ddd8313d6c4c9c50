"""The shape of a load as it is written on the command line: `60:0.4-3.2,90:9.6`. Pure."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from examples.agents.arrivals import Phase

LONGEST_SECONDS: Final = 3600.0
MOST_TURNS_PER_SECOND: Final = 50.0
"""Far beyond what one machine can serve; a typing error all the same."""

_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_PHASE: Final = re.compile(rf"{_NUMBER}:{_NUMBER}(?:-{_NUMBER})?")
_GRAMMAR: Final = "phases SECONDS:RATE or SECONDS:RATE-RATE, separated by commas, such as 60:0.4-3.2,90:9.6"


class ShapeRefused(Exception):  # noqa: N818 (it names what happened)
    """A shape that can't be run; its words say what is allowed."""


def parse_shape(text: str) -> tuple[Phase, ...]:
    """The phases of a load: seconds, and turns per second, where two rates are a ramp from one to the other."""
    phases = tuple(_phase(number, part.strip()) for number, part in enumerate(text.split(","), 1))
    if (seconds := shape_seconds(phases)) > LONGEST_SECONDS:
        raise ShapeRefused(f"a shape lasts at most {LONGEST_SECONDS:.0f} s, found {seconds:g} s in {text!r}")
    return phases


def shape_seconds(phases: Sequence[Phase]) -> float:
    """How long a load lasts."""
    return sum(phase.seconds for phase in phases)


def bursts(phases: Sequence[Phase]) -> tuple[tuple[float, float], ...]:
    """When the load jumps up, and until when it is not lower again: begin and end of each, in seconds.

    Without any jump between two phases, the beginning of the load is one.
    """
    begins = [0.0]
    for phase in phases:
        begins.append(begins[-1] + phase.seconds)
    jumps = [
        at for at, (before, after) in enumerate(pairwise(phases), 1) if after.turns_per_second > before.rate_at_end
    ]
    return tuple((begins[at], _ends(phases, begins, at)) for at in jumps or [0])


def _ends(phases: Sequence[Phase], begins: Sequence[float], jump: int) -> float:
    for at in range(jump + 1, len(phases)):
        if phases[at].turns_per_second < phases[jump].turns_per_second:
            return begins[at]
    return begins[-1]


def _phase(number: int, text: str) -> Phase:
    written = _PHASE.fullmatch(text)
    if written is None:
        raise ShapeRefused(f"a shape is {_GRAMMAR}; phase {number} is {text!r}")
    seconds, first, last = (None if each is None else float(each) for each in written.groups())
    phase = Phase(f"phase {number}", seconds or 0.0, first or 0.0, last)
    if phase.seconds <= 0:
        raise ShapeRefused(f"a phase lasts more than 0 s; phase {number} is {text!r}")
    if phase.peak > MOST_TURNS_PER_SECOND:
        allowed = f"at most {MOST_TURNS_PER_SECOND:g} turns per second"
        raise ShapeRefused(f"a phase has {allowed}; phase {number} is {text!r}")
    return phase
