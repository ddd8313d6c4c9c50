"""`stop`: gives a fleet up, its workers as they are or gone."""

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleets import CONFIRM_TIME, fleet_workflows
from scaler.cli.options import LIVE, SHOWN, Fleets, Output
from scaler.cli.screen import Screen
from scaler.state import State
from scaler.wire.units import format_duration
from workflows.messages import StopRequest

Drain = Annotated[bool, Parameter(negative="", show_default=False)]


async def stop(fleet: str, /, *, drain: Drain = False, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """Give a fleet up. Its workers stay as they are; with --drain they finish their tasks and go first.

    Args:
        fleet: Its name.
        drain: Take all workers away first, each with the drain time that the fleet declares.
        fleets: Where it runs.
        output: How the answer is written.

    """
    screen = Screen(output)
    async with fleet_workflows(fleets) as workflows:
        patience = CONFIRM_TIME
        if drain:
            patience += _drain_time(await workflows.status(fleet))
            screen.tell(f"Draining {fleet}; this takes up to {format_duration(patience)}.")
        state = await workflows.update(fleet, "stop", StopRequest(drain=drain), patience)
    if screen.json:
        screen.document(state, State)
    elif drain:
        screen.lines([f"{fleet} is stopped; all its workers are gone."])
    else:
        screen.lines([f"{fleet} is stopped; {_left(state)}."])


def _drain_time(state: State) -> timedelta:
    """How long its workers may take; a paused fleet would wait until somebody resumes it."""
    name = state.fleet.name
    if state.memory.operator.pause is not None:
        raise CommandFailed(
            Exit.REFUSED,
            f"fleet {name} is paused, so none of its workers may go",
            f"Resume it first: temporal-scaler resume {name}. Without --drain it can be stopped as it is.",
        )
    return state.fleet.behaviour.drain


def _left(state: State) -> str:
    count = sum(total.workers for total in state.observation.totals) if state.observation is not None else None
    match count:
        case None:
            return "its workers are as they were"
        case 0:
            return "it had no workers"
        case 1:
            return "its worker goes on"
        case _:
            return f"its {count} workers go on"
