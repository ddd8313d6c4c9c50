"""The size that the load needs at the least cost, before anything is held, stepped or bounded in time. Pure.

Workers and cache are searched together: workers × cache decides how many workflow tasks need a replay, cache × bytes
per workflow is bounded by the memory limit, workers × slots decides how long activities wait.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scaler.capacity import Asked, Service, predicted_wait, workers_needed
from scaler.fleet import CACHE_FLOOR, Fleet
from scaler.model.common import Size
from scaler.model.decision import Alternative, Constraint, Prediction
from scaler.model.estimate import Estimate, Load, MemoryUse
from scaler.offer import Offers

TRUSTED_GROWTH = 2.0
"""A cache may grow to so many times what was ever seen full; beyond, memory is extrapolation."""

CANDIDATES = 12
ITERATIONS = 4
"""Workers and misses depend on each other; after so many rounds they differ by less than one worker."""

SMALLEST_STEP = 1.25

PAYBACK_HOURS = 2.0
"""A change of the cache has to earn its cost in this time."""

CHANGE_WORKERS = 0.02
"""Cost of a change beside the surge, as a part of the fleet for an hour: lost caches, attention, risk."""

GAIN = 0.05
"""A change of the cache that saves less than this part of the cost is not worth it; of equals the larger wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBounds:
    """The cache sizes that may be chosen, and what bounds them above."""

    lowest: int
    highest: int
    bound: Constraint
    too_small: bool = False  # the memory limit does not even hold the lowest


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What the load needs, what binds it, and what was rejected."""

    size: Size
    workers_bound: Constraint
    cache_bound: Constraint
    cost_per_hour: float
    predicted: Prediction
    safe_cache: int | None  # the largest that memory allows; None where it is not decided
    alternatives: tuple[Alternative, ...] = ()
    memory_floor: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    size: Size
    bound: Constraint
    cost_per_hour: float


class Search:
    """All sizes that may be chosen, for one estimate of one fleet."""

    def __init__(self, estimate: Estimate, fleet: Fleet, current: Size, offers: Offers | None = None) -> None:
        self._estimate = estimate
        self._fleet = fleet
        self._current = current
        self._offers = offers or Offers(estimate)
        self._workflow, self._activity = self._asked(estimate.workflow), self._asked(estimate.activity)
        # The cache does not touch activities, so this is the same for every size.
        nobody = (0, Constraint.WORKERS_MIN)
        self._for_activities = self._workers_for(self._activity, self._offers.activity) if self._activity else nobody

    def _asked(self, load: Load | None) -> Asked | None:
        if load is None:
            return None
        return Asked(
            load=load,
            objective_seconds=self._fleet.objective_seconds(load.task_type),
            percentile=self._fleet.objective.percentile,
            start_seconds=self._estimate.start_seconds,
        )

    def with_margins(self, part: float) -> "Search":
        """The same with so much of each load's margin, which changes nothing of what a worker offers."""
        return Search(self._estimate.with_margins(part), self._fleet, self._current, self._offers)

    def need(self) -> Need:
        """The cheapest size that keeps every objective within the memory limit."""
        bounds = cache_bounds(self._estimate.memory, self._fleet, self._current.cache)
        candidates: list[_Candidate] = []
        for cache in self._caches(bounds):
            near = candidates[-1].size.workers if candidates else None
            candidates.append(self._candidate(cache, near))
        best = _cheapest(candidates)
        return Need(
            size=best.size,
            workers_bound=best.bound,
            cache_bound=self._cache_bound(best.size.cache, bounds),
            cost_per_hour=best.cost_per_hour,
            predicted=self.predict(best.size),
            safe_cache=_safe_cache(self._estimate.memory, self._fleet) if self._fleet.decides_cache else None,
            alternatives=tuple(self._rejected(best, candidates, bounds)),
            memory_floor=bounds is not None and bounds.too_small,
        )

    def workers_at(self, cache: int | None, near: int | None = None) -> tuple[int, Constraint]:
        """The fewest workers that keep the objectives of both task types with this cache size.

        More workers also mean more cache, so fewer replays, so fewer workers: found by iteration.

        Args:
            cache: The size of each cache.
            near: A count from which to look, if one is known to be close.

        """
        floor, workflow = self._for_activities, self._workflow
        best = floor
        if workflow is not None:
            workers = max(near or self._current.workers, floor[0], 1)
            for _ in range(ITERATIONS):
                needed = self._workers_for(workflow, self._offers.workflow(Size(workers, cache)))
                best = needed if needed[0] > floor[0] else floor
                if max(best[0], 1) == workers:
                    break
                workers = max(best[0], 1)
        reserve = self._fleet.workers.reserve
        return best[0] + reserve, Constraint.RESERVE if reserve and best[0] == 0 else best[1]

    def predict(self, size: Size) -> Prediction:
        """What a size is expected to do."""
        activity, memory = self._estimate.activity, self._estimate.memory
        utilisation = None
        if activity is not None and activity.erlangs is not None and size.workers:
            utilisation = activity.erlangs / (size.workers * activity.slots_per_worker)
        return Prediction(
            size=size,
            workflow_task_seconds=_wait_seconds(self._workflow, self._offers.workflow(size), size.workers),
            activity_seconds=_wait_seconds(self._activity, self._offers.activity, size.workers),
            memory_bytes=int(memory.predicted_bytes(size.cache)) if size.cache is not None else None,
            miss_ratio=self._offers.misses(size),
            cost_per_hour=self._cost(size),
            utilisation=utilisation,
        )

    def _caches(self, bounds: CacheBounds | None) -> Sequence[int | None]:
        if bounds is None:
            return [self._current.cache]
        ratio = bounds.highest / bounds.lowest
        step = max(SMALLEST_STEP, ratio ** (1 / CANDIDATES))
        caches = {bounds.lowest, bounds.highest}
        cache = float(bounds.highest)
        while (cache := cache / step) > bounds.lowest:
            caches.add(int(cache))
        if self._current.cache is not None and bounds.lowest <= self._current.cache <= bounds.highest:
            caches.add(self._current.cache)
        return sorted(caches, reverse=True)

    def _candidate(self, cache: int | None, near: int | None) -> _Candidate:
        workers, bound = self.workers_at(cache, near)
        floor = max(self._fleet.workers.min, self._estimate.schedule_floor)
        if floor > workers:
            by_schedule = self._estimate.schedule_floor >= self._fleet.workers.min and floor > self._fleet.workers.min
            workers, bound = floor, Constraint.SCHEDULE if by_schedule else Constraint.WORKERS_MIN
        size = Size(workers, cache)
        return _Candidate(size, bound, self._cost(size))

    def _cost(self, size: Size) -> float:
        """Worker-hours and the hours spent on replays, at a worker's price, and what a change costs spread out."""
        workflow, use, price = self._estimate.workflow, self._estimate.cache, self._fleet.workers.price
        replaying = 0.0
        misses = self._offers.misses(size)
        if workflow is not None and misses is not None and use.replay_seconds is not None:
            cores = self._estimate.workflow_cores or 1.0
            replaying = workflow.arrivals_per_second * misses * use.replay_seconds / cores
        changing = 0.0
        if self._current.cache is not None and size.cache != self._current.cache:
            surge_hours = self._estimate.start_seconds * max(1.0, size.workers / 4) / 3600
            changing = (surge_hours + CHANGE_WORKERS * size.workers) / PAYBACK_HOURS
        return price * (size.workers + replaying + changing)

    def _workers_for(self, asked: Asked, service: Service | None) -> tuple[int, Constraint]:
        """Workers for one task type, each of which offers so much; None where nobody knows."""
        return workers_needed(asked, service) if service is not None else self._unmeasured(asked.load)

    def _unmeasured(self, load: Load) -> tuple[int, Constraint]:
        """Work that waits but was never measured: one worker to wake on, then one more while it stays."""
        if load.backlog_tasks:
            return self._current.workers + 1, Constraint.BACKLOG
        return (max(1, self._current.workers) if load.arrivals_per_second else 0), Constraint.WORKERS_MIN

    def _cache_bound(self, cache: int | None, bounds: CacheBounds | None) -> Constraint:
        if bounds is None or cache is None:
            return Constraint.FIXED
        return bounds.bound if cache >= bounds.highest else Constraint.REPLAY_COST

    def _rejected(
        self, best: _Candidate, candidates: list[_Candidate], bounds: CacheBounds | None
    ) -> Iterator[Alternative]:
        """The neighbours of the chosen size, each with what spoke against it."""
        workers, cache = best.size.workers, best.size.cache
        if workers > self._fleet.workers.min:
            yield Alternative(predicted=self.predict(Size(workers - 1, cache)), against=best.bound)
        if bounds is None or cache is None:
            return
        smaller = [each for each in candidates if (each.size.cache or 0) < cache]
        if smaller:
            yield Alternative(predicted=self.predict(smaller[0].size), against=Constraint.REPLAY_COST)
        if cache >= bounds.highest:
            larger = math.ceil(SMALLEST_STEP * cache)
            yield Alternative(predicted=self.predict(Size(workers, larger)), against=bounds.bound)


def _wait_seconds(asked: Asked | None, service: Service | None, workers: int) -> float | None:
    """How long a task waits; None while nobody knows, and where it is without end."""
    if asked is None or service is None:
        return None
    wait = predicted_wait(asked, service, workers)
    return wait if math.isfinite(wait) else None


def _cheapest(candidates: list[_Candidate]) -> _Candidate:
    """Of those within the gain of the lowest cost the largest cache: it costs nothing and saves replays."""
    lowest = min(candidate.cost_per_hour for candidate in candidates)
    near = [candidate for candidate in candidates if candidate.cost_per_hour <= lowest * (1 + GAIN / 10) + 1e-9]
    return max(near, key=lambda candidate: candidate.size.cache or 0)


def cache_bounds(memory: MemoryUse, fleet: Fleet, current: int | None) -> CacheBounds | None:
    """The cache sizes that may be chosen; None where the cache is not decided here."""
    if not fleet.decides_cache:
        return None
    above = [(fleet.cache.max, Constraint.CACHE_MAX), (_trusted(memory, current), Constraint.CACHE_TRUST)]
    safe = _safe_cache(memory, fleet)
    if safe is not None:
        above.append((safe, Constraint.MEMORY))
    highest, bound = min(above, key=lambda each: each[0])
    lowest = fleet.cache.min
    if highest >= lowest:
        return CacheBounds(lowest=lowest, highest=highest, bound=bound)
    if safe is None or safe >= lowest:
        return CacheBounds(lowest=lowest, highest=lowest, bound=Constraint.CACHE_MIN)
    # Memory outranks the declared minimum, and the hard floor outranks memory.
    fits = max(CACHE_FLOOR, safe)
    return CacheBounds(lowest=fits, highest=fits, bound=Constraint.MEMORY, too_small=safe < CACHE_FLOOR)


def _safe_cache(memory: MemoryUse, fleet: Fleet) -> int | None:
    """The largest cache that stays within the memory limit less its head-room; None where no limit is known."""
    if memory.limit_bytes is None:
        return None
    return memory.largest_cache(memory.limit_bytes * (1 - fleet.memory.headroom))


def _trusted(memory: MemoryUse, current: int | None) -> int:
    """Growth is trusted from what was seen full; what is set already needs no more trust than it had."""
    if not memory.measured or memory.limit_bytes is None:
        return current if current is not None else FIRST_CACHE
    return max(math.ceil(TRUSTED_GROWTH * memory.largest_cached / memory.caches), current or 0, CACHE_FLOOR)


FIRST_CACHE = 100
"""The size that a fleet starts with where nothing is known: small enough to be watched growing."""
