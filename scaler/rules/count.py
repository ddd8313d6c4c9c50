"""The rules that never break: what may not be done to the count although the search would like to. Pure.

Each rule is a floor or a ceiling for the worker count; the one that binds comes out with its name.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Change
from scaler.rules.activity_floor import workers_for_activity_memory
from scaler.rules.cache_gate import CacheChoice
from scaler.rules.failing import never_ready
from scaler.rules.hold_after_cut import held_after_cut
from scaler.rules.missed_objective import held_while_late
from scaler.rules.situation import Situation
from scaler.size.capacity import BY_LOAD, UTILISATION_CAP

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


def held_count(wanted: Limit, situation: Situation, choice: CacheChoice) -> Count:
    """What is left of a wanted worker count beside the cache size that was chosen."""
    current = situation.current.workers
    count = Count(workers=current, bound=wanted.constraint)
    if wanted.workers < current:
        count = _lowest(wanted, current, _floors(situation, choice))
    if wanted.workers > current:
        count = _highest(wanted, current, _ceilings(situation, wanted, emergency=choice.emergency))
    return replace(count, reasons=(wanted.reason, *count.reasons)) if wanted.reason is not None else count


def _lowest(wanted: Limit, current: int, floors: Iterable[Limit]) -> Count:
    binding = [floor for floor in floors if floor.workers > wanted.workers]
    highest = max(binding, key=lambda floor: floor.workers, default=wanted)
    return Count(workers=min(highest.workers, current), bound=highest.constraint, reasons=_reasons(binding))


def _highest(wanted: Limit, current: int, ceilings: Iterable[Limit]) -> Count:
    binding = [ceiling for ceiling in ceilings if ceiling.workers < wanted.workers]
    lowest = min(binding, key=lambda ceiling: ceiling.workers, default=wanted)
    return Count(workers=max(lowest.workers, current), bound=lowest.constraint, reasons=_reasons(binding))


def _reasons(limits: Iterable[Limit]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(limit.reason for limit in limits if limit.reason is not None))


def bounded(count: Count, situation: Situation) -> Count:
    """Bounds hold whatever else asked; only somebody else's hand may stand outside them."""
    highest = situation.workers_ceiling
    lowest = min(situation.fleet.workers.min, highest)
    if count.workers > highest:
        bound = Constraint.WORKERS_MAX if highest == situation.fleet.workers.max else Constraint.CONNECTIONS
        return replace(count, workers=highest, bound=bound)
    if count.workers < lowest:
        return replace(count, workers=lowest, bound=Constraint.WORKERS_MIN)
    return count


def _floors(situation: Situation, choice: CacheChoice) -> Iterator[Limit]:
    current, estimate, cache = situation.current, situation.estimate, choice.cache
    yield Limit(held_after_cut(situation), Constraint.HOLD_AFTER_CUT, Reason.HOLD_AFTER_CUT)
    if choice.emergency:
        yield Limit(current.workers, Constraint.MEMORY)
    if cache is not None and current.cache is not None and cache < current.cache:
        yield Limit(current.workers, Constraint.HOLD_AFTER_CUT, Reason.CACHE_CUT)
    if situation.rolling or (cache is not None and cache != current.cache):
        yield Limit(current.workers, Constraint.ROLLOUT, Reason.HELD_BY_ROLLOUT)
    yield Limit(busy_workers(situation), Constraint.BUSY_SLOTS, Reason.HELD_BY_BUSY_WORKERS)
    by_memory = workers_for_activity_memory(situation, cache)
    yield Limit(by_memory, Constraint.ACTIVITY_MEMORY, Reason.HELD_BY_ACTIVITY_MEMORY)
    yield _running_work(situation)
    if estimate.restarting or estimate.new_crashes or estimate.new_oom_kills:
        yield Limit(current.workers, Constraint.CRASHES, Reason.HELD_BY_CRASHES)
    if situation.overridden:
        return
    yield Limit(held_while_late(situation), Constraint.OBJECTIVE_MISSED, Reason.HELD_BY_MISSED_OBJECTIVE)
    if not situation.all_fresh:
        yield Limit(current.workers, Constraint.MISSING_SIGNAL, Reason.HELD_BY_MISSING_SIGNAL)
    if situation.learning:
        yield Limit(current.workers, Constraint.SCALE_IN_WINDOW, Reason.HELD_BY_LEARNING)
    if any(embargo.change is Change.SCALE_IN for embargo in situation.memory.embargoes):
        yield Limit(current.workers, Constraint.EMBARGO, Reason.HELD_BY_EMBARGO)
    highest = max((each.workers for each in situation.memory.recommendations), default=current.workers)
    yield Limit(highest, Constraint.SCALE_IN_WINDOW, Reason.HELD_BY_WINDOW)
    yield Limit(*situation.spared_workers, Reason.HELD_BY_MARGIN)
    step = max(1, int(SCALE_IN_FRACTION * current.workers))
    yield Limit(current.workers - step, Constraint.STEP_LIMIT, Reason.HELD_BY_STEP)


def _running_work(situation: Situation) -> Limit:
    """No fewer than cannot be named to go; of a large fleet without busy workers that is a bound on the step."""
    if situation.running_work.busy:
        return Limit(situation.staying, Constraint.RUNNING_WORK, Reason.HELD_BY_RUNNING_WORK)
    return Limit(situation.staying, Constraint.STEP_LIMIT, Reason.HELD_BY_STEP)


def _ceilings(situation: Situation, wanted: Limit, *, emergency: bool) -> Iterator[Limit]:
    current = situation.current.workers
    if situation.seen.target.unschedulable:
        yield Limit(current, Constraint.UNSCHEDULABLE, Reason.UNSCHEDULABLE)
    if emergency or situation.overridden:
        return
    if never_ready(situation.seen):
        yield Limit(max(current, 1), Constraint.CRASHES, Reason.WORKERS_NEVER_READY)
    if wanted.constraint in BY_LOAD.values():
        if situation.unproven:
            yield Limit(current, wanted.constraint, Reason.HELD_BY_FIRST_RATES)
        if situation.within_margin:
            yield Limit(current, wanted.constraint, Reason.HELD_BY_MARGIN)
    if not _urgent(situation):
        yield Limit(scale_out_step(current), Constraint.STEP_LIMIT, Reason.HELD_BY_STEP)


def scale_out_step(current: int) -> int:
    """The count that one step out may go to."""
    return max(current + SCALE_OUT_STEP, SCALE_OUT_FACTOR * current)


def _urgent(situation: Situation) -> bool:
    return any(
        load.backlog_age_seconds > URGENT_LATENESS * situation.fleet.objective_seconds(load.task_type)
        for load in situation.estimate.loads
    )


def busy_workers(situation: Situation) -> int:
    """Workers that occupied slots keep busy, head-room included."""
    counts = (
        math.ceil(load.busy_slots / (load.slots_per_worker * UTILISATION_CAP[load.task_type]))
        for load in situation.estimate.loads
    )
    return max(counts, default=0)
