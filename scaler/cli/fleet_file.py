"""Fleets as people declare them: YAML or JSON, one per file or several under `fleets:`. Offline: the door only."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from scaler.cli.declared_file import DeclaredFile, FileRefused, Mistake, read_declared_file
from scaler.cli.schemas import keys_at
from scaler.door import MAX_FLEET_BYTES, Problem, Refused, read_fleet
from scaler.door import Path as KeyPath
from scaler.fleet import Fleet

FLEETS = "fleets"


@dataclass(frozen=True, slots=True)
class DeclaredFleet:
    """A fleet that passed the door, and the very words it was declared in: they are the workflow's input."""

    fleet: Fleet
    declared: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The fleet's name."""
        return self.fleet.name


def read_fleets(files: Sequence[Path]) -> tuple[DeclaredFleet, ...]:
    """All fleets of all files; raise `FileRefused` with every mistake in any of them."""
    mistakes: list[Mistake] = []
    found: list[tuple[DeclaredFleet, Mistake]] = []
    for file in files:
        try:
            document = read_declared_file(file)
            found += _read(document)
        except FileRefused as refused:
            mistakes += sorted(refused.mistakes, key=lambda mistake: mistake.line)
    mistakes += _declared_twice(found)
    if mistakes:
        raise FileRefused(mistakes)
    return tuple(fleet for fleet, _ in found)


def _read(document: DeclaredFile) -> list[tuple[DeclaredFleet, Mistake]]:
    """The fleets of one file, each with what to say should its name be taken."""
    mistakes: list[Mistake] = []
    found = []
    for path, raw in _fleets_of(document, mistakes):
        try:
            fleet = DeclaredFleet(_through_the_door(raw), raw)
        except Refused as refused:
            mistakes += (document.mistake(clearer(Fleet, problem), path) for problem in refused.problems)
            continue
        found.append((fleet, document.mistake(Problem(("name",), "is declared twice"), path)))
    if mistakes:
        raise FileRefused(mistakes)
    return found


def clearer(model: type[BaseModel], problem: Problem) -> Problem:
    """A key that does not exist is answered with those that do."""
    if not problem.message.startswith("no such key"):
        return problem
    allowed = ", ".join(keys_at(model, problem.path[:-1]))
    return replace(problem, message=f"no such key; allowed here: {allowed}") if allowed else problem


def _fleets_of(document: DeclaredFile, mistakes: list[Mistake]) -> Iterator[tuple[KeyPath, Any]]:
    """Each declaration with its place in the file."""
    value = document.value
    if not isinstance(value, dict) or FLEETS not in value:
        yield (), value
        return
    mistakes += (
        document.mistake(Problem((key,), f"no such key beside {FLEETS}; allowed here: {FLEETS}"))
        for key in value
        if key != FLEETS
    )
    if not isinstance(value[FLEETS], list) or not value[FLEETS]:
        mistakes.append(document.mistake(Problem((FLEETS,), "must be a list with at least one fleet")))
        return
    yield from (((FLEETS, index), raw) for index, raw in enumerate(value[FLEETS]))


def _through_the_door(raw: Any) -> Fleet:
    size = len(json.dumps(raw))
    if size > MAX_FLEET_BYTES:
        raise Refused((Problem((), f"must be at most {MAX_FLEET_BYTES} bytes as JSON, found {size}"),))
    return read_fleet(raw)


def _declared_twice(found: Sequence[tuple[DeclaredFleet, Mistake]]) -> Iterator[Mistake]:
    names: dict[str, Mistake] = {}
    for fleet, place in found:
        first = names.setdefault(fleet.name, place)
        if first is not place:
            yield replace(place, message=f"{fleet.name} is declared twice, first in {first.file}:{first.line}")
