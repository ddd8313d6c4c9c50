"""`list`: all running fleets of a namespace, each in a line."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rich.console import RenderableType
from rich.text import Text

from scaler.cli import words
from scaler.cli.exits import CommandFailed
from scaler.cli.fleets import FleetWorkflows, RunningFleet, fleet_workflows
from scaler.cli.options import LIVE, SHOWN, Fleets, Output
from scaler.cli.screen import Screen
from scaler.cli.status_page import backlog_tasks, oldest_seconds
from scaler.cli.tables import ALARM, QUIET, add_row, mode_style, plain_table
from scaler.model.common import Size
from scaler.model.decision import Constraint, Mode, Reason
from scaler.state import State

ASKED_AT_ONCE = 20
PATIENCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFleet:
    """One fleet in short; all but its names are null while it gives no answer."""

    name: str
    workflow_id: str
    problem: str | None = None
    mode: Mode | None = None
    size: Size | None = None
    ready: int | None = None
    backlog_tasks: int | None = None
    backlog_age_seconds: float | None = None
    workers_bound: Constraint | None = None
    cache_bound: Constraint | None = None
    reasons: tuple[Reason, ...] = ()
    decided_at: datetime | None = None
    observed_at: datetime | None = None


async def list_fleets(*, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """List the running fleets of the namespace.

    Each is asked for its state. One that gives no answer is listed all the same, with the reason.

    Args:
        fleets: Which ones.
        output: How the answer is written.

    """
    screen = Screen(output)
    async with fleet_workflows(fleets, PATIENCE) as workflows:
        found = await _all_listed(workflows)
    if screen.json:
        screen.document(found, Sequence[ListedFleet])
    elif found:
        screen.show(fleet_table(found, datetime.now(UTC)))
    else:
        screen.tell(f"No fleet runs in namespace {workflows.namespace}. Start one with: temporal-scaler apply -f")


def fleet_table(fleets: Sequence[ListedFleet], now: datetime) -> RenderableType:
    """All fleets, those in trouble marked."""
    table = plain_table("FLEET~", "MODE", "WORKERS>", "CACHE>", "BACKLOG>", "OLDEST>", "DECIDED>", "WHY~")
    for fleet in fleets:
        if fleet.mode is None:
            unknown = [Text(words.MISSING, style=QUIET)] * 5
            add_row(table, (fleet.name, Text("no answer", style=ALARM), *unknown, words.first_line(fleet.problem)))
            continue
        size = fleet.size
        cells = (
            fleet.name,
            Text(words.spoken(fleet.mode), style=mode_style(fleet.mode)),
            f"{words.number(fleet.ready)}/{words.number(size.workers if size is not None else None)}",
            words.number(size.cache if size is not None else None),
            words.number(fleet.backlog_tasks),
            words.span(fleet.backlog_age_seconds),
            words.ago(fleet.decided_at, now),
            ", ".join(map(words.spoken, fleet.reasons)) or _bounds(fleet),
        )
        add_row(table, cells)
    return table


def _bounds(fleet: ListedFleet) -> str:
    """What its numbers follow, where nothing out of the ordinary took part."""
    bounds = [bound for bound in (fleet.workers_bound, fleet.cache_bound) if bound is not None]
    return ", ".join(dict.fromkeys(map(words.spoken, bounds)))


async def _all_listed(workflows: FleetWorkflows) -> list[ListedFleet]:
    running = sorted([fleet async for fleet in workflows.running()], key=lambda fleet: fleet.name)
    asking = asyncio.Semaphore(ASKED_AT_ONCE)

    async def ask(fleet: RunningFleet) -> ListedFleet:
        async with asking:
            try:
                return listed(fleet, await workflows.status(fleet.name))
            except CommandFailed as failed:
                return ListedFleet(name=fleet.name, workflow_id=fleet.workflow_id, problem=str(failed))

    return await asyncio.gather(*map(ask, running))


def listed(fleet: RunningFleet, state: State) -> ListedFleet:
    """A fleet's state in short."""
    decision, seen = state.decision, state.observation
    short = ListedFleet(name=fleet.name, workflow_id=fleet.workflow_id)
    if decision is None or seen is None:
        return replace(short, problem="it looks at its target for the first time")
    return replace(
        short,
        mode=decision.mode,
        size=decision.size,
        ready=seen.ready_count,
        backlog_tasks=backlog_tasks(seen),
        backlog_age_seconds=oldest_seconds(seen),
        workers_bound=decision.workers_bound,
        cache_bound=decision.cache_bound,
        reasons=decision.reasons,
        decided_at=decision.at,
        observed_at=seen.observed_at,
    )
