"""`simulate`: what this product and every serious alternative would make of a load, without touching anything."""

import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.options import SHOWN, Output

AUTO = "auto"


def _names(_: Any, tokens: Any) -> tuple[str, ...]:
    return tuple(name for token in tokens for name in token.value.split(",") if name)


def _rate(_: Any, tokens: Any) -> float | None:
    word = tokens[0].value
    if word == AUTO:
        return None
    try:
        rate = float(word)
    except ValueError:
        rate = 0.0
    if rate <= 0:
        raise ValueError(f"must be {AUTO} or a number above 0, found {word!r}")
    return rate


Policies = Annotated[
    tuple[str, ...], Parameter(converter=_names, n_tokens=1, metavar="A,B,…", negative="", show_default=False)
]
Rate = Annotated[float | None, Parameter(converter=_rate, n_tokens=1, metavar="X|auto", show_default=False)]
Count = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]
Factor = Annotated[float, Parameter(validator=Number(gt=0))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared, in the words of the command line."""

    scenario: str
    trace: Path | None
    policies: tuple[str, ...]
    seeds: int
    rate_scale: float | None
    time_scale: float
    report: Path | None


def simulate(  # noqa: PLR0913 (each is an option)
    *,
    scenario: str,
    trace: Path | None = None,
    policies: Policies = (),
    seeds: Count = 3,
    rate_scale: Rate = None,
    time_scale: Factor = 1.0,
    report: Path | None = None,
    output: Output = SHOWN,
) -> None:
    """Run policies in a simulated world under the same load, and compare what they come to.

    Scenarios: bursty, cheap-replay, crash-loop, cyclic-access, diurnal, expensive-replay, flash-crowd, incident,
    long-activities, memory-drift, memory-step, metric-blackout, rate-limited, slow-start, steady; or a YAML file.

    Args:
        scenario: A name, or a YAML file.
        trace: Arrivals from a CSV instead of the scenario's own; may be gzipped.
        policies: Whom to compare; all by default. This product is joint.
        seeds: How many runs of each.
        rate_scale: Times the arrivals of the trace; auto, the default, needs a quarter of the workers' maximum.
        time_scale: Times the times of the trace; 0.5 plays it twice as fast.
        report: Write a page with plots there.
        output: How the answer is written.

    """
    simulator().simulate(
        Asked(
            scenario=scenario,
            trace=trace,
            policies=policies,
            seeds=seeds,
            rate_scale=rate_scale,
            time_scale=time_scale,
            report=report,
        ),
        output,
    )


def simulator() -> Any:
    """The part that needs numpy, loaded once that is known to be there."""
    if find_spec("numpy") is None:
        remedy = "Install the extra simulation, or run it in a checkout after make setup."
        raise CommandFailed(Exit.USAGE, "the simulator needs numpy, which is not installed", remedy)
    return importlib.import_module("scaler.cli.simulated")
