"""Reads what comes from outside strictly: every mistake with its place, what was found and what is allowed.

Pure. What passes here is never validated again; see `scaler.wire.bounds`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from scaler.fleet import Delivery, Fleet, TargetKind
from scaler.model.common import TaskType
from scaler.wire.bounds import AT_THE_DOOR

MAX_FLEET_BYTES = 64 * 1024
LONGEST_SHOWN = 60
MOST_QUEUES = 64
"""Each costs two calls in every round of a controller that serves many fleets."""

NO_SUCH_KEY = "no such key"

_SHAPES = {
    "model_type": "must be an object such as {name: …}",
    "model_attributes_type": "must be an object such as {name: …}",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "time_delta_type": "must be a duration such as 30s, 5m or 1h30m",
    "time_delta_parsing": "must be a duration such as 30s, 5m or 1h30m",
}
"""What pydantic calls valid arrays, objects and durations, in the words of whoever writes YAML."""

Path = tuple[str | int, ...]
Declared = TypeVar("Declared", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is, and what was found and is allowed there."""

    path: Path
    message: str

    def __str__(self) -> str:
        """`workers.max: must be at least 1, found 0`."""
        return f"{key_path(self.path)}: {self.message}" if self.path else self.message


class Refused(Exception):  # noqa: N818 (it names what happened, not whose class it is)
    """What came from outside can't be taken; nothing was changed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What came through the door, unread: how many payloads, and the text of the only one if it is JSON."""

    payloads: int
    json: str | None = None
    fault: str | None = None  # why there is no text

    def value(self) -> Any:
        """The JSON value; `Refused` where there is none."""
        if self.json is None:
            raise Refused((Problem((), f"the input {self.fault}"),))
        try:
            return json.loads(self.json)
        except (ValueError, RecursionError) as error:
            raise Refused((Problem((), f"the input is not JSON: {error}"),)) from None


def key_path(path: Path) -> str:
    """`("task_queues", 0, "name")` as a person writes it: `task_queues[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_declared(model: type[Declared], raw: Any) -> Declared:
    """Read one declaration strictly; raise `Refused` with every mistake in it."""
    try:
        return model.model_validate_json(json.dumps(raw), strict=True, extra="forbid", context=AT_THE_DOOR)
    except ValidationError as error:
        raise Refused(tuple(_problems(error))) from None


def read_fleet(raw: Any) -> Fleet:
    """Read a fleet strictly, cross-field checks included; raise `Refused` with every mistake in it."""
    refused: tuple[Problem, ...] = ()
    try:
        fleet = read_declared(Fleet, raw)
    except Refused as error:
        known = _without_unknown_keys(raw, error)
        if known is None:
            raise
        fleet, refused = known, error.problems
    found = tuple(Problem(path, message) for check in _CROSS_CHECKS for path, message in check(fleet))
    if problems := (*refused, *found):
        raise Refused(problems)
    return fleet


def _without_unknown_keys(raw: Any, refused: Refused) -> Fleet | None:
    """The fleet as far as its keys are known, where nothing else is wrong: what contradicts itself is told as well."""
    if not all(problem.message.startswith(NO_SUCH_KEY) for problem in refused.problems):
        return None
    return Fleet.model_validate_json(json.dumps(raw), strict=True, context=AT_THE_DOOR)


def _problems(error: ValidationError) -> Iterator[Problem]:
    for found in error.errors(include_url=False):
        yield Problem(found["loc"], _message(found["type"], found["msg"], found["input"]))


def _message(kind: str, message: str, found: Any) -> str:
    if kind == "extra_forbidden":
        return f"{NO_SUCH_KEY}; see docs/fleet.md"
    if kind == "missing":
        return "is required"
    plain = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{_SHAPES.get(kind, plain)}, found {_shown(found)}"


def _shown(found: Any) -> str:
    text = json.dumps(found, default=str)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


Findings = Iterator[tuple[Path, str]]


def _orders(fleet: Fleet) -> Findings:
    if fleet.workers.min > fleet.workers.max:
        yield (
            ("workers", "min"),
            f"must be at most workers.max ({fleet.workers.max}), found {fleet.workers.min}",
        )
    if fleet.cache.min > fleet.cache.max:
        yield ("cache", "min"), f"must be at most cache.max ({fleet.cache.max}), found {fleet.cache.min}"
    for index, window in enumerate(fleet.schedule):
        if window.min > fleet.workers.max:
            yield (
                ("schedule", index, "min"),
                f"must be at most workers.max ({fleet.workers.max}), found {window.min}",
            )


def _queues(fleet: Fleet) -> Findings:
    if not fleet.task_queues:
        yield ("task_queues",), "needs at least one task queue"
    if len(fleet.task_queues) > MOST_QUEUES:
        yield ("task_queues",), f"must be at most {MOST_QUEUES} queues, found {len(fleet.task_queues)}"
    names = [queue.name for queue in fleet.task_queues]
    for index, queue in enumerate(fleet.task_queues):
        if not queue.name:
            yield ("task_queues", index, "name"), "must not be empty"
        if queue.name in names[:index]:
            yield ("task_queues", index, "name"), f"{queue.name!r} is listed twice"
        if not queue.types:
            yield ("task_queues", index, "types"), "needs workflow, activity or both"


def _objectives(fleet: Fleet) -> Findings:
    for name, task_type in (("workflow_task", TaskType.WORKFLOW), ("activity", TaskType.ACTIVITY)):
        if name in fleet.objective.model_fields_set and not fleet.polls(task_type):
            yield ("objective", name), f"no task queue of this fleet is polled for {task_type} tasks"


def _delivery(fleet: Fleet) -> Findings:
    needed = {Delivery.FILE: "path", Delivery.CONFIGMAP: "configmap"}
    for delivery, key in needed.items():
        if (getattr(fleet.cache, key) is not None) != (fleet.cache.delivery is delivery):
            state = "is required" if fleet.cache.delivery is delivery else "is not allowed"
            yield ("cache", key), f"{state} with delivery: {fleet.cache.delivery}"


def _target(fleet: Fleet) -> Findings:
    target = fleet.target
    if (target.name is None) == (target.selector is None):
        yield ("target",), "needs either a name or a selector"
    only_for = {
        "selector": (TargetKind.KUBERNETES,),
        "namespace": (TargetKind.KUBERNETES, TargetKind.CLOUD_RUN),
        "container": (TargetKind.KUBERNETES, TargetKind.CLOUD_RUN),
        "host": (TargetKind.LOCAL,),
    }
    for key, kinds in only_for.items():
        if getattr(target, key) is not None and target.kind not in kinds:
            yield ("target", key), f"is not allowed for kind: {target.kind}"


def _limits(fleet: Fleet) -> Findings:
    limits = fleet.limits
    if limits is not None and limits.per_worker * fleet.workers.min > limits.connections:
        needed = limits.per_worker * fleet.workers.min
        yield ("limits", "connections"), f"workers.min alone takes {needed}, found {limits.connections}"


_CROSS_CHECKS: tuple[Callable[[Fleet], Findings], ...] = (
    _orders,
    _queues,
    _objectives,
    _delivery,
    _target,
    _limits,
)
