"""`pause`, `resume` and `override`: an operator's hand on a fleet."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from scaler.cli import words
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.fleets import fleet_workflows
from scaler.cli.options import LIVE, SHOWN, Duration, Fleets, Output
from scaler.cli.screen import Screen
from scaler.state import State
from workflows.messages import Nothing, OverrideRequest, PauseRequest


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Pausing:
    """Why, and for how long."""

    reason: str
    """Shown to everybody who looks at the fleet."""
    length: Annotated[Duration | None, Parameter(name="--for")] = None
    """When it resumes by itself; default: when somebody says so."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Overriding:
    """The size to go to, why, and for how long."""

    workers: int | None = None
    """How many workers; default: as the load asks."""
    cache: int | None = None
    """How many workflows each cache holds; default: as decided."""
    length: Annotated[Duration | None, Parameter(name="--for")] = None
    """When it ends by itself; needed."""
    reason: str | None = None
    """Shown to everybody who looks at the fleet; needed."""
    clear: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """End the override that is in force."""

    def request(self) -> OverrideRequest:
        """What is asked of the fleet."""
        if self.workers is None and self.cache is None:
            raise CommandFailed(Exit.USAGE, "override needs --workers, --cache or both; or --clear, which ends one")
        if self.length is None or self.reason is None:
            raise CommandFailed(
                Exit.USAGE, "override needs --for and --reason", "So that it ends, and others know why."
            )
        return OverrideRequest(reason=self.reason, duration=self.length, workers=self.workers, cache=self.cache)


UNSAID = Overriding()


async def pause(fleet: str, /, *, pausing: Pausing, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """Leave a fleet's size alone, even in an emergency.

    Returns once no older decision can reach the target any more.

    Args:
        fleet: Its name.
        pausing: Why and for how long.
        fleets: Where it runs.
        output: How the answer is written.

    """
    request = PauseRequest(reason=pausing.reason, duration=pausing.length)
    state = await _asked(fleet, "pause", request, fleets)
    held = state.memory.operator.pause
    now = datetime.now(UTC)
    until = f"until {words.left(held.until, now)}" if held is not None and held.until is not None else "until resumed"
    _show(Screen(output), state, f"{fleet} is paused {until}. No size changes, not even in an emergency.")


async def resume(fleet: str, /, *, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """End a pause, and a hold for a size that somebody else set.

    Args:
        fleet: Its name.
        fleets: Where it runs.
        output: How the answer is written.

    """
    state = await _asked(fleet, "resume", Nothing(), fleets)
    _show(Screen(output), state, f"{fleet} is resumed.")


async def override(fleet: str, /, *, size: Overriding = UNSAID, fleets: Fleets = LIVE, output: Output = SHOWN) -> None:
    """Name the size that a fleet goes to for a while.

    Bounds and memory safety still hold, an emergency outranks it, and the way there is as careful as ever.

    Args:
        fleet: Its name.
        size: The size, why, and for how long.
        fleets: Where it runs.
        output: How the answer is written.

    """
    if size.clear:
        state = await _asked(fleet, "clear_override", Nothing(), fleets)
        _show(Screen(output), state, f"{fleet} is sized by its load again.")
        return
    state = await _asked(fleet, "override", size.request(), fleets)
    _show(Screen(output), state, _overridden(state, size))


def _overridden(state: State, asked: Overriding) -> str:
    """What is in force, and what the rules made of it."""
    held, decision = state.memory.operator.override, state.decision
    until = words.left(held.until, datetime.now(UTC)) if held is not None else words.MISSING
    text = f"{state.fleet.name} is overridden until {until}."
    if decision is None or decision.size is None:
        return text
    differs = (
        ("Workers", asked.workers, decision.size.workers, decision.workers_bound),
        ("Cache", asked.cache, decision.size.cache, decision.cache_bound),
    )
    for name, wanted, decided, bound in differs:
        if wanted is not None and decided != wanted:
            text += f"\n{name}: {words.number(decided)} for now, not {wanted}, bound by {words.spoken(bound)}."
    return text


async def _asked(fleet: str, update: str, request: Nothing | PauseRequest | OverrideRequest, fleets: Fleets) -> State:
    async with fleet_workflows(fleets) as workflows:
        return await workflows.update(fleet, update, request)


def _show(screen: Screen, state: State, text: str) -> None:
    if screen.json:
        screen.document(state, State)
    else:
        screen.lines(text.splitlines())
