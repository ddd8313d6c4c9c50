"""The local target: a group of processes on this host, owned by a small detached supervisor.

What is run stands in the controller's own configuration; a fleet only names it. The target keeps nothing itself, so
any number of controllers may serve one fleet and each may be killed at any moment.
"""

import os
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from activities.targets.contract import StepTaken, TargetLook, TargetUnreachable
from activities.targets.step import Found, Intent, OwnerLives, Written, take_step
from activities.targets.supervisor.client import NoSupervisor, ask_or_start
from activities.targets.supervisor.environment import base_environment
from activities.targets.supervisor.protocol import Answer, Operation, Outcome, Place, Request, Step
from activities.targets.supervisor.wanted import Definition, Supervision, Wanted
from scaler.door import Problem
from scaler.fleet import Delivery, Fleet
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.wire.units import format_size

Reach = Callable[[Place, Request], Awaitable[Answer]]
"""How a supervisor is asked. Raises `NoSupervisor` where there is no answer."""

_DELIVERIES: Final = (Delivery.ENVIRONMENT, Delivery.FIXED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalGroup:
    """What a local target runs. Workers inherit little more than PATH and HOME: the rest is `environment`.

    The command is executed without a shell. Where it is a wrapper it should `exec` the worker, whose heartbeats
    can't be joined to it otherwise.
    """

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_limit_bytes: int | None = None  # of one worker
    supervision: Supervision = field(default_factory=Supervision)


class LocalTarget:
    """Sizes groups of local processes.

    Args:
        groups: What the controller's configuration allows to be run, by the name that a fleet gives.
        state_directory: Where each group gets a directory of its own. One for each Temporal namespace.
        owner_lives: Asked before a group changes hands.
        reach: How a supervisor is asked; by default one is started where none answers.

    """

    def __init__(
        self,
        groups: Mapping[str, LocalGroup],
        state_directory: Path,
        owner_lives: OwnerLives,
        reach: Reach = ask_or_start,
    ) -> None:
        self._groups = groups
        self._state_directory = state_directory.absolute()
        self._owner_lives = owner_lives
        self._reach = reach

    def directory(self, fleet: Fleet) -> Path:
        """Where the fleet's group keeps its state. Named by the group: two fleets that name one meet in it."""
        name = quote(fleet.target.name or "", safe="").replace(".", "%2E")
        return self._state_directory / name

    def log_directory(self, fleet: Fleet) -> Path:
        """Where the output of the fleet's workers is, and the log of their supervisor."""
        return Place(self.directory(fleet)).logs

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Hold the fleet against the controller's configuration. Starts nothing."""
        group = self._group(fleet)
        if group is None:
            return (Problem(("target", "name"), self._unknown(fleet)),)
        found = (_command_problem(group), _directory_problem(group), _memory_problem(fleet, group))
        return tuple(problem for problem in (*found, _delivery_problem(fleet)) if problem is not None)

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """Hold the plan against the record, and have it written and acted on if nobody writes in between."""
        group = self._group(fleet)
        if group is None:
            outcome = StepOutcome.NOT_ALLOWED
            applied = Applied(generation=stamp.generation, outcome=outcome, detail=self._unknown(fleet))
            return StepTaken(found=None, applied=applied)
        return await take_step(_GroupBacking(self, fleet, group), plan, stamp, self._owner_lives)

    async def look(self, fleet: Fleet) -> TargetLook:
        """Read the group; before its first plan, with what the configuration says of workers to come."""
        group = self._group(fleet)
        if group is None:
            raise TargetUnreachable(self._unknown(fleet))
        look = (await self.ask(fleet, Request(operation=Operation.LOOK))).look
        look = replace(look, clock=look.target.at)
        if look.target.version:
            return look
        definition = _definition(fleet, group)
        limit, version = definition.memory_limit_bytes, definition.version
        return replace(look, target=replace(look.target, memory_limit_bytes=limit, version=version))

    def _group(self, fleet: Fleet) -> LocalGroup | None:
        return self._groups.get(fleet.target.name) if fleet.target.name is not None else None

    def _unknown(self, fleet: Fleet) -> str:
        known = ", ".join(sorted(self._groups)) or "none"
        return f"must be a local target of the controller's configuration ({known}), found {fleet.target.name!r}"

    async def ask(self, fleet: Fleet, request: Request) -> Answer:
        """What the group's supervisor answers."""
        try:
            return await self._reach(Place(self.directory(fleet)), request)
        except NoSupervisor as silence:
            raise TargetUnreachable(str(silence)) from silence


@dataclass(frozen=True, slots=True)
class _GroupBacking:
    """A group as a step needs it: its supervisor writes and acts in one request, under its own lock."""

    target: LocalTarget
    fleet: Fleet
    group: LocalGroup

    async def read(self) -> Found:
        """What the supervisor says."""
        seen = await self.target.ask(self.fleet, Request(operation=Operation.LOOK))
        return Found(record=seen.record, desired=seen.look.target.desired, revision=seen.revision)

    async def write(self, intent: Intent) -> Written:
        """One request."""
        step = Step(
            revision=intent.found.revision,
            record=intent.record,
            wanted=_wanted(self.fleet, self.group, intent.acts),
            replace=intent.plan.replace,
            victims=intent.plan.victims,
        )
        answer = await self.target.ask(self.fleet, Request(operation=Operation.STEP, step=step))
        refused = None if answer.outcome in (Outcome.DONE, Outcome.CONFLICT) else answer.detail or "it refused"
        return Written(record=answer.record, conflict=answer.outcome is Outcome.CONFLICT, refused=refused)


def _wanted(fleet: Fleet, group: LocalGroup, record: TargetRecord | None) -> Wanted | None:
    """The levels that the record intends."""
    if record is None or record.intended is None:
        return None
    return Wanted(
        definition=_definition(fleet, group),
        workers=record.intended.workers,
        surge=record.surge,
        cache=record.intended.cache if fleet.decides_cache else None,
        drain_seconds=fleet.behaviour.drain.total_seconds(),
        supervision=group.supervision,
    )


def _definition(fleet: Fleet, group: LocalGroup) -> Definition:
    return Definition(
        command=tuple(group.command),
        directory=str(group.directory.absolute()),
        environment=dict(group.environment),
        memory_limit_bytes=min(_limits(fleet, group), default=None),
        cache_variable=fleet.cache.variable if fleet.decides_cache else None,
    )


def _limits(fleet: Fleet, group: LocalGroup) -> list[int]:
    return [limit for limit in (fleet.memory.limit, group.memory_limit_bytes) if limit is not None]


def _memory_problem(fleet: Fleet, group: LocalGroup) -> Problem | None:
    allowed, asked = group.memory_limit_bytes, fleet.memory.limit
    if allowed is None and asked is None:
        return Problem(("memory", "limit"), "is required: the controller's configuration has none for this target")
    if allowed is not None and asked is not None and asked > allowed:
        bound = f"{format_size(allowed)} ({allowed} bytes, the controller's configuration)"
        return Problem(("memory", "limit"), f"must be at most {bound}, found {asked}")
    return None


def _command_problem(group: LocalGroup) -> Problem | None:
    """A command with a slash is found from the group's directory, another one on the worker's own PATH."""
    if not group.command:
        return _misconfigured("has no command")
    program = group.command[0]
    path = (base_environment(os.environ) | dict(group.environment)).get("PATH", os.defpath)
    found = group.directory / program if os.sep in program else Path(shutil.which(program, path=path) or "")
    if found.is_file() and os.access(found, os.X_OK):
        return None
    return _misconfigured(f"has a command that can't be executed: {program}")


def _directory_problem(group: LocalGroup) -> Problem | None:
    if group.directory.is_dir():
        return None
    return _misconfigured(f"has a directory that does not exist: {group.directory}")


def _misconfigured(what: str) -> Problem:
    return Problem(("target", "name"), f"this target of the controller's configuration {what}")


def _delivery_problem(fleet: Fleet) -> Problem | None:
    if fleet.cache.delivery in _DELIVERIES:
        return None
    allowed = " or ".join(_DELIVERIES)
    return Problem(("cache", "delivery"), f"must be {allowed} for a local target, found {fleet.cache.delivery}")
