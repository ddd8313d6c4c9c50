"""Holds a submitted fleet against the outside before anything is done with it."""

import re
import socket
from collections.abc import Iterator, Mapping

from temporalio import activity
from temporalio.client import Client

from activities.requests import CHECK_TARGET, CheckTarget, FleetMemo, Verdict
from activities.running_fleets import RunningFleets
from activities.schedule import is_zone
from activities.targets.contract import Target
from scaler.door import Problem, Refused, read_fleet
from scaler.fleet import NAME_PATTERN, Fleet, TargetKind

FIXED_FOR_LIFE = ("name", "target", "temporal")


class TargetChecker:
    """Decides whether a fleet may run, with every reason why not."""

    def __init__(self, client: Client, targets: Mapping[TargetKind, Target], id_prefix: str) -> None:
        self._running = RunningFleets(client)
        self._targets = targets
        self._id_prefix = id_prefix

    @activity.defn(name=CHECK_TARGET)
    async def check_target(self, request: CheckTarget) -> Verdict:
        """The fleet as it will be run, or every reason why not."""
        try:
            fleet = read_fleet(request.submission.value())
        except Refused as refused:
            return Verdict(problems=refused.problems)
        problems = [*self._identity(fleet, request), *await self._against_the_outside(fleet)]
        if problems:
            return Verdict(problems=tuple(problems))
        host = fleet.target.host or socket.gethostname() if fleet.target.kind is TargetKind.LOCAL else None
        return Verdict(fleet=fleet, host=host)

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

    async def _against_the_outside(self, fleet: Fleet) -> list[Problem]:
        target = self._targets.get(fleet.target.kind)
        if target is None:
            message = f"this controller has no {fleet.target.kind} targets in its configuration"
            return [Problem(("target", "kind"), message)]
        return [*await target.check(fleet), *_zones(fleet), *await self._beside_other_fleets(fleet)]

    async def _beside_other_fleets(self, fleet: Fleet) -> list[Problem]:
        """Two fleets on one queue would each count the whole of its load, unless both say what part is theirs."""
        problems: list[Problem] = []
        for other in await self._running.read():
            if other.workflow_id.startswith(f"{self._id_prefix}/") and other.memo.name != fleet.name:
                problems += _collisions(fleet, other.memo)
        return problems


def _zones(fleet: Fleet) -> Iterator[Problem]:
    for index, window in enumerate(fleet.schedule):
        if not is_zone(window.zone):
            yield Problem(("schedule", index, "zone"), f"is no time zone that this host knows, found {window.zone!r}")


def _collisions(fleet: Fleet, other: FleetMemo) -> Iterator[Problem]:
    if fleet.target == other.target:
        yield Problem(("target",), f"is scaled by fleet {other.name} already")
    if fleet.temporal != other.temporal:
        return
    theirs = {queue.name: queue for queue in other.task_queues}
    for index, queue in enumerate(fleet.task_queues):
        shared = theirs.get(queue.name)
        if shared is None or not set(queue.types) & set(shared.types):
            continue
        if queue.share is None or shared.share is None:
            message = f"{queue.name} is polled by fleet {other.name} too; both must declare their share"
            yield Problem(("task_queues", index, "share"), message)
