"""The rules that never break: what may not be done to the count although the search would like to. Pure.

Each rule is a floor or a ceiling for the worker count; the one that binds comes out with its name.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from scaler.cache_gate import CacheChoice
from scaler.capacity import BY_LOAD, USUAL_PERCENTILE, UTILISATION_CAP
from scaler.fleet import Fleet
from scaler.judgement import in_vain
from scaler.level import level_after
from scaler.model.decision import Constraint, Reason
from scaler.model.memory import Change, Recommendation, Turns, figure, whole_second
from scaler.situation import Situation

HOLD_WINDOW = timedelta(minutes=10)
"""After a cache cut, latency must have been inside the objective for so long before a worker may go."""

SHORTEST_WINDOW, LONGEST_WINDOW = timedelta(minutes=1), timedelta(minutes=10)
RISK_IN_STARTS = 3.0
"""What it costs to miss a worker while another one starts, in workers × time to start, where 5 % may be late."""

MOST_STRETCHED = 6.0
"""The longest window is so many times as long at most where fewer tasks may be late."""

RECOMMENDATIONS_KEPT = 10
SCALE_IN_FRACTION = 0.2
SCALE_OUT_STEP, SCALE_OUT_FACTOR = 4, 2
URGENT_LATENESS = 3.0
"""A backlog that is so many times older than the objective lifts the scale-out step."""

REVERSAL_TIME = timedelta(minutes=10)
REVERSALS_FADE = timedelta(minutes=30)
"""Longer than what counts as a reversal: a count that turns every quarter of an hour remembers that it did."""

MOST_REVERSALS = 3.0


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
        count = _highest(wanted, current, _ceilings(situation, emergency=choice.emergency))
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
    yield Limit(_held_after_cut(situation), Constraint.HOLD_AFTER_CUT, Reason.HOLD_AFTER_CUT)
    if choice.emergency:
        yield Limit(current.workers, Constraint.MEMORY)
    if cache is not None and current.cache is not None and cache < current.cache:
        yield Limit(current.workers, Constraint.HOLD_AFTER_CUT, Reason.CACHE_CUT)
    if situation.rolling or cache != current.cache:
        yield Limit(current.workers, Constraint.ROLLOUT, Reason.HELD_BY_ROLLOUT)
    yield Limit(busy_workers(situation), Constraint.BUSY_SLOTS, Reason.HELD_BY_BUSY_WORKERS)
    if estimate.restarting or estimate.new_crashes or estimate.new_oom_kills:
        yield Limit(current.workers, Constraint.CRASHES, Reason.HELD_BY_CRASHES)
    if situation.memory.operator.override is not None:
        return
    if not situation.all_fresh:
        yield Limit(current.workers, Constraint.MISSING_SIGNAL, Reason.HELD_BY_MISSING_SIGNAL)
    if situation.learning:
        yield Limit(current.workers, Constraint.SCALE_IN_WINDOW, Reason.HELD_BY_LEARNING)
    if any(embargo.change is Change.SCALE_IN for embargo in situation.memory.embargoes):
        yield Limit(current.workers, Constraint.EMBARGO, Reason.HELD_BY_EMBARGO)
    highest = max((each.workers for each in situation.memory.recommendations), default=current.workers)
    yield Limit(highest, Constraint.SCALE_IN_WINDOW, Reason.HELD_BY_WINDOW)
    yield Limit(situation.spared_workers, situation.need.workers_bound, Reason.HELD_BY_MARGIN)
    step = max(1, int(SCALE_IN_FRACTION * current.workers))
    yield Limit(current.workers - step, Constraint.STEP_LIMIT, Reason.HELD_BY_STEP)


def _ceilings(situation: Situation, *, emergency: bool) -> Iterator[Limit]:
    current = situation.current.workers
    if situation.seen.target.unschedulable:
        yield Limit(current, Constraint.UNSCHEDULABLE, Reason.UNSCHEDULABLE)
    if emergency or situation.memory.operator.override is not None:
        return
    why = in_vain(situation)
    if why is not None and situation.need.workers_bound is not Constraint.WORKFLOW_TASK_LOAD:
        yield Limit(current, Constraint.NO_GAIN, why)
    if situation.need.workers_bound in BY_LOAD.values():
        if situation.unproven:
            yield Limit(current, situation.need.workers_bound, Reason.HELD_BY_FIRST_RATES)
        if situation.within_margin:
            yield Limit(current, situation.need.workers_bound, Reason.HELD_BY_MARGIN)
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
        math.ceil(load.busy_slots / (load.slots_per_worker * UTILISATION_CAP[load.task_type]))
        for load in situation.estimate.loads
    )
    return max(counts, default=0)


def _held_after_cut(situation: Situation) -> int:
    """The floor that a cache cut leaves, 0 once latency was inside the objective for a whole window since."""
    cut = situation.record.cut if situation.record is not None else None
    if cut is None:
        return 0
    good_since = situation.memory.good_since
    if good_since is not None and situation.now - max(good_since, cut.at) >= HOLD_WINDOW:
        return 0
    return max(cut.workers, situation.need.size.workers)


def holding(situation: Situation) -> bool:
    """Whether a cache cut still holds workers."""
    return _held_after_cut(situation) > 0


def good_since(situation: Situation) -> datetime | None:
    """From when on latency has been inside the objective without a break that anybody saw."""
    return (situation.memory.good_since or situation.now) if situation.late is False else None


def recommendations(situation: Situation) -> tuple[Recommendation, ...]:
    """What the scale-in window wanted, as far as it can still be its highest: later ones are lower.

    Too many are thinned by letting the higher of two neighbours live as long as the later: never too short.
    """
    workers, now, window = situation.need.size.workers, situation.now, scale_in_window(situation)
    earlier = situation.memory.recommendations
    kept = [each for each in earlier if now - each.at <= window and each.workers > workers]
    kept.append(Recommendation(whole_second(now), workers))
    while len(kept) > RECOMMENDATIONS_KEPT:
        apart = [later.at - sooner.at for sooner, later in pairwise(kept)]
        nearest = apart.index(min(apart))
        kept[nearest : nearest + 2] = [replace(kept[nearest], at=kept[nearest + 1].at)]
    return tuple(kept)


def scale_in_window(situation: Situation) -> timedelta:
    """How long a lower need must have held: as long as an idle worker costs less than to miss it and start it anew.

    The break-even of the ski-rental problem: what the worker costs idle against what taking it away costs to undo,
    its start, the risk to the objective meanwhile, and the replays of what it had cached. The fewer tasks may be late
    the more the risk weighs. A declared window overrides it; turning around lately stretches it.
    """
    declared = situation.fleet.behaviour.scale_in_window
    if declared is not None:
        return declared
    estimate, strictness = situation.estimate, _strictness(situation.fleet)
    longest = LONGEST_WINDOW * min(strictness, MOST_STRETCHED)
    undo_seconds = estimate.start_seconds * (1 + RISK_IN_STARTS * strictness) + _replay_seconds(situation)
    window = min(max(timedelta(seconds=undo_seconds), SHORTEST_WINDOW), longest)
    reversals = situation.memory.turns.reversals
    recent = level_after(reversals, 0.0, situation.now, REVERSALS_FADE).value or 0.0
    return min(window * (1 + min(recent, MOST_REVERSALS)), longest)


def _strictness(fleet: Fleet) -> float:
    """How many times fewer tasks may be late than usual; a looser objective than the usual one counts as usual."""
    return max((100 - USUAL_PERCENTILE) / (100 - fleet.objective.percentile), 1.0)


def _replay_seconds(situation: Situation) -> float:
    """Worker time that replaying one worker's cached runs takes, as far as they are used again."""
    use, live = situation.estimate.cache, situation.seen.live
    if use.replay_seconds is None or not live:
        return 0.0
    cached = sum(worker.cached or 0 for worker in live) / len(live)
    cores = situation.estimate.workflow_cores or 1.0
    return cached * use.reuse * use.replay_seconds / cores


def turned(turns: Turns, before: int, after: int, now: datetime) -> Turns:
    """The memory of directions after the count moved."""
    if before == after:
        return turns
    up = after > before
    reversed_now = turns.at is not None and up != turns.up and now - turns.at <= REVERSAL_TIME
    faded = level_after(turns.reversals, 0.0, now, REVERSALS_FADE)
    return Turns(up=up, at=now, reversals=replace(faded, value=figure((faded.value or 0.0) + reversed_now), at=now))
