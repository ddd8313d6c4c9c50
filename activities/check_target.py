"""Holds a submitted fleet against the outside before anything is done with it."""

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from temporalio import activity

from activities.neighbours import Neighbours
from activities.requests import CHECK_TARGET, CheckTarget, FleetMemo, Verdict
from activities.schedule import is_zone
from activities.sources.contract import Source
from activities.targets.contract import Target
from scaler.door import Problem, Refused, read_fleet
from scaler.fleet import NAME_PATTERN, Fleet, TargetKind
from scaler.model.common import Claims

FIXED_FOR_LIFE = ("name", "target", "temporal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a controller serves: the fleets of one task queue, and the local targets of one host."""

    task_queue: str  # and the prefix of the fleets' workflow ids
    host: str = field(default_factory=socket.gethostname)


class TargetChecker:
    """Decides whether a fleet may run, with every reason why not."""

    def __init__(
        self,
        neighbours: Neighbours,
        targets: Mapping[TargetKind, Target],
        serving: Serving,
        signals: Source | None = None,
    ) -> None:
        self._neighbours = neighbours
        self._targets = targets
        self._id_prefix, self._host = serving.task_queue, serving.host
        self._signals = signals

    @activity.defn(name=CHECK_TARGET)
    async def check_target(self, request: CheckTarget) -> Verdict:
        """The fleet as it will be run, or every reason why not."""
        try:
            fleet = read_fleet(request.submission.value())
        except Refused as refused:
            return Verdict(problems=refused.problems)
        host = fleet.target.host or self._host if fleet.target.kind is TargetKind.LOCAL else None
        place = self._signals.place(fleet) if self._signals is not None else ""
        claims = Claims(target=fleet.target.identity(host), place=place)
        problems = [*self._identity(fleet, request), *await self._against_the_outside(fleet, claims)]
        if not any(problem.path[:1] == ("temporal",) for problem in problems):
            problems += await self._temporal(fleet)
        if problems:
            return Verdict(problems=tuple(problems))
        return Verdict(fleet=fleet, host=host, claims=claims)

    def _identity(self, fleet: Fleet, request: CheckTarget) -> list[Problem]:
        wanted = f"{self._id_prefix}/{fleet.name}"
        if request.workflow_id != wanted and not re.fullmatch(
            f"{re.escape(wanted)}/{NAME_PATTERN}", request.workflow_id
        ):
            return [Problem(("name",), f"the workflow id of this fleet must be {wanted}, found {request.workflow_id}")]
        if request.current is None:
            return []
        changed = [key for key in FIXED_FOR_LIFE if getattr(fleet, key) != getattr(request.current, key)]
        return [Problem((key,), "is fixed for life; stop the fleet and start it anew") for key in changed]

    async def _temporal(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Whether connection and namespace are there; one that is no more need not be, where it can't change anyway."""
        return await self._signals.check(fleet) if self._signals is not None else ()

    async def _against_the_outside(self, fleet: Fleet, claims: Claims) -> list[Problem]:
        target = self._targets.get(fleet.target.kind)
        if target is None:
            message = f"this controller has no {fleet.target.kind} targets in its configuration"
            return [Problem(("target", "kind"), message)]
        return [
            *await target.check(fleet),
            *_zones(fleet),
            *await self._neighbours.problems(FleetMemo.of(fleet, claims)),
        ]


def _zones(fleet: Fleet) -> Iterator[Problem]:
    for index, window in enumerate(fleet.schedule):
        if not is_zone(window.zone):
            yield Problem(("schedule", index, "zone"), f"is no time zone that this host knows, found {window.zone!r}")
