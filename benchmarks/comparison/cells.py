"""What is to be run: cells of scenario, trace and seed, the broadest look first, so that any part of it is balanced."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scaler.simulation import catalogue
from scaler.simulation.entrants import CLAIRVOYANT, ENTRANTS, JOINT, Entrant

OWN: Final = "own"
"""The scenario's own arrivals."""

TRAINING: Final = ("azure-conversation", "mooncake-conversation", "worldcup", "aws-elb", "servegen-m-mid")
"""The traces of the benchmark; others are for `temporal-scaler simulate --trace`."""

SEEDS: Final = 10
SWEEP_SEEDS: Final = 5
"""Of scenarios that take no trace; the others have as many worlds, and one seed in each."""

TUNING_SEEDS: Final = (101, 102)
"""Never scored."""

SWEPT: Final = 5
"""Settings of each policy: the same budget for all."""

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
    SWEEP = "sweep"  # every policy over its own setting


class Group(StrEnum):
    """Whose cells they are; apart, so that a change of the product's decision does not throw the others' away."""

    JOINT = "joint"
    OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One unit of work: some policies under one load."""

    kind: Kind
    group: Group
    scenario: str
    trace: str
    seed: int

    @property
    def name(self) -> str:
        """As its file is called."""
        return f"{self.kind}-{self.group}-{self.scenario}-{self.trace}-{self.seed}"


def cells(traces: Sequence[str]) -> Iterator[Cell]:
    """All of them: tuning, then seed by seed the defaults, and the sweeps after the first of these."""
    worlds = [
        (name, trace)
        for name in catalogue.names()
        for trace in ((OWN, *traces) if catalogue.named(name).takes_trace else (OWN,))
    ]
    for seed in TUNING_SEEDS:
        for name in catalogue.names():
            trace = traces[seed % len(traces)] if traces and catalogue.named(name).takes_trace else OWN
            yield Cell(kind=Kind.TUNING, group=Group.OTHERS, scenario=name, trace=trace, seed=seed)
    for seed in range(1, SEEDS + 1):
        yield from _all(Kind.DEFAULT, worlds, seed)
        if seed <= SWEEP_SEEDS:
            swept_now = [(name, trace) for name, trace in worlds if seed == 1 or not catalogue.named(name).takes_trace]
            yield from _all(Kind.SWEEP, swept_now, seed)


def _all(kind: Kind, worlds: Sequence[tuple[str, str]], seed: int) -> Iterator[Cell]:
    for scenario, trace in worlds:
        for group in Group:
            yield Cell(kind=kind, group=group, scenario=scenario, trace=trace, seed=seed)


def entrants_of(cell: Cell) -> Iterator[tuple[Entrant, float]]:
    """Who runs in a cell, and with which setting."""
    for entrant in ENTRANTS.values():
        if (entrant.name == JOINT) != (cell.group is Group.JOINT):
            continue
        if cell.kind is Kind.DEFAULT:
            yield entrant, entrant.default
        elif not entrant.knows_the_future or entrant.name in (CLAIRVOYANT, "static"):
            yield from ((entrant, setting) for setting in swept(entrant))


def swept(entrant: Entrant) -> tuple[float, ...]:
    """Its settings, evenly chosen from its sweep, the first and the last among them."""
    last = len(entrant.sweep) - 1
    return tuple(entrant.sweep[round(place * last / (SWEPT - 1))] for place in range(SWEPT))
