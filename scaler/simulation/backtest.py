"""What this version's decision makes of what a fleet's own workflow once saw. Pure.

Open loop: each decision is made on a recorded observation, with the memory of the decisions before it, as a controller
that was just upgraded would make it. What would have followed from other sizes is for `simulate` to tell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from statistics import fmean

from scaler.decide import decide_or_hold
from scaler.fleet import Fleet
from scaler.model.common import Size
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation
from scaler.model.plan import Plan
from scaler.model.remembered import Remembered
from scaler.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One tick as it was recorded: what was seen, and what was planned on it then."""

    at: datetime
    fleet: Fleet
    seen: Observation
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtested:
    """One tick of then, and what would be decided now."""

    at: datetime
    found: Size | None
    decided_then: Size | None
    decided_now: Size | None
    mode: Mode
    workers_bound: Constraint
    cache_bound: Constraint
    reasons: tuple[Reason, ...]

    @property
    def differs(self) -> bool:
        """Whether another size would be decided now; a plan without a size decided none."""
        return self.decided_then is not None and self.decided_now != self.decided_then


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All ticks together; means are over ticks that decided a size."""

    ticks: int
    differ: int
    workers_then: float | None
    workers_now: float | None
    changes_then: int
    changes_now: int


def backtested(ticks: Sequence[Tick], memory: Remembered | None = None) -> Iterator[Backtested]:
    """Decide again, tick by tick, in the order in which they were.

    Args:
        ticks: What was recorded.
        memory: What was remembered before the first of them; nothing by default.

    """
    remembered = memory or Remembered()
    for tick in ticks:
        decision, remembered = decide_or_hold(tick.seen, tick.fleet, remembered, tick.at)
        # What was carried out then is what is found at the next tick, so nothing of this plan is outstanding.
        remembered = replace(remembered, unechoed=None)
        found = tick.seen.applied.record
        yield Backtested(
            at=tick.at,
            found=found.intended if found is not None else None,
            decided_then=tick.plan.size,
            decided_now=decision.size,
            mode=decision.mode,
            workers_bound=decision.workers_bound,
            cache_bound=decision.cache_bound,
            reasons=decision.reasons,
        )


def summary(rows: Sequence[Backtested]) -> Summary:
    """Set then against now."""
    then = [row.decided_then for row in rows if row.decided_then is not None]
    now = [row.decided_now for row in rows if row.decided_now is not None]
    return Summary(
        ticks=len(rows),
        differ=sum(row.differs for row in rows),
        workers_then=fmean(size.workers for size in then) if then else None,
        workers_now=fmean(size.workers for size in now) if now else None,
        changes_then=_changes(then),
        changes_now=_changes(now),
    )


def memory_of(state: State) -> Remembered:
    """What a run began with, as the run before handed it over."""
    return replace(state.memory, unechoed=None)


def _changes(sizes: Sequence[Size]) -> int:
    return sum(earlier != later for earlier, later in pairwise(sizes))
