"""`status`: one fleet on a page, once or again and again."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from temporalio.service import RPCError, RPCStatusCode

from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleets import FleetWorkflows, fleet_workflows
from scaler.cli.options import LIVE, SHOWN, Fleets, Output
from scaler.cli.screen import Screen
from scaler.cli.status_page import status_line, status_page
from scaler.state import State

REFRESH_SECONDS = 2.0

GONE_FOR_NOW = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)

Watch = Annotated[bool, Parameter(negative="", show_default=False)]


async def status(fleet: str, /, *, watch: Watch = False, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """Show one fleet: its size and why, objectives, workers, and what is wrong.

    With --output json the whole state, under the same keys as the status query of its workflow.

    Args:
        fleet: Its name.
        watch: Refresh until Ctrl-C or until the fleet is stopped; without a terminal, a line for each decision.
        fleets: Where it runs.
        output: How the answer is written.

    """
    screen = Screen(output)
    async with fleet_workflows(fleets) as workflows:
        state = await workflows.status(fleet)
        if not watch:
            _show(screen, state)
            return
        async with aclosing(_changes(workflows, state)) as states:
            with suppress(asyncio.CancelledError):  # Ctrl-C is how a watch is meant to end
                await (_redraw if screen.live else _log)(screen, states)


def _show(screen: Screen, state: State) -> None:
    if screen.json:
        screen.document(state, State)
    else:
        screen.show(status_page(state, datetime.now(UTC)))


async def _changes(workflows: FleetWorkflows, state: State) -> AsyncGenerator[State | CommandFailed, None]:
    """The state again and again, and what keeps it from being told; ends when the fleet does."""
    name = state.fleet.name
    yield state
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        try:
            yield await workflows.status(name)
        except CommandFailed as failed:
            yield failed
            if failed.status is Exit.NOT_FOUND:
                return
        except RPCError as error:
            # A watch outlives a server that restarts; anything else that it refuses ends it.
            if error.status not in GONE_FOR_NOW:
                raise
            yield CommandFailed(Exit.UNREACHABLE, "the Temporal server gives no answer; asking again")


async def _redraw(screen: Screen, states: AsyncIterator[State | CommandFailed]) -> None:
    with screen.redrawn() as live:
        async for state in states:
            page = str(state) if isinstance(state, CommandFailed) else status_page(state, datetime.now(UTC))
            live.update(page, refresh=True)


async def _log(screen: Screen, states: AsyncIterator[State | CommandFailed]) -> None:
    last: datetime | None = None
    async for state in states:
        if isinstance(state, CommandFailed):
            screen.tell(str(state))
        elif state.decision is None or state.decision.at != last:
            last = state.decision.at if state.decision is not None else None
            if screen.json:
                screen.document(state, State, indent=None)
            else:
                screen.lines([status_line(state, datetime.now(UTC))])
