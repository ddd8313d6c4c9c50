"""When the cache size may change, and to what. Pure.

A cut for safety is immediate. Everything else waits until it is calm, pays, and was not changed a moment ago.
"""

from dataclasses import dataclass
from datetime import timedelta

from scaler.model.decision import Constraint, Reason
from scaler.situation import Situation

COOLDOWN = timedelta(minutes=2)
RAISE_FACTOR, CUT_FACTOR = 1.5, 0.8
FULL_FRACTION = 0.8
"""A cache that is emptier than this gains nothing from being larger."""

EMERGENCY_CUT = 0.7
"""After a kill that the estimate can't explain, the cache is cut by this factor: the estimate is what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheChoice:
    """The cache size to go to, what binds it, and whether it is an emergency."""

    cache: int | None
    bound: Constraint
    emergency: bool = False
    reasons: tuple[Reason, ...] = ()


def chosen_cache(situation: Situation) -> CacheChoice:
    """The cache size to go to."""
    current, need = situation.current.cache, situation.need
    if not situation.fleet.decides_cache:
        reasons = (Reason.CACHE_FIXED, *_alarms(situation)) if _alarms(situation) else ()
        return CacheChoice(cache=None, bound=Constraint.FIXED, reasons=reasons)
    if _alarms(situation):
        return _emergency(situation)
    if current is None:
        return CacheChoice(cache=need.size.cache, bound=need.cache_bound)
    wanted = _wanted(situation)
    if wanted is None:
        return CacheChoice(cache=current, bound=need.cache_bound)
    if (blocked := _blocked(situation, wanted, current)) is not None:
        return CacheChoice(cache=current, bound=blocked)
    reason = Reason.CACHE_CUT if wanted < current else Reason.CACHE_RAISED
    return CacheChoice(cache=wanted, bound=need.cache_bound, reasons=(reason,))


def _alarms(situation: Situation) -> tuple[Reason, ...]:
    alarms = {Reason.OOM_KILL: situation.new_oom_kills > 0, Reason.MEMORY_BREACH: situation.breach}
    return tuple(reason for reason, holds in alarms.items() if holds)


def _emergency(situation: Situation) -> CacheChoice:
    """Cut now to what is safe; where the estimate calls the present size safe, the kill proves it wrong."""
    alarms, need = _alarms(situation), situation.need
    current = situation.current.cache if situation.current.cache is not None else need.size.cache
    floor = situation.fleet.cache.min
    if current is None or current <= floor:
        reasons = (*alarms, Reason.AT_CACHE_FLOOR)
        return CacheChoice(cache=current, bound=Constraint.CACHE_MIN, emergency=True, reasons=reasons)
    safe = need.size.cache if need.size.cache is not None else current
    cut = max(floor, min(safe, int(current * EMERGENCY_CUT)))
    return CacheChoice(cache=cut, bound=Constraint.MEMORY, emergency=True, reasons=(*alarms, Reason.CACHE_CUT))


def _wanted(situation: Situation) -> int | None:
    """A size that differs enough to be worth a rollout; None where there is none."""
    current, proposed = situation.current.cache, situation.need.size.cache
    override = situation.memory.operator.override
    if override is not None and override.cache is not None:
        bounded = max(situation.fleet.cache.min, min(override.cache, situation.fleet.cache.max))
        safe = min(bounded, proposed) if proposed is not None else bounded
        return safe if safe != current else None
    if current is None or proposed is None:
        return None
    if proposed >= RAISE_FACTOR * current and _is_full(situation, current):
        return proposed
    return proposed if proposed <= CUT_FACTOR * current else None


def _is_full(situation: Situation, cache: int) -> bool:
    caches = situation.estimate.memory.caches
    return any((worker.cached or 0) >= FULL_FRACTION * cache * caches for worker in situation.live)


def _blocked(situation: Situation, wanted: int, current: int) -> Constraint | None:
    """Why an ordinary change has to wait; None if it does not."""
    if situation.rolling:
        return Constraint.ROLLOUT
    if situation.memory.operator.override is not None:
        return None
    if situation.estimate.restarting or situation.estimate.starting or not situation.all_fresh:
        return Constraint.MISSING_SIGNAL
    changed = situation.memory.cache_changed_at
    if changed is not None and situation.now - changed < COOLDOWN:
        return Constraint.STEP_LIMIT
    if situation.late is not False and wanted < current:
        return Constraint.HOLD_AFTER_CUT
    return None
