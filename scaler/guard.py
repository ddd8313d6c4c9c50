"""The rules that never break: what may not be done although the search would like to. Pure.

Each rule is a floor or a ceiling for the worker count, or a reason to leave the cache; the number that binds comes
out with its name.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from scaler.model.decision import Constraint, Reason
from scaler.model.memory import Memory, Recommendation
from scaler.search import UTILISATION_CAP
from scaler.situation import Situation

HOLD_WINDOW = timedelta(minutes=10)
"""After a cache cut, latency must have been inside the objective for so long before a worker may go."""

SCALE_IN_WINDOW = timedelta(seconds=60)
RECOMMENDATIONS_KEPT = 12
SCALE_IN_FRACTION = 0.2
SCALE_OUT_STEP, SCALE_OUT_FACTOR = 4, 2
URGENT_LATENESS = 3.0
"""A backlog that is so many times older than the objective lifts the scale-out step."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on the worker count, and what it comes from."""

    workers: int
    constraint: Constraint
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The worker count that the rules leave, what binds it, and every rule that took part."""

    workers: int
    bound: Constraint
    reasons: tuple[Reason, ...] = ()


def held_count(wanted: Limit, situation: Situation, cache: int | None) -> Count:
    """What is left of a wanted worker count."""
    current = situation.current.workers
    if wanted.workers < current:
        return _lowest(wanted, current, _floors(situation, cache))
    if wanted.workers > current:
        return _highest(wanted, current, _ceilings(situation))
    return Count(workers=current, bound=wanted.constraint)


def _lowest(wanted: Limit, current: int, floors: Iterable[Limit]) -> Count:
    binding = [floor for floor in floors if floor.workers > wanted.workers]
    highest = max(binding, key=lambda floor: floor.workers, default=wanted)
    reasons = tuple(floor.reason for floor in binding if floor.reason is not None)
    workers = min(highest.workers, current)
    return Count(workers=workers, bound=highest.constraint, reasons=_unique(reasons))


def _highest(wanted: Limit, current: int, ceilings: Iterable[Limit]) -> Count:
    binding = [ceiling for ceiling in ceilings if ceiling.workers < wanted.workers]
    lowest = min(binding, key=lambda ceiling: ceiling.workers, default=wanted)
    reasons = tuple(ceiling.reason for ceiling in binding if ceiling.reason is not None)
    workers = max(lowest.workers, current)
    return Count(workers=workers, bound=lowest.constraint, reasons=_unique(reasons))


def bounded(count: Count, situation: Situation) -> Count:
    """Bounds hold whatever else asked; only somebody else's hand may stand outside them."""
    lowest, highest = min(situation.fleet.workers.min, situation.workers_ceiling), situation.workers_ceiling
    if count.workers > highest:
        bound = Constraint.WORKERS_MAX if highest == situation.fleet.workers.max else Constraint.CONNECTIONS
        return replace(count, workers=highest, bound=bound)
    if count.workers < lowest:
        return replace(count, workers=lowest, bound=Constraint.WORKERS_MIN)
    return count


def _unique(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))


def _floors(situation: Situation, cache: int | None) -> Iterator[Limit]:
    current, overridden = situation.current, situation.memory.operator.override is not None
    yield Limit(_held_after_cut(situation), Constraint.HOLD_AFTER_CUT, Reason.HOLD_AFTER_CUT)
    if cache is not None and current.cache is not None and cache < current.cache:
        yield Limit(current.workers, Constraint.HOLD_AFTER_CUT, Reason.CACHE_CUT)
    if situation.rolling:
        yield Limit(current.workers, Constraint.ROLLOUT, Reason.HELD_BY_ROLLOUT)
    yield Limit(busy_workers(situation), Constraint.BUSY_SLOTS, Reason.HELD_BY_BUSY_WORKERS)
    if situation.estimate.restarting or situation.estimate.new_crashes or situation.estimate.new_oom_kills:
        yield Limit(current.workers, Constraint.MISSING_SIGNAL, Reason.HELD_BY_CRASHES)
    if overridden:
        return
    if not situation.all_fresh:
        yield Limit(current.workers, Constraint.MISSING_SIGNAL, Reason.HELD_BY_MISSING_SIGNAL)
    highest = max((each.workers for each in situation.memory.recommendations), default=current.workers)
    yield Limit(highest, Constraint.SCALE_IN_WINDOW, Reason.HELD_BY_WINDOW)
    step = max(1, int(SCALE_IN_FRACTION * current.workers))
    yield Limit(current.workers - step, Constraint.STEP_LIMIT, Reason.HELD_BY_STEP)


def _ceilings(situation: Situation) -> Iterator[Limit]:
    current = situation.current.workers
    if situation.seen.target.unschedulable:
        yield Limit(current, Constraint.UNKNOWN, Reason.UNSCHEDULABLE)
    if situation.memory.operator.override is not None:
        return
    activity = situation.estimate.activity
    if (
        activity is not None
        and activity.rate_limited
        and situation.need.workers_bound is not Constraint.WORKFLOW_TASK_LOAD
    ):
        yield Limit(current, Constraint.NO_GAIN, Reason.RATE_LIMITED)
    if not _urgent(situation):
        step = max(current + SCALE_OUT_STEP, SCALE_OUT_FACTOR * current)
        yield Limit(step, Constraint.STEP_LIMIT, Reason.HELD_BY_STEP)


def _urgent(situation: Situation) -> bool:
    return any(
        load.backlog_age_seconds > URGENT_LATENESS * situation.fleet.objective_seconds(load.task_type)
        for load in situation.estimate.loads
    )


def busy_workers(situation: Situation) -> int:
    """Workers that occupied slots keep busy, head-room included."""
    counts = (
        math.ceil((load.busy_slots or 0) / (load.slots_per_worker * UTILISATION_CAP[load.task_type]))
        for load in situation.estimate.loads
    )
    return max(counts, default=0)


def _held_after_cut(situation: Situation) -> int:
    """The floor that a cache cut leaves, 0 once latency was inside the objective for a whole window since."""
    cut = situation.record.cut if situation.record is not None else None
    if cut is None:
        return 0
    good_since = situation.memory.hold_since
    if good_since is not None and situation.now - max(good_since, cut.at) >= HOLD_WINDOW:
        return 0
    return max(cut.workers, situation.need.size.workers)


def remembered(situation: Situation) -> Memory:
    """Memory with this tick's recommendation and with how long latency has been inside the objective."""
    memory, now = situation.memory, situation.now
    good_since = (memory.hold_since or now) if situation.late is False else None
    window = situation.fleet.behaviour.scale_in_window or SCALE_IN_WINDOW
    return replace(
        memory,
        hold_since=good_since,
        recommendations=_recommended(memory.recommendations, situation.need.size.workers, now, window),
    )


def _recommended(
    earlier: tuple[Recommendation, ...], workers: int, now: datetime, window: timedelta
) -> tuple[Recommendation, ...]:
    """The recommendations that can still be the window's highest: later ones are lower, or they hide earlier ones.

    Too many are thinned by letting the higher of two neighbours live as long as the later: never too short.
    """
    kept = [each for each in earlier if now - each.at <= window and each.workers > workers]
    kept.append(Recommendation(at=now, workers=workers))
    while len(kept) > RECOMMENDATIONS_KEPT:
        apart = [later.at - sooner.at for sooner, later in pairwise(kept)]
        nearest = apart.index(min(apart))
        kept[nearest : nearest + 2] = [replace(kept[nearest], at=kept[nearest + 1].at)]
    return tuple(kept)
