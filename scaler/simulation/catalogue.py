"""Scenarios by name or from a file, read strictly; every mistake comes with its place and what is allowed."""

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from scaler.door import Path as KeyPath
from scaler.door import Problem, Refused, read_declared
from scaler.fleet import Behaviour, Fleet, Target, TargetKind, TaskQueue, Workers
from scaler.fleet import Slots as DeclaredSlots
from scaler.model.common import TaskType
from scaler.simulation.scenario import Scenario

QUEUE: Final = "simulated"
"""The one task queue of a simulated fleet."""

_SHIPPED: Final = resources.files("scaler.simulation") / "scenarios"


def names() -> tuple[str, ...]:
    """The scenarios that come with the product."""
    files = (entry.name for entry in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml")))


def named(name: str) -> Scenario:
    """A scenario that comes with the product; `Refused` where there is none of that name."""
    if name not in names():
        raise Refused((Problem(("scenario",), f"must be a file or one of {', '.join(names())}, found {name!r}"),))
    return read_scenario(_SHIPPED.joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


def from_file(path: Path) -> Scenario:
    """A scenario of one's own; `Refused` with every mistake in it."""
    try:
        return read_scenario(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused((Problem((), f"{path} can't be read: {error.strerror}"),)) from None


def read_scenario(text: str) -> Scenario:
    """Read YAML strictly, cross-field checks included."""
    try:
        raw = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise Refused((Problem((), f"is not YAML: {error}"),)) from None
    return declared(raw)


def declared(raw: Any) -> Scenario:
    """Take in what a file says; `Refused` with every mistake in it."""
    scenario = _read(raw)
    problems = tuple(Problem(path, message) for check in _CHECKS for path, message in check(scenario))
    if problems:
        raise Refused(problems)
    return scenario


def fleet_of(scenario: Scenario) -> Fleet:
    """What the owner of these workers would declare: bounds, slots and the objective, and no tuning."""
    platform = scenario.platform
    return Fleet(
        name=scenario.name,
        target=Target(kind=TargetKind.LOCAL, name=scenario.name),
        task_queues=(TaskQueue(name=QUEUE, types=task_types(scenario)),),
        workers=Workers(
            min=platform.workers.min,
            max=platform.workers.max,
            slots=DeclaredSlots(workflow=platform.slots.workflow, activity=platform.slots.activity),
            price=platform.price,
        ),
        objective=scenario.objective,
        behaviour=Behaviour(drain=platform.drain),
    )


def task_types(scenario: Scenario) -> tuple[TaskType, ...]:
    """What the workers poll for."""
    both = (TaskType.WORKFLOW, TaskType.ACTIVITY)
    return both if scenario.workload.turn.activities else both[:1]


def _read(raw: Any) -> Scenario:
    try:
        return read_declared(Scenario, raw)
    except Refused as refused:
        raise Refused(tuple(map(_about_scenarios, refused.problems))) from None


def _about_scenarios(problem: Problem) -> Problem:
    """An unknown key of a scenario is not to be looked up in the schema of fleets."""
    unknown = problem.message.startswith("no such key")
    return Problem(problem.path, "no such key; see docs/simulation.md") if unknown else problem


Findings = Iterator[tuple[KeyPath, str]]


def _turn(scenario: Scenario) -> Findings:
    turn = scenario.workload.turn
    if turn.activities == 0 and turn.workflow_tasks != 1:
        yield (
            ("workload", "turn", "workflow_tasks"),
            f"must be 1 where a turn has no activities, found {turn.workflow_tasks}",
        )
    if turn.activities and not 1 < turn.workflow_tasks <= turn.activities + 1:
        allowed = f"2 to {turn.activities + 1}: one before, one after and at most one between any two activities"
        yield ("workload", "turn", "workflow_tasks"), f"must be {allowed}, found {turn.workflow_tasks}"


def _bounds(scenario: Scenario) -> Findings:
    workers, start = scenario.platform.workers, scenario.start.workers
    if workers.min > workers.max:
        yield ("platform", "workers", "min"), f"must be at most max ({workers.max}), found {workers.min}"
    if not workers.min <= start <= workers.max:
        yield ("start", "workers"), f"must be within platform.workers ({workers.min} to {workers.max}), found {start}"
    if scenario.platform.memory.base >= scenario.platform.memory.limit:
        yield ("platform", "memory", "base"), "must be below the limit: no worker could start"


def _times(scenario: Scenario) -> Findings:
    if scenario.warm_up >= scenario.duration:
        yield ("warm_up",), "must be shorter than duration: nothing would be scored"


_CHECKS: tuple[Callable[[Scenario], Findings], ...] = (_turn, _bounds, _times)
