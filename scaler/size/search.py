"""The size that the load needs at the least cost, before anything is held, stepped or bounded in time. Pure.

Workers and cache are searched together: workers × cache decides how many workflow tasks need a replay, cache × bytes
per workflow is bounded by the memory limit, workers × slots decides how long activities wait.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scaler.fleet import CACHE_FLOOR, Fleet
from scaler.model.common import Polled, Size
from scaler.model.decision import Alternative, Constraint, Prediction
from scaler.model.estimate import Estimate, Load
from scaler.size.activity_memory import RunningActivities, fewest_workers
from scaler.size.cache_bounds import CacheBounds, cache_bounds, usable_bytes
from scaler.size.capacity import MOST_WORKERS, Asked, Service, predicted_wait, workers_needed
from scaler.size.offer import Offers

NEXT_CACHE = 1.25
"""How far the neighbours of a cache size are from it that a decision tells of."""

PAYBACK_HOURS = 2.0
"""A change of the cache has to earn its cost in this time."""

CHANGE_WORKERS = 0.02
"""Cost of a change beside the surge, as a part of the fleet for an hour: lost caches, attention, risk."""

CUT_IS_DEAR = 1.0
"""A smaller cache than the present one is as dear as a fleet that is larger by the part that is cut: what activities
took is not to be cut out of a cache."""

EQUAL_COSTS = 0.005
"""Costs that differ by less than this part are equal; of equals the larger cache wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What the load needs, what binds it, and what was rejected."""

    size: Size
    workers_bound: Constraint
    workers_queue: Polled | None  # whose load asks for the workers
    cache_bound: Constraint
    cost_per_hour: float
    predicted: Prediction
    safe_cache: int | None  # the largest that memory allows; None where it is not decided
    alternatives: tuple[Alternative, ...] = ()
    memory_floor: bool = False
    activities_fill_memory: bool = False  # with no number of workers that is allowed they fit beside a cache


@dataclass(frozen=True, slots=True)
class _Asking:
    """How many workers are asked for, by what, and by which queue where it is one."""

    workers: int
    bound: Constraint
    queue: Polled | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    size: Size
    asking: _Asking
    cost_per_hour: float
    fits: bool = True


class Search:
    """All sizes that may be chosen, for one estimate of one fleet."""

    def __init__(self, estimate: Estimate, fleet: Fleet, current: Size, offers: Offers | None = None) -> None:
        self._estimate = estimate
        self._fleet = fleet
        self._current = current
        self._offers = offers or Offers(estimate)
        self._workflows = tuple(map(self._asked, estimate.workflow_loads))
        self._activities = tuple(map(self._asked, estimate.activity_loads))
        self._for_activities = self._most_for(self._activities, current)  # the cache does not touch them
        self._running = RunningActivities.of(estimate)

    def _asked(self, load: Load) -> Asked:
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
        bounds = cache_bounds(self._estimate.memory, self._fleet, self._current.cache, self._running.slots)
        candidates = [self._candidate(cache) for cache in self._caches(bounds)]
        fitting = [each for each in candidates if each.fits]
        best = _cheapest(fitting) if fitting else self._candidate(CACHE_FLOOR if bounds is not None else None)
        return Need(
            size=best.size,
            workers_bound=best.asking.bound,
            workers_queue=best.asking.queue,
            cache_bound=self._cache_bound(best.size.cache, bounds),
            cost_per_hour=best.cost_per_hour,
            predicted=self.predict(best.size),
            safe_cache=self._safe_beside(best.size.workers) if self._fleet.decides_cache else None,
            alternatives=tuple(self._rejected(best, bounds)),
            memory_floor=bounds is not None and bounds.too_small,
            activities_fill_memory=not fitting,
        )

    def workers_at(self, cache: int | None) -> tuple[int, Constraint]:
        """The fewest workers that keep all queues' objectives with caches of this size, and what asks for them."""
        asked = self._asked_at(cache)
        return asked.workers, asked.bound

    def _asked_at(self, cache: int | None) -> _Asking:
        asked = self._for_all(cache) if self._workflows else self._for_activities
        by_memory = self._for_memory(cache)
        if by_memory is None or by_memory > asked.workers:
            most = self._fleet.most_workers if by_memory is None else by_memory
            asked = _Asking(most, Constraint.ACTIVITY_MEMORY)
        reserve = self._fleet.workers.reserve
        if reserve and not asked.workers:
            return _Asking(reserve, Constraint.RESERVE)
        return replace(asked, workers=asked.workers + reserve)

    def _for_memory(self, cache: int | None) -> int | None:
        """The fewest workers whose memory holds their share of the activities; None where the most do not."""
        usable = usable_bytes(self._estimate.memory, self._fleet)
        fewest = fewest_workers(self._estimate.memory, self._running, cache, usable) if usable is not None else 0
        return fewest if fewest is not None and fewest <= self._fleet.most_workers else None

    def _safe_beside(self, workers: int) -> int | None:
        """The largest cache that memory holds beside the share of so many workers, or of those that there are."""
        memory, usable = self._estimate.memory, usable_bytes(self._estimate.memory, self._fleet)
        if usable is None:
            return None
        standing = max(workers, self._current.workers)
        safe, current = memory.largest_cache(usable, self._running.most_on_one(standing)), self._current.cache
        if current is not None and safe < current <= memory.largest_cache(usable):
            # It would fit but for the activities: they are the count's matter, as long as that has room for them.
            by_count = self._for_memory(current)
            return current if by_count is not None and by_count <= standing else safe
        return safe

    def _for_all(self, cache: int | None) -> _Asking:
        """The fewest workers that are enough with the replays that so many lead to, and for activities.

        Bisection. More workers also mean more cache, so fewer replays, so fewer workers needed: what is asked for with
        a count that is enough bounds the answer from below, with one that is not, from above.
        """
        asked = self._for_activities
        fewest, workers, most = asked.workers, asked.workers, MOST_WORKERS
        while fewest < most:
            size = Size(max(workers, 1), cache)
            needed = max(self._most_for(self._workflows, size), self._for_cores(size), key=lambda each: each.workers)
            if needed.workers <= workers:
                fewest, most = max(fewest, needed.workers), workers
            else:
                fewest, most, asked = workers + 1, min(most, needed.workers), needed
            workers = (fewest + most) // 2
        return replace(asked, workers=fewest)

    def _for_cores(self, size: Size) -> _Asking:
        """Workers whose cores bear the workflow tasks of several queues together; each queue alone knows its own."""
        cores, nobody = self._estimate.workflow_cores, _Asking(0, Constraint.WORKFLOW_TASK_LOAD)
        if cores is None or len(self._workflows) == 1:
            return nobody
        busy = [self._cores_busy(asked, size) for asked in self._workflows]
        most = self._workflows[max(range(len(busy)), key=busy.__getitem__)]
        workers = math.ceil(sum(busy) / (cores * most.utilisation_cap) - 1e-9)
        return _Asking(workers, Constraint.WORKFLOW_TASK_LOAD, Polled.of(most.load))

    def _cores_busy(self, asked: Asked, size: Size) -> float:
        service, core_seconds = self._offers.service(asked.load, size), self._offers.core_seconds(asked.load, size)
        if service is None or core_seconds is None:
            return 0.0
        return asked.stream(service.task_seconds).arrivals_per_second * core_seconds

    def predict(self, size: Size) -> Prediction:
        """What a size is expected to do."""
        memory = self._estimate.memory
        busy = [
            load.erlangs / load.slots_per_worker if load.erlangs is not None and load.slots_known else None
            for load in self._estimate.activity_loads
        ]
        known = [each for each in busy if each is not None]
        return Prediction(
            size=size,
            workflow_task_seconds=self._longest_wait(self._workflows, size),
            activity_seconds=self._longest_wait(self._activities, size),
            memory_bytes=int(memory.predicted_bytes(size.cache, self._running.most_on_one(size.workers)))
            if size.cache is not None
            else None,
            miss_ratio=self._offers.misses(size),
            cost_per_hour=self._cost(size),
            utilisation=max(known) / size.workers if known and len(known) == len(busy) and size.workers else None,
        )

    def _longest_wait(self, asked: Sequence[Asked], size: Size) -> float | None:
        """Of the queues that are known; None where a task of one waits without end, and while nobody knows."""
        offers = [(each, self._offers.service(each.load, size)) for each in asked]
        waits = [predicted_wait(each, service, size.workers) for each, service in offers if service is not None]
        longest = max(waits, default=math.inf)
        return longest if math.isfinite(longest) else None

    def _caches(self, bounds: CacheBounds | None) -> Sequence[int | None]:
        """The largest that may be chosen, and the present one, which costs no change.

        No other is worth a change: it asks for as many workers as the largest or more, and with as many for more
        replays. A present one that is larger than what fits beside activities in all slots may fit beside what each
        worker has of them.
        """
        current = self._current.cache
        if bounds is None:
            return [current]
        fits = bounds.highest if bounds.fits is None else max(bounds.fits, bounds.highest)
        stays = current is not None and bounds.lowest <= current <= fits and current != bounds.highest
        return [bounds.highest, current] if stays else [bounds.highest]

    def count_at(self, cache: int | None) -> tuple[int, Constraint]:
        """The fewest workers with caches of this size that keep the objectives and every declared floor."""
        asked = self._asked_or_declared(cache)
        return asked.workers, asked.bound

    def _asked_or_declared(self, cache: int | None) -> _Asking:
        least, scheduled = self._fleet.workers.min, self._estimate.schedule_floor
        floors = [_Asking(least, Constraint.WORKERS_MIN), _Asking(scheduled, Constraint.SCHEDULE)]
        return max([self._asked_at(cache), *floors], key=lambda asked: asked.workers)

    def _candidate(self, cache: int | None) -> _Candidate:
        asking, by_memory = self._asked_or_declared(cache), self._for_memory(cache)
        size = Size(asking.workers, cache)
        fits = by_memory is not None and asking.workers >= by_memory
        return _Candidate(size, asking, self._cost(size), fits=fits)

    def _cost(self, size: Size) -> float:
        """Worker-hours and the hours spent on replays, at a worker's price, and what a change costs spread out."""
        use, price = self._estimate.cache, self._fleet.workers.price
        replaying = 0.0
        misses = self._offers.misses(size)
        if misses is not None and use.replay_seconds is not None:
            cores = self._estimate.workflow_cores or 1.0
            tasks_per_second = sum(load.arrivals_per_second for load in self._estimate.workflow_loads)
            replaying = tasks_per_second * misses * use.replay_seconds / cores
        changing = 0.0
        if self._current.cache is not None and size.cache != self._current.cache:
            surge_hours = self._estimate.start_seconds * max(1.0, size.workers / 4) / 3600
            changing = (surge_hours + CHANGE_WORKERS * size.workers) / PAYBACK_HOURS
            lost = (
                max(1 - (size.cache or 0) / self._current.cache, 0.0) if self._estimate.memory.activity_bytes else 0.0
            )
            changing += CUT_IS_DEAR * lost * size.workers
        return price * (size.workers + replaying + changing)

    def _most_for(self, asked: Sequence[Asked], size: Size) -> _Asking:
        """Workers for the queue that asks for most; each worker serves all queues, with slots for each."""
        needed = [self._workers_for(each, self._offers.service(each.load, size)) for each in asked]
        return max(needed, key=lambda each: each.workers, default=_Asking(0, Constraint.WORKERS_MIN))

    def _workers_for(self, asked: Asked, service: Service | None) -> _Asking:
        """Workers for one queue, each of which offers so much; None where nobody knows. No more than help it."""
        workers, bound = workers_needed(asked, service) if service is not None else self._unmeasured(asked.load)
        helped_by = asked.load.helped_by
        if helped_by is not None and workers > helped_by:
            workers, bound = helped_by, Constraint.NO_GAIN
        return _Asking(workers, bound, Polled.of(asked.load))

    def _unmeasured(self, load: Load) -> tuple[int, Constraint]:
        """Work that waits but was never measured: one worker to wake on, then one more while it stays.

        A reading from before the workers that were added last could have served is answered by them already. The
        reserve comes on top of what the load asks for, so it is no part of that.
        """
        serving = max(self._current.workers - self._fleet.workers.reserve, 0)
        if load.backlog_tasks:
            until = self._estimate.answered_until
            answered = serving > 0 and until is not None and load.read_at is not None and load.read_at <= until
            return serving if answered else serving + 1, Constraint.BACKLOG
        return (max(1, serving) if load.arrivals_per_second else 0), Constraint.WORKERS_MIN

    def _cache_bound(self, cache: int | None, bounds: CacheBounds | None) -> Constraint:
        if bounds is None or cache is None:
            return Constraint.FIXED
        return bounds.bound if cache >= bounds.highest else Constraint.REPLAY_COST

    def _rejected(self, best: _Candidate, bounds: CacheBounds | None) -> Iterator[Alternative]:
        """The neighbours of the chosen size, each with what spoke against it."""
        workers, cache = best.size.workers, best.size.cache
        if workers > self._fleet.workers.min:
            yield Alternative(predicted=self.predict(Size(workers - 1, cache)), against=best.asking.bound)
        if bounds is None or cache is None:
            return
        smaller = max(int(cache / NEXT_CACHE), bounds.lowest)
        if smaller < cache:
            yield Alternative(predicted=self.predict(self._candidate(smaller).size), against=Constraint.REPLAY_COST)
        if cache >= bounds.highest:
            larger = math.ceil(NEXT_CACHE * cache)
            yield Alternative(predicted=self.predict(Size(workers, larger)), against=bounds.bound)


def _cheapest(candidates: list[_Candidate]) -> _Candidate:
    """Of those at the lowest cost the largest cache: it costs nothing and saves replays."""
    lowest = min(candidate.cost_per_hour for candidate in candidates)
    near = [candidate for candidate in candidates if candidate.cost_per_hour <= lowest * (1 + EQUAL_COSTS) + 1e-9]
    return max(near, key=lambda candidate: candidate.size.cache or 0)
