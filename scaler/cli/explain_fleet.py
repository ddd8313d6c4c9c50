"""`explain`: why a fleet is the size it is, in words."""

from dataclasses import dataclass

from rich.text import Text

from scaler.cli.fleets import fleet_workflows
from scaler.cli.options import LIVE, SHOWN, Fleets, Output
from scaler.cli.screen import Screen
from scaler.model.decision import Decision
from scaler.words.explain import explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The words, and what they are about."""

    name: str
    explanation: str
    decision: Decision | None


async def explain_fleet(fleet: str, /, *, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """Say why a fleet is the size it is, and what would change it.

    Args:
        fleet: Its name.
        fleets: Where it runs.
        output: How the answer is written.

    """
    screen = Screen(output)
    async with fleet_workflows(fleets) as workflows:
        state = await workflows.status(fleet)
    text = explain(state)
    if screen.json:
        screen.document(Explanation(name=fleet, explanation=text, decision=state.decision), Explanation)
    else:
        screen.show(Text(text))
