"""Who takes part in a comparison: this product, a baseline, or a bound that knows the future."""

from collections.abc import Callable
from dataclasses import dataclass

from scaler.fleet import Fleet
from scaler.simulation.policy import MakeClairvoyant, MakePolicy


def _as_declared(fleet: Fleet) -> Fleet:
    return fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """This product. `declare` changes the fleet's declaration, which is how its caution is set."""

    name: str = "joint"
    start_cache: int | None = None  # instead of the scenario's
    declare: Callable[[Fleet], Fleet] = _as_declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A policy that is not this product's; where it does not decide the cache, a scenario may have it cut by hand."""

    name: str
    make: MakePolicy
    start_cache: int | None = None
    decides_cache: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clairvoyant:
    """A policy that knows every turn that will come: a bound, not a rival."""

    name: str
    make: MakeClairvoyant
    start_cache: int | None = None
    decides_cache: bool = False


Contender = Joint | Baseline | Clairvoyant
