"""What finished cells tell: the rows of whole loads, and which part of all that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from benchmarks.comparison.cells import Block, Cell, Group, Kind
from benchmarks.comparison.plan import Pass
from benchmarks.comparison.verdicts import Curve, curves
from scaler.simulation import catalogue
from scaler.simulation.baselines.caches import CacheSetting
from scaler.simulation.entrants import CLAIRVOYANT, ENTRANTS, JOINT

Row = Mapping[str, Any]

CAUSAL = tuple(name for name, entrant in ENTRANTS.items() if name != JOINT and not entrant.knows_the_future)
"""The baselines that know no more than this product."""

FIXED_CACHE = tuple(name for name in CAUSAL if ENTRANTS[name].cache is not CacheSetting.FOUND)
"""Of these, those whose cache was chosen once for all of their runs: the default, a tuned one, a tenth of it."""

UNTUNED = tuple(name for name in CAUSAL if ENTRANTS[name].cache not in (CacheSetting.TUNED, CacheSetting.TENTH))
"""Of these, those that are as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of the plan was run."""

    passes: int
    all_passes: int
    loads: int
    all_loads: int

    def __str__(self) -> str:
        part = self.loads / self.all_loads if self.all_loads else 0.0
        return f"{self.loads:,} of {self.all_loads:,} loads ({part:.0%}; {self.passes} of {self.all_passes} passes)"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The rows of all loads in which everybody's runs are finished, and no others."""

    passes: Sequence[Pass]
    finished: Callable[[Cell], bool]
    rows: Callable[[Iterable[Cell]], list[dict[str, Any]]]

    @cached_property
    def default(self) -> list[Row]:
        """Every policy as it comes."""
        return [*self.rows(_cells(Kind.DEFAULT, self._whole(Kind.DEFAULT)))]

    @cached_property
    def swept(self) -> list[Row]:
        """Every policy at all of its settings, the default among them."""
        blocks = self._whole(Kind.SWEEP)
        return [*self.rows(_cells(Kind.SWEEP, blocks)), *self.rows(_cells(Kind.DEFAULT, blocks))]

    @property
    def scenarios(self) -> list[str]:
        """Those with any whole load."""
        found = {row["scenario"] for row in self.default}
        return [name for name in catalogue.names() if name in found]

    def curves(self, scenario: str) -> dict[str, Curve]:
        """Each policy's curve in a scenario; none where it was not swept."""
        return curves(row for row in self.swept if row["scenario"] == scenario)

    def of(self, policy: str, scenario: str | None = None) -> list[Row]:
        """One policy's runs at its default."""
        own = [row for row in self.default if row["policy"] == policy]
        return own if scenario is None else [row for row in own if row["scenario"] == scenario]

    def mean(self, policy: str, scenario: str, figure: str) -> float:
        """The mean of a figure over one policy's runs in a scenario."""
        return fmean(row[figure] for row in self.of(policy, scenario))

    def lowest(self, policies: Sequence[str], scenario: str, figure: str) -> tuple[float, str]:
        """Which of some policies has the lowest mean of a figure in a scenario, and that mean."""
        return min((self.mean(policy, scenario, figure), policy) for policy in policies)

    def over_clairvoyant(self, policy: str) -> dict[tuple[str, str], float]:
        """Worker-hours over the clairvoyant's in the same run, as means by scenario and trace."""
        bound = {_load(row): row["worker_hours"] for row in self.of(CLAIRVOYANT)}
        ratios: dict[tuple[str, str], list[float]] = {}
        for row in self.of(policy):
            ratios.setdefault((row["scenario"], row["trace"]), []).append(row["worker_hours"] / bound[_load(row)])
        return {place: fmean(each) for place, each in ratios.items()}

    def share(self, kind: Kind) -> Share:
        """How much of one kind of cells is in it."""
        of_kind = [each for each in self.passes if each.kind is kind]
        whole = set(self._whole(kind))
        return Share(
            passes=sum(whole.issuperset(each.blocks) for each in of_kind),
            all_passes=len(of_kind),
            loads=len(whole),
            all_loads=sum(len(each.blocks) for each in of_kind),
        )

    def _whole(self, kind: Kind) -> list[Block]:
        kinds = (Kind.DEFAULT, kind)
        blocks = [block for each in self.passes if each.kind is kind for block in each.blocks]
        return [
            block for block in blocks if all(self.finished(cell) for each in kinds for cell in _cells(each, [block]))
        ]


def _cells(kind: Kind, blocks: Iterable[Block]) -> list[Cell]:
    return [Cell(kind=kind, group=group, block=block) for block in blocks for group in Group]


def _load(row: Row) -> tuple[str, str, int]:
    return row["scenario"], row["trace"], row["seed"]
