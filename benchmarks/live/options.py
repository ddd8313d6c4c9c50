"""What is measured: the options of the command line, checked before anything is started."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from benchmarks.live.shape import ShapeRefused, parse_shape
from examples.agents.arrivals import Phase

BURST: Final = "60:0.4-3.2,60:3.2,90:9.6,60:3.2,90:0.4"
LARGEST_STATE_KIB: Final = 65_536
WIDEST_SPREAD: Final = 3.0


class Output(StrEnum):
    """How the figures are written."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One measured run."""

    shape: str = BURST
    state_kib: int = 1024
    spread: float = 0.0
    growth_kib: int = 0
    hygiene: bool = False
    seed: int = 1
    fixed: int | None = None  # so many workers for ever, and no controller
    output: Output = Output.TABLE

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The shape, read."""
        return parse_shape(self.shape)

    def told(self) -> dict[str, Any]:
        """The options as a result repeats them."""
        told = asdict(self)
        del told["output"]
        return told | {"hygiene": "on" if self.hygiene else "off"}


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """The options that were given; says what is wrong with them and ends where they are refused."""
    parser = argparse.ArgumentParser(prog="make live ARGS='…'", description=__doc__)
    parser.add_argument("--shape", type=_shape, default=BURST, help="seconds:turns per second, a ramp by two rates")
    parser.add_argument("--state-kib", type=_whole(0, LARGEST_STATE_KIB), default=1024, help="of one conversation")
    parser.add_argument("--spread", type=_spread, default=0.0, help="of the sizes, of their logarithm; 0: all the same")
    parser.add_argument("--growth-kib", type=_whole(0, LARGEST_STATE_KIB), default=0, help="of one turn")
    parser.add_argument("--hygiene", choices=("on", "off"), default="off", help="whether workers free what they evict")
    parser.add_argument("--seed", type=int, default=1, help="of the load")
    parser.add_argument("--fixed", type=_whole(1, 32), help="so many workers, and no controller")
    parser.add_argument("--output", type=Output, choices=tuple(Output), default=Output.TABLE)
    given = vars(parser.parse_args(arguments))
    return Options(**{**given, "hygiene": given["hygiene"] == "on"})


def _shape(text: str) -> str:
    try:
        parse_shape(text)
    except ShapeRefused as refused:
        raise argparse.ArgumentTypeError(str(refused)) from None
    return text


def _spread(text: str) -> float:
    spread = _number(text)
    if not 0 <= spread <= WIDEST_SPREAD:
        raise argparse.ArgumentTypeError(f"must be from 0 to {WIDEST_SPREAD:g}, found {text}")
    return spread


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number within bounds."""

    def read(text: str) -> int:
        number = _number(text)
        if not least <= number <= most or number != int(number):
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, found {text}")
        return int(number)

    return read


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, found {text!r}") from None
