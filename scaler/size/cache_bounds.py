"""The cache sizes that may be chosen: between the declared bounds, as far as memory holds them. Pure."""

import math
from dataclasses import dataclass

from scaler.fleet import CACHE_FLOOR, Fleet
from scaler.model.decision import Constraint
from scaler.model.estimate import MemoryUse

TRUSTED_GROWTH = 2.0
"""A cache may grow to so many times what was ever seen full; beyond, memory is extrapolation."""

NO_BOUND = 10**9

FIRST_CACHE = 100
"""The size that a fleet starts with where nothing is known: small enough to be watched growing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBounds:
    """The cache sizes that may be chosen, and what bounds them above."""

    lowest: int
    highest: int
    bound: Constraint
    too_small: bool = False  # the memory limit does not even hold the lowest
    fits: int | None = None  # the largest that memory holds in a worker that runs no activities


def cache_bounds(memory: MemoryUse, fleet: Fleet, current: int | None, slots: int = 0) -> CacheBounds | None:
    """The cache sizes that may be chosen beside so many activity slots; None where the cache is not decided here.

    A cache grows to what fits with an activity in every slot. Below the declared minimum only its own runs bring it:
    where activities take the room, the count has to make some.
    """
    if not fleet.decides_cache:
        return None
    above = [(fleet.cache.max, Constraint.CACHE_MAX), (_trusted(memory, current), Constraint.CACHE_TRUST)]
    usable = usable_bytes(memory, fleet)
    fits = memory.largest_cache(usable) if usable is not None else None
    if usable is not None:
        above.append((memory.largest_cache(usable, slots), Constraint.MEMORY))
        if current is not None:
            above.append((_raisable(memory, fleet, current, slots), Constraint.MEMORY))
    highest, bound = min(above, key=lambda each: each[0])
    lowest = fleet.cache.min
    if highest >= lowest:
        return CacheBounds(lowest=lowest, highest=highest, bound=bound, fits=fits)
    if fits is None or fits >= lowest:
        return CacheBounds(lowest=lowest, highest=lowest, bound=Constraint.CACHE_MIN, fits=fits)
    # Memory outranks the declared minimum, and the hard floor outranks memory.
    safe = max(CACHE_FLOOR, fits)
    return CacheBounds(lowest=safe, highest=safe, bound=Constraint.MEMORY, too_small=fits < CACHE_FLOOR, fits=fits)


def replayable(memory: MemoryUse, fleet: Fleet, activities: float) -> int:
    """The largest cache that workers hold after a rollout, when all runs come back by replays.

    What was seen of those has to leave the head-room; what is assumed before may take it.
    """
    heavier, limit = memory.after_replay, memory.limit_bytes or 0
    if heavier is None:
        return NO_BOUND
    bound = limit * (1 - fleet.memory.headroom) if memory.replay_seen else float(limit)
    return max(heavier.largest_cache(bound, activities), CACHE_FLOOR)


def _raisable(memory: MemoryUse, fleet: Fleet, current: int, slots: int) -> int:
    """The largest cache that a rollout may raise to.

    Until replayed runs were seen, a rollout may only bring back what is held now: that has to fit by what is assumed,
    and the first workers that are replaced show what is true. An assumption about the larger cache would forbid every
    raise, and never be looked up.
    """
    heavier = memory.after_replay
    if memory.replay_seen or heavier is None:
        return max(replayable(memory, fleet, slots), current)
    held = min(current, memory.most_held)
    return NO_BOUND if heavier.predicted_bytes(held, slots) <= (memory.limit_bytes or 0) else current


def usable_bytes(memory: MemoryUse, fleet: Fleet) -> float | None:
    """The memory limit less its head-room; None where no limit is known."""
    return None if memory.limit_bytes is None else memory.limit_bytes * (1 - fleet.memory.headroom)


def _trusted(memory: MemoryUse, current: int | None) -> int:
    """Growth is trusted from what was seen full; what is set already needs no more trust than it had."""
    if not memory.measured or memory.limit_bytes is None:
        return current if current is not None else FIRST_CACHE
    return max(math.ceil(TRUSTED_GROWTH * memory.largest_cached / memory.caches), current or 0, CACHE_FLOOR)
