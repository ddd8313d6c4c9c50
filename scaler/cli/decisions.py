"""`decisions`: what was decided lately, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.text import Text

from scaler.cli import words
from scaler.cli.fleets import fleet_workflows
from scaler.cli.options import LIVE, SHOWN, Fleets, Output
from scaler.cli.screen import Screen
from scaler.cli.tables import add_row, mode_style, plain_table
from scaler.model.decision import DecisionSummary


async def decisions(fleet: str, /, *, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """Show the newest decisions that differ, the oldest first.

    All of them are in the history of the fleet's workflow.

    Args:
        fleet: Its name.
        fleets: Where it runs.
        output: How the answer is written.

    """
    screen = Screen(output)
    async with fleet_workflows(fleets) as workflows:
        log = await workflows.decisions(fleet)
    if screen.json:
        screen.document(log, tuple[DecisionSummary, ...])
    elif log:
        screen.show(decision_table(log, datetime.now(UTC)))
    else:
        screen.tell(f"Nothing was decided for {fleet} yet.")


def decision_table(log: Sequence[DecisionSummary], now: datetime) -> RenderableType:
    """One line for each; equal ones in a row are counted."""
    table = plain_table("FIRST DECIDED", "TICKS>", "MODE", "WORKERS>", "CACHE>", "STEP", "BOUND BY~", "REASONS~")
    for decision in log:
        size = decision.size
        cells = (
            words.moment(decision.at, now),
            str(decision.repeated),
            Text(words.spoken(decision.mode), style=mode_style(decision.mode)),
            words.number(size.workers if size is not None else None),
            words.number(size.cache if size is not None else None),
            words.spoken(decision.step),
            f"{words.spoken(decision.workers_bound)} / {words.spoken(decision.cache_bound)}",
            ", ".join(map(words.spoken, decision.reasons)) or words.MISSING,
        )
        add_row(table, cells)
    return table
