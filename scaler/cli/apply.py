"""`apply`: starts fleets, or changes the declaration of those that run."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleet_file import DeclaredFleet, read_fleets
from scaler.cli.fleets import FleetWorkflows, fleet_workflows
from scaler.cli.options import LIVE, SHOWN, Fleets, Output
from scaler.cli.screen import Screen
from scaler.cli.validate import Files

_ATTEMPTS = 3
"""A fleet may end between the try to start it and the update; then it is started after all."""


class Outcome(StrEnum):
    """What became of one fleet."""

    STARTED = "started"
    APPLIED = "applied"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One fleet and what became of it."""

    name: str
    workflow_id: str
    outcome: Outcome
    error: str | None = None
    status: Exit = Exit.OK


async def apply(*, file: Files, fleets: Fleets = LIVE, output: Output = SHOWN) -> Exit:
    """Start the declared fleets; those that run get the new declaration.

    Nothing is sent unless all files are good. Returns once a controller has looked at each fleet: a refusal comes
    back with its reasons, and a refused change leaves the fleet as it was.

    Args:
        file: A file with one fleet, or several under fleets; may be repeated, and - reads standard input.
        fleets: Where they run.
        output: How the answer is written.

    """
    declared = read_fleets(file)
    screen = Screen(output)
    async with fleet_workflows(fleets) as workflows:
        outcomes = [await _apply(workflows, fleet) for fleet in declared]
    _show(screen, outcomes)
    return next((each.status for each in outcomes if each.status is not Exit.OK), Exit.OK)


async def _apply(workflows: FleetWorkflows, fleet: DeclaredFleet) -> Applied:
    workflow_id = workflows.workflow_id(fleet.name)
    try:
        outcome = await _start_or_change(workflows, fleet)
    except CommandFailed as failed:
        return Applied(
            name=fleet.name,
            workflow_id=workflow_id,
            outcome=Outcome.FAILED,
            error=str(failed),
            status=failed.status,
        )
    return Applied(name=fleet.name, workflow_id=workflow_id, outcome=outcome)


async def _start_or_change(workflows: FleetWorkflows, fleet: DeclaredFleet) -> Outcome:
    for attempt in range(1, _ATTEMPTS + 1):
        if await workflows.start(fleet.name, fleet.declared):
            await workflows.taken_in(fleet.name)
            return Outcome.STARTED
        try:
            await workflows.update(fleet.name, "apply", fleet.declared)
        except CommandFailed as failed:
            if failed.status is not Exit.NOT_FOUND or attempt == _ATTEMPTS:
                raise
        else:
            return Outcome.APPLIED
    raise CommandFailed(Exit.UNCONFIRMED, f"fleet {fleet.name} keeps ending while it is applied")


def _show(screen: Screen, outcomes: Sequence[Applied]) -> None:
    if screen.json:
        screen.document(outcomes, Sequence[Applied])
        return
    for each in outcomes:
        if each.error is None:
            screen.lines([f"{each.name}: {each.outcome} ({each.workflow_id})"])
        else:
            screen.tell(each.error, style="red")
