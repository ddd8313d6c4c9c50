"""The units of work: some policies, with their settings, under one load."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from scaler.simulation import catalogue
from scaler.simulation.entrants import ENTRANTS, JOINT, Entrant
from scaler.simulation.scenario import Scenario

OWN: Final = "own"
"""The scenario's own arrivals, where there is no trace."""

SWEPT: Final = 5
"""Settings of each policy, its default among them: the same budget for all."""

CACHE_FACTORS: Final = (1.0, 0.75, 0.5, 0.3)
"""What a fixed cache is tuned over, times what a careful person works out at the start."""

MINUTES: Final = {
    "bursty": 60,
    "cheap-replay": 45,
    "crash-loop": 45,
    "cyclic-access": 60,
    "diurnal": 120,
    "expensive-replay": 60,
    "flash-crowd": 80,
    "incident": 100,
    "long-activities": 120,
    "memory-drift": 120,
    "memory-step": 100,
    "metric-blackout": 100,
    "rate-limited": 75,
    "slow-start": 75,
    "steady": 45,
}
"""Long enough for what a scenario is about, and no longer."""


class Kind(StrEnum):
    """What a cell is for."""

    TUNING = "tuning"  # fixed caches, on seeds that are not scored
    DEFAULT = "default"  # every policy as it comes
    SWEEP = "sweep"  # every policy at its other settings, which with the default make its curve


class Group(StrEnum):
    """Whose cells they are; apart, so that a change of the product's decision does not throw the others' away."""

    JOINT = "joint"
    OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One load: a scenario's own arrivals or a window of a trace, by its seed. It counts whole or not at all."""

    scenario: str
    trace: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One unit of work: some policies under one load."""

    kind: Kind
    group: Group
    block: Block

    @property
    def name(self) -> str:
        """As its file is called."""
        block = self.block
        return f"{self.kind}-{self.group}-{block.scenario}-{block.trace}-{block.seed}"


@cache
def named(scenario: str) -> Scenario:
    """A scenario that comes with the product, read once."""
    return catalogue.named(scenario)


def entrants_of(cell: Cell) -> Iterator[tuple[Entrant, float]]:
    """Who runs in a cell, and with which setting."""
    for entrant in ENTRANTS.values():
        if (entrant.name == JOINT) != (cell.group is Group.JOINT):
            continue
        if cell.kind is Kind.DEFAULT:
            yield entrant, entrant.default
        elif not entrant.knows_the_future:
            yield from ((entrant, setting) for setting in swept(entrant))


def swept(entrant: Entrant) -> tuple[float, ...]:
    """Its settings beside the default, evenly chosen from its sweep, the first and the last among them."""
    others = [setting for setting in entrant.sweep if setting != entrant.default]
    last = len(others) - 1
    return tuple(others[round(place * last / (SWEPT - 2))] for place in range(SWEPT - 1))
