"""Every place of the core that Cosmic Ray can mutate, and a sample of mutants: a place, then one change of it.

So a `+` that has ten replacements counts as much as a number that has two. Left out is what no test should tell:
decorators and their flags, annotations (where `|` stands), and arithmetic by operators that fail on any float.
"""

import ast
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

MUTATED = ("scaler/decide.py", "scaler/claims.py", "scaler/rules/*.py", "scaler/learn/*.py", "scaler/size/*.py")
LEFT_OUT = ("RemoveDecorator", "Bit", "Shift", "Variable", "ExceptionReplacer", "_Mod", "_Pow", "_FloorDiv")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file."""

    path: str
    operator: str
    occurrence: int
    start: tuple[int, int]
    line: str

    @property
    def place(self) -> tuple[str, tuple[int, int], str]:
        """What is changed, whatever to."""
        return self.path, self.start, self.operator.split("_")[0]

    def __str__(self) -> str:
        """`scaler/claims.py:58 ReplaceComparisonOperator_Gt_GtE: if found.generation > stamp.generation:`."""
        return f"{self.path}:{self.start[0]} {self.operator.removeprefix('core/')} #{self.occurrence}: {self.line}"

    def mutated(self, source: str) -> str:
        """The whole file with the change made."""
        changed = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        if changed is None:
            raise LookupError(f"{self} is not there any more")
        return str(changed)


def all_mutants(root: Path, patterns: Iterable[str] = MUTATED) -> list[Mutant]:
    """Every mutant of these files, in a fixed order."""
    paths = sorted(path for pattern in patterns for path in root.glob(pattern) if path.name != "__init__.py")
    return [mutant for path in paths for mutant in mutants_of(path.read_text(), str(path.relative_to(root)))]


def sampled(mutants: Iterable[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many places, each as likely as the others, and one change of each."""
    chance = random.Random(seed)  # noqa: S311 (a sample, not a secret)
    ordered = sorted(mutants, key=lambda mutant: mutant.place)
    places = [list(changes) for _, changes in groupby(ordered, key=lambda mutant: mutant.place)]
    return [chance.choice(changes) for changes in chance.sample(places, min(count, len(places)))]


def mutants_of(source: str, name: str) -> Iterator[Mutant]:
    """Every mutant of one file."""
    lines, decorators = source.splitlines(), _decorator_lines(source)
    for operator in sorted(operator_names()):
        if any(part in operator for part in LEFT_OUT):
            continue
        places = _places(get_ast(source), get_operator(operator)())
        for occurrence, start in enumerate(places):
            if start[0] not in decorators:
                yield Mutant(name, operator, occurrence, start, lines[start[0] - 1].strip())


def _places(node: Any, operator: Any) -> Iterator[tuple[int, int]]:
    """Where an operator applies, in the order in which `mutate_code` counts."""
    yield from (start for start, _ in operator.mutation_positions(node))
    for child in getattr(node, "children", ()):
        yield from _places(child, operator)


def _decorator_lines(source: str) -> frozenset[int]:
    decorated = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, decorated)
        for decorator in node.decorator_list
        for line in range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1)
    )
