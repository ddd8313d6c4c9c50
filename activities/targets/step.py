"""One step towards a plan, the same for every target: read, judge, write the record under a revision, act.

A target gives `read` and `write` (`Backing`). Whoever else writes in between makes a conflict, and most often that is
this product's own late orphan: the target is read again, as long as its record is not ahead of the plan.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from activities.targets.contract import StepTaken
from scaler.claims import RecordStep, Standing, record_step
from scaler.model.common import Owner
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord

OwnerLives = Callable[[Owner], Awaitable[bool]]
"""Whether the workflow still runs that owns a target. Does not raise: where that can't be told, it lives."""

TRIES = 4
LONGEST_PAUSE_SECONDS = 0.2
"""Between two tries, drawn at random: two that met may not meet again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A target as it was read: its record, the count that it is set to, and the revision that a write must name.

    `desired` is without what a rollout borrowed. A platform with one number takes it apart (`scaler.claims.counted`)
    and says what is `borrowed`.
    """

    record: TargetRecord | None
    desired: int | None
    borrowed: int | None = None
    revision: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What to write: the record before anything else, None to leave it; then the levels of `acts`, None for nothing."""

    found: Found
    plan: Plan
    record: TargetRecord | None
    acts: TargetRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a write: the record as it stands, whether somebody wrote before, or why it was refused."""

    record: TargetRecord | None
    conflict: bool = False
    refused: str | None = None


class Backing(Protocol):
    """One fleet's target, as a step needs it. Both raise `TargetUnreachable` where nobody answers."""

    async def read(self) -> Found:
        """The target as it is."""
        ...

    async def write(self, intent: Intent) -> Written:
        """Write and act, only if the target still has the revision that was read."""
        ...


async def take_step(backing: Backing, plan: Plan, stamp: Stamp, owner_lives: OwnerLives) -> StepTaken:
    """Hold the plan against the record, and have it written and acted on; a conflict is tried again."""
    for number in range(TRIES):
        if number:
            await asyncio.sleep(random.uniform(0, number * LONGEST_PAUSE_SECONDS))  # noqa: S311 (no secret)
        found = await backing.read()
        verdict = record_step(found.record, plan, stamp, await _standing(found, stamp, owner_lives))
        written = await _written(backing, found, plan, verdict)
        if not written.conflict:
            break
    return StepTaken(found=found.record, applied=_applied(stamp, verdict, found, written))


async def _standing(found: Found, stamp: Stamp, owner_lives: OwnerLives) -> Standing:
    owner = found.record.owner if found.record is not None else None
    lives = True if owner is None or stamp.owner.is_same(owner) else await owner_lives(owner)
    now = stamp.at or datetime.now(UTC)
    return Standing(now=now, owner_lives=lives, desired=found.desired, borrowed=found.borrowed)


async def _written(backing: Backing, found: Found, plan: Plan, verdict: RecordStep) -> Written:
    acts = (verdict.write or found.record) if verdict.outcome is StepOutcome.APPLIED else None
    if verdict.write is None and acts is None:
        return Written(record=found.record)
    return await backing.write(Intent(found=found, plan=plan, record=verdict.write, acts=acts))


def _applied(stamp: Stamp, verdict: RecordStep, found: Found, written: Written) -> Applied:
    outcome, detail = verdict.outcome, _refusal(verdict.outcome, found)
    if written.conflict:
        outcome, detail = StepOutcome.CONFLICT, "somebody else changed the target in between, again and again"
    elif written.refused is not None:
        outcome, detail = StepOutcome.FAILED, written.refused
    return Applied(generation=stamp.generation, outcome=outcome, record=written.record, detail=detail)


def _refusal(outcome: StepOutcome, found: Found) -> str | None:
    if outcome is StepOutcome.REFUSED_HAND:
        return f"somebody else set the group to {found.desired} workers"
    if outcome is not StepOutcome.REFUSED_OWNER:
        return None
    if found.record is None or found.record.owner is None:
        return "the group is nobody's; a look claims it"
    return f"the group belongs to {found.record.owner.workflow_id} in namespace {found.record.owner.namespace}"
