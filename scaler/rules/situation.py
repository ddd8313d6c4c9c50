"""Where a fleet stands when a decision is made: what was seen, what follows from it, what is wanted. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from scaler.claims import set_by_another_hand
from scaler.fleet import Fleet
from scaler.learn import freshness
from scaler.learn.arrivals import FIRST_RATES, LEARNING_TIME
from scaler.model.common import Quality, Size
from scaler.model.decision import Constraint
from scaler.model.estimate import Estimate, Load
from scaler.model.observation import Observation, WorkerSeen, WorkerState
from scaler.model.record import RolloutStep, TargetRecord
from scaler.model.remembered import Remembered
from scaler.rules.readings import Readings
from scaler.rules.running_work import RunningWork
from scaler.size.search import Need, Search

EMERGENCY_FRACTION = 0.92
"""Part of the memory limit at which a worker is as good as killed."""

GROWTH_COUNTS_FROM = 0.75
"""Part of the memory limit below which growth is no emergency, unless caches fill: then it goes on."""

SURGE_FRACTION = 0.25

MARGIN_KEPT, MARGIN_SPARED = 0.25, 2.5
"""A margin is there to be used up: workers are added for the load once less than the first part of it is left, and
taken away once the load would still have the second above it. With nothing between the count follows every ripple."""

OVERFULL_BEATS = 2
"""After so many heartbeats in a row in which a worker tells of more cached than the size allows, the size is not
honoured."""


def set_size(seen: Observation) -> Size:
    """The size that this product set the target to; before its first plan, what was found there."""
    record = seen.applied.record or seen.found
    if record is not None and record.intended is not None:
        return record.intended
    return Size(seen.target.desired or 0, seen.target.cache)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that the rules look at; nothing in it changes while a decision is made."""

    seen: Observation
    fleet: Fleet
    estimate: Estimate
    search: Search
    need: Need
    memory: Remembered
    now: datetime

    @cached_property
    def record(self) -> TargetRecord | None:
        """The target's record as it stands after the last step."""
        return self.seen.applied.record or self.seen.found

    @cached_property
    def current(self) -> Size:
        """The size that the target is set to."""
        return set_size(self.seen)

    @cached_property
    def rolling(self) -> bool:
        """Whether a change of the cache size, or of what workers are started as, is under way."""
        cache = self.current.cache
        mixed = cache is not None and not self.seen.caches <= {None, cache}
        return mixed or bool(self.outdated) or (self.record is not None and self.record.step is not RolloutStep.NONE)

    @cached_property
    def outdated(self) -> frozenset[str]:
        """Versions of live workers that are not what one that starts now would be, where that is ours to change."""
        target = self.seen.target
        if target.versions is None or not target.version:
            return frozenset()
        return frozenset(total.version for total in self.seen.totals if total.live) - {"", target.version}

    @cached_property
    def foreign_hand(self) -> bool:
        """Whether somebody else set the count that the target has now."""
        return self.record is not None and set_by_another_hand(self.record, self.seen.target.desired)

    @cached_property
    def new_oom_kills(self) -> int:
        """Kills under the cache size in force; what a size already replaced has caused calls for nothing new."""
        cache = self.current.cache
        kills = self.estimate.new_oom_kills
        return sum(cache is None or ended.cache is None or ended.cache <= cache for ended in kills)

    @cached_property
    def breaching(self) -> tuple[WorkerSeen, ...]:
        """Live workers that are about to be killed for their memory, fullest first.

        Growth counts for those that serve: one that starts grows by what it imports, and stops by itself.
        """
        memory, limit = self.estimate.memory, self.estimate.memory.limit_bytes
        if limit is None:
            return ()
        growing = max((memory.soonest_bytes or 0) - (memory.fullest_bytes or 0), 0)
        soon = max(limit - growing, 0.0 if self._caches_fill else GROWTH_COUNTS_FROM * limit)
        return self._fuller_than(min(EMERGENCY_FRACTION * limit, soon), EMERGENCY_FRACTION * limit)

    @cached_property
    def full(self) -> tuple[WorkerSeen, ...]:
        """Those of them that need not even grow any more."""
        limit = self.estimate.memory.limit_bytes
        return () if limit is None else self._fuller_than(EMERGENCY_FRACTION * limit, EMERGENCY_FRACTION * limit)

    def _fuller_than(self, ready_bytes: float, live_bytes: float) -> tuple[WorkerSeen, ...]:
        if (self.seen.fullest_bytes or 0) < ready_bytes:
            return ()
        full = [
            worker
            for worker in self.seen.live
            if (worker.memory_bytes or 0) >= (ready_bytes if worker.state is WorkerState.READY else live_bytes)
        ]
        return tuple(sorted(full, key=lambda worker: worker.memory_bytes or 0, reverse=True))

    @cached_property
    def _caches_fill(self) -> bool:
        """Whether workflow tasks come to caches that are not known to be full: growth goes on then."""
        if not any(load.arrivals_per_second for load in self.estimate.workflow_loads):
            return False
        return any(
            worker.cached is None or worker.cache is None or worker.cached < worker.cache * (worker.caches or 1)
            for worker in self.seen.ready
        )

    @cached_property
    def breach(self) -> bool:
        """Whether a worker under the cache size in force is about to be killed."""
        cache = self.current.cache
        return any(cache is None or worker.cache is None or worker.cache <= cache for worker in self.breaching)

    @cached_property
    def poisoned(self) -> bool:
        """Whether single workflows are what kills workers: no size helps against them."""
        return bool(self.seen.suspects)

    @cached_property
    def decides_cache(self) -> bool:
        """Whether the cache size can be set: declared so, honoured by the workers, and not left to somebody else."""
        honoured = self.memory.overfull < OVERFULL_BEATS
        return self.fleet.decides_cache and honoured and self.memory.cache_left_since is None

    @cached_property
    def overridden(self) -> bool:
        """Whether an operator set the worker count; an override of the cache alone leaves the rules of the count."""
        override = self.memory.operator.override
        return override is not None and override.workers is not None

    @cached_property
    def readings(self) -> Readings:
        """What is seen of each queue, with nothing that is predicted."""
        return Readings(self.seen, self.fleet, self.estimate, self.now)

    @property
    def late_loads(self) -> tuple[Load, ...]:
        """The loads whose tasks a fresh reading shows to wait longer than the objective."""
        return self.readings.late_loads

    @cached_property
    def late(self) -> bool | None:
        """Whether tasks wait longer than the objective; None while too little that is fresh tells."""
        if self.late_loads:
            return True
        return False if all(load.quality is Quality.FRESH for load in self.estimate.loads) else None

    @cached_property
    def all_fresh(self) -> bool:
        """Whether everything is known that taking something away rests on."""
        loads = self.estimate.loads
        qualities = {load.quality for load in loads} | {self.estimate.memory.quality, self.target_quality}
        return qualities == {Quality.FRESH} and all(load.busy_known for load in loads)

    @cached_property
    def any_signal(self) -> bool:
        """Whether anything at all is known of the load."""
        return any(load.quality is not Quality.MISSING for load in self.estimate.loads)

    @cached_property
    def target_quality(self) -> Quality:
        """How well the target itself is known."""
        return freshness.TARGET.quality(self.seen.target, self.now)

    @cached_property
    def running_work(self) -> RunningWork:
        """Which workers would lose what they run if they were asked to leave."""
        return RunningWork(self.seen, self.fleet, self.estimate, self.now)

    @cached_property
    def staying(self) -> int:
        """How many workers may not be asked to leave now: all of them where they were not seen lately."""
        if self.target_quality is not Quality.FRESH:
            return max(self.current.workers, self.seen.live_count)
        return self.running_work.staying

    @cached_property
    def surge(self) -> int:
        """How many workers a rollout may run above the decided count."""
        declared = self.fleet.behaviour.surge
        return declared if declared is not None else max(1, math.ceil(SURGE_FRACTION * self.current.workers))

    @cached_property
    def workers_ceiling(self) -> int:
        """The most workers that bounds and limits allow."""
        return self.fleet.most_workers

    @cached_property
    def within_margin(self) -> bool:
        """Whether nothing waits, and the present size still bears the load and enough of its margin."""
        return not self._waits and self._workers_with(MARGIN_KEPT)[0] <= self.current.workers

    @cached_property
    def unproven(self) -> bool:
        """Whether the load is told by its first rates alone, while some workers serve and nothing waits or was late."""
        return self._watched < FIRST_RATES and self.estimate.ready > 0 and not self._waits and self.late is False

    @cached_property
    def barely_seen(self) -> bool:
        """Whether this product has not set the target yet, or knows the load by its first rates alone."""
        unset = self.record is None or self.record.intended is None
        return unset or (self.any_signal and self._watched < FIRST_RATES)

    @cached_property
    def learning(self) -> bool:
        """Whether arrivals were not watched for long enough to give anything up on their word."""
        return self._watched < LEARNING_TIME

    @cached_property
    def _watched(self) -> timedelta:
        return min((load.watched for load in self.estimate.loads), default=timedelta.max)

    @cached_property
    def _waits(self) -> bool:
        return any(load.backlog_tasks for load in self.estimate.loads)

    @cached_property
    def spared_workers(self) -> tuple[int, Constraint]:
        """Workers that leave more than the margin above the load, so that taking others away need not be undone."""
        return self._workers_with(MARGIN_SPARED)

    def _workers_with(self, margin: float) -> tuple[int, Constraint]:
        return self.search.with_margins(margin).workers_at(self.current.cache)

    def workers_at(self, cache: int | None) -> tuple[int, Constraint]:
        """What a cache size needs, and what asks for it: fewer cached workflows mean more replays, so more workers."""
        if cache == self.need.size.cache:
            return self.need.size.workers, self.need.workers_bound
        return self.search.count_at(cache)
