"""When the cache size may change, and to what. Pure.

A cut for safety is immediate. Everything else waits until it is calm, pays, and was not changed a moment ago.
"""

from dataclasses import dataclass
from datetime import timedelta

from scaler.fleet import CACHE_FLOOR
from scaler.model.common import TaskType
from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Change
from scaler.rules.situation import Situation
from scaler.rules.trial import unsettled
from scaler.size.activity_memory import RunningActivities
from scaler.size.cache_bounds import TRUSTED_GROWTH, replayable, usable_bytes

RAISE_FACTOR, CUT_FACTOR = 1.4, 0.8
FULL_FRACTION = 0.8
"""A cache that is emptier than this gains nothing from being larger."""

SLACK = 0.9
"""A cut for safety goes to this part of what is safe: the estimate creeps, and each cut replaces all workers."""

EMERGENCY_CUT = 0.7
"""After a kill that the estimate can't explain the cache is cut by this factor: the estimate is what is wrong."""

MOST_CHANGES = 4.0
"""Voluntary rollouts at once; their count leaks by one in about an hour. Those for safety are not counted."""

COOLDOWN = timedelta(minutes=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheChoice:
    """The cache size to go to, what binds it, and whether it is for safety."""

    cache: int | None
    bound: Constraint
    emergency: bool = False
    change: Change | None = None  # a voluntary one: it will be judged
    reasons: tuple[Reason, ...] = ()


def chosen_cache(situation: Situation) -> CacheChoice:
    """The cache size to go to."""
    found = alarms(situation)
    if not situation.decides_cache:
        return _fixed(situation, found)
    if found:
        return _emergency(situation, found)
    current, need = situation.current.cache, situation.need
    if current is None:
        return CacheChoice(cache=need.size.cache, bound=need.cache_bound)
    return _failed_rollout(situation) or _unforced(situation, current)


def _unforced(situation: Situation, current: int) -> CacheChoice:
    """A better size, if nothing speaks against a change now."""
    wanted = _wanted(situation, current)
    bound = _bound(situation, wanted)
    blocked = _blocked(situation, wanted, current) if wanted != current else bound
    if blocked is not None:
        return CacheChoice(cache=current, bound=blocked)
    cut = wanted < current
    change = Change.CACHE_CUT if cut else Change.CACHE_RAISE
    reason = Reason.CACHE_CUT if cut else Reason.CACHE_RAISED
    voluntary = not _overridden(situation) and not _runs_over(situation, wanted, current)
    return CacheChoice(cache=wanted, bound=bound, change=change if voluntary else None, reasons=(reason,))


def _bound(situation: Situation, wanted: int) -> Constraint:
    """What a size is as it is for: an operator's word, or what kept it from being followed to the letter."""
    override, need = situation.memory.operator.override, situation.need
    if override is None or override.cache is None:
        return need.cache_bound
    if wanted == override.cache:
        return Constraint.OVERRIDE
    if wanted < override.cache:
        return Constraint.MEMORY if wanted == need.safe_cache else Constraint.CACHE_MAX
    return Constraint.CACHE_MIN


def _runs_over(situation: Situation, wanted: int, current: int) -> bool:
    """Whether memory is predicted to run over at the present size, which no budget, cooldown or embargo then keeps."""
    safe = situation.need.safe_cache
    return safe is not None and wanted <= safe < current


def alarms(situation: Situation) -> tuple[Reason, ...]:
    """What makes this an emergency; empty where nothing does."""
    found = {Reason.OOM_KILL: situation.new_oom_kills > 0, Reason.MEMORY_BREACH: situation.breach}
    return tuple(reason for reason, holds in found.items() if holds)


def _fixed(situation: Situation, found: tuple[Reason, ...]) -> CacheChoice:
    """The cache is not set from here; in an emergency a person has to, and is told so."""
    by_hand = _by_hand(situation) if found else ()
    reasons = (Reason.CACHE_FIXED, *found, *by_hand) if found or situation.fleet.decides_cache else ()
    return CacheChoice(cache=None, bound=Constraint.FIXED, emergency=bool(found), reasons=reasons)


def _by_hand(situation: Situation) -> tuple[Reason, ...]:
    """What a person has to do."""
    if situation.poisoned:
        return (Reason.POISON_WORKFLOW,)
    if _activities_fill_memory(situation, situation.current.cache):
        return (Reason.ACTIVITIES_FILL_MEMORY,)
    return (Reason.CACHE_TO_CUT_BY_HAND,) if situation.fleet.polls(TaskType.WORKFLOW) else ()


def _emergency(situation: Situation, found: tuple[Reason, ...]) -> CacheChoice:
    """Cut now to what is safe; where the estimate calls the present size safe, the kill proves it wrong.

    The first cut keeps the declared minimum, if memory is thought to hold it; a breach at the minimum shows that it
    does not.
    """
    need, floor = situation.need, situation.fleet.cache.min
    current = situation.current.cache if situation.current.cache is not None else need.size.cache
    why = _no_cut(situation, current)
    if current is None or why:
        return CacheChoice(cache=current, bound=Constraint.CACHE_MIN, emergency=True, reasons=(*found, *why))
    safe = need.safe_cache if need.safe_cache is not None else current
    lowest = floor if current > floor and safe >= floor else CACHE_FLOOR
    cut = min(safe, int(current * EMERGENCY_CUT), _half_of_given(situation, current), _replayable(situation))
    cut = max(lowest, cut)
    return CacheChoice(cache=cut, bound=Constraint.MEMORY, emergency=True, reasons=(*found, Reason.CACHE_CUT))


def _no_cut(situation: Situation, current: int | None) -> tuple[Reason, ...]:
    """Why a smaller cache would not help."""
    if situation.poisoned:
        return (Reason.POISON_WORKFLOW,)
    if current is None or current <= CACHE_FLOOR:
        return (Reason.AT_CACHE_FLOOR,)
    return (Reason.ACTIVITIES_FILL_MEMORY,) if _activities_fill_memory(situation, current) else ()


def _replayable(situation: Situation) -> int:
    """The largest cache that all workers hold once they are replaced and their runs are replayed."""
    most = RunningActivities.of(situation.estimate).most_on_one(max(situation.current.workers, 1))
    return replayable(situation.estimate.memory, situation.fleet, most)


def _activities_fill_memory(situation: Situation, cache: int | None) -> bool:
    """Whether a worker's activities take more of its memory than its cache does."""
    memory, workers = situation.estimate.memory, max(situation.estimate.ready, 1)
    most = RunningActivities.of(situation.estimate).most_on_one(workers) * memory.activity_bytes
    held = min(cache, memory.most_held) if cache is not None else memory.most_held
    return most > memory.predicted_bytes(held) - memory.predicted_bytes(0)


def _half_of_given(situation: Situation, current: int) -> int:
    """Half of the runs that the fullest worker can have been given since its start; `current` where that says nothing.

    Before workers tell of their caches nothing else bounds what filled one: cut by steps instead, each of the next two
    sizes killed a whole fleet as it came up (seen in simulated crash loops).
    """
    if situation.estimate.memory.measured or not situation.breaching:
        return current
    tasks_per_second = sum(load.arrivals_per_second for load in situation.estimate.workflow_loads)
    runs = tasks_per_second * situation.breaching[0].age_seconds / max(situation.seen.ready_count, 1)
    return int(runs / 2) if runs else current


def _failed_rollout(situation: Situation) -> CacheChoice | None:
    """Back to the size before where no worker with the new one comes up; a size forced by memory stays."""
    rollout = situation.memory.rollout
    if rollout is None or rollout.forced or rollout.before is None or not situation.rolling:
        return None
    patience = timedelta(seconds=60 + 3 * situation.estimate.start_seconds)
    up = situation.seen.serves_with(situation.current.cache)
    if up or situation.now - rollout.began < patience:
        return None
    reasons = (Reason.ROLLED_BACK,)
    return CacheChoice(cache=rollout.before, bound=Constraint.ROLLOUT, reasons=reasons)


def _overridden(situation: Situation) -> bool:
    override = situation.memory.operator.override
    return override is not None and override.cache is not None


def _wanted(situation: Situation, current: int) -> int:
    """A size that differs enough to be worth a rollout, or the present one."""
    need, override = situation.need, situation.memory.operator.override
    if override is not None and override.cache is not None:
        safe = need.safe_cache if need.safe_cache is not None else situation.fleet.cache.max
        bounded = max(situation.fleet.cache.min, min(override.cache, situation.fleet.cache.max))
        return max(min(bounded, safe), CACHE_FLOOR)
    if not situation.estimate.memory.measured or need.size.cache is None:
        return current
    if need.safe_cache is not None and need.safe_cache < current:
        # Where memory does not hold the declared minimum, what is needed lies below it: a cut must not raise.
        # What nobody held half of is extrapolation: a cut now would go too far or not be the last one.
        if TRUSTED_GROWTH * situation.estimate.memory.most_held < need.safe_cache:
            return current
        cut = min(int(SLACK * need.safe_cache), need.size.cache, _replayable(situation))
        return max(cut, min(situation.fleet.cache.min, need.size.cache))
    if need.size.cache >= RAISE_FACTOR * current and _is_full(situation, current):
        return need.size.cache
    return need.size.cache if need.size.cache <= CUT_FACTOR * current else current


def _is_full(situation: Situation, cache: int) -> bool:
    full = FULL_FRACTION * cache * situation.estimate.memory.caches
    return any((worker.cached or 0) >= full for worker in situation.seen.live)


def _bursts(situation: Situation) -> bool:
    """Whether tasks wait, and memory has not come to where a cut can't: replays would take what is short already."""
    usable = usable_bytes(situation.estimate.memory, situation.fleet)
    if usable is None or (situation.estimate.memory.fullest_bytes or 0) >= usable:
        return False
    return situation.late is True or any(load.backlog_growth_per_second > 0 for load in situation.estimate.loads)


def _blocked(situation: Situation, wanted: int, current: int) -> Constraint | None:
    """Why an ordinary change has to wait; None if it does not."""
    memory, estimate = situation.memory, situation.estimate
    change = Change.CACHE_CUT if wanted < current else Change.CACHE_RAISE
    needed = _overridden(situation) or _runs_over(situation, wanted, current)
    changes, last = memory.cache_changes.value or 0.0, memory.cache_changes.at
    holds = {
        Constraint.ROLLOUT: situation.rolling,
        Constraint.MISSING_SIGNAL: not _overridden(situation)
        and (
            estimate.restarting > 0
            or estimate.starting > 0
            or not situation.all_fresh
            or (wanted < current and not estimate.memory.told_apart)
        ),
        Constraint.RUNNING_WORK: not needed and situation.running_work.busy > 0,
        Constraint.BACKLOG: not _overridden(situation) and wanted < current and _bursts(situation),
        Constraint.EMBARGO: not needed
        and (unsettled(situation) or any(embargo.change is change for embargo in memory.embargoes)),
        Constraint.NO_GAIN: not needed
        and (
            situation.late is not False
            or situation.learning
            or changes >= MOST_CHANGES
            or (last is not None and situation.now - last < COOLDOWN)
        ),
    }
    return next((constraint for constraint, hold in holds.items() if hold), None)
