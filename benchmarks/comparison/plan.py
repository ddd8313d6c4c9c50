"""What is run in which order: passes, each with every scenario once, so that any first part of them is balanced."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.comparison.cells import OWN, Block, Cell, Group, Kind, named
from scaler.simulation import catalogue

TRAINING: Final = ("azure-conversation", "mooncake-conversation", "worldcup", "aws-elb", "servegen-m-mid")
"""The traces of the benchmark; others are for `temporal-scaler simulate --trace`."""

SEEDS: Final = 10
TUNING_SEEDS: Final = (101, 102)
"""Never scored."""

SWEEP_EVERY: Final = 10
"""After so many passes with every policy as it comes there is one with the curves; the first comes after the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Every scenario once, each under another trace."""

    kind: Kind
    blocks: tuple[Block, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All work of it."""
        groups = (Group.OTHERS,) if self.kind is Kind.TUNING else tuple(Group)
        return tuple(Cell(kind=self.kind, group=group, block=block) for block in self.blocks for group in groups)


def tuning(traces: Sequence[str]) -> Pass:
    """Where fixed caches are tuned: two loads of each scenario."""
    blocks = tuple(
        Block(scenario=name, trace=traces[seed % len(traces)] if traces and _takes_trace(name) else OWN, seed=seed)
        for seed in TUNING_SEEDS
        for name in catalogue.names()
    )
    return Pass(kind=Kind.TUNING, blocks=blocks)


def passes(traces: Sequence[str]) -> Iterator[Pass]:
    """All that is scored. Every scenario that takes traces comes to each of them, and to its own arrivals, equally."""
    worlds = (OWN, *traces)
    for number in range(SEEDS * len(worlds)):
        yield Pass(kind=Kind.DEFAULT, blocks=_blocks(worlds, number))
        swept, remainder = divmod(number, SWEEP_EVERY)
        if not remainder and swept < len(worlds):
            yield Pass(kind=Kind.SWEEP, blocks=_blocks(worlds, swept))


def _blocks(worlds: Sequence[str], number: int) -> tuple[Block, ...]:
    """The loads of a pass; a scenario without traces has had all of its seeds after the first passes."""
    taking = [name for name in catalogue.names() if _takes_trace(name)]
    others = [name for name in catalogue.names() if name not in taking] if number < SEEDS else []
    seed = number // len(worlds) + 1
    return (
        *(Block(scenario=name, trace=OWN, seed=number + 1) for name in others),
        *(
            Block(scenario=name, trace=worlds[(place + number) % len(worlds)], seed=seed)
            for place, name in enumerate(taking)
        ),
    )


def _takes_trace(name: str) -> bool:
    return named(name).takes_trace
