"""Where a fleet stands when a decision is made: what was seen, what follows from it, what is wanted. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime

from scaler import freshness
from scaler.fleet import Fleet
from scaler.model.common import Quality, Size
from scaler.model.estimate import Estimate
from scaler.model.memory import Memory
from scaler.model.observation import Observation, WorkerSeen, WorkerState
from scaler.model.record import RolloutStep, TargetRecord
from scaler.record import set_by_another_hand
from scaler.search import Need

EMERGENCY_FRACTION = 0.92
"""Part of the memory limit at which a worker is as good as killed."""

SURGE_FRACTION = 0.25


def set_size(seen: Observation) -> Size:
    """The size that this product set the target to; before its first plan, what was found there."""
    record = seen.applied.record or seen.found
    if record is not None and record.intended is not None:
        return record.intended
    return Size(seen.target.desired or 0, seen.target.cache)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the rules look at; nothing in it changes while a decision is made."""

    seen: Observation
    fleet: Fleet
    estimate: Estimate
    need: Need
    memory: Memory
    now: datetime

    @property
    def record(self) -> TargetRecord | None:
        """The target's record as it stands after the last step."""
        return self.seen.applied.record or self.seen.found

    @property
    def current(self) -> Size:
        """The size that the target is set to."""
        return set_size(self.seen)

    @property
    def live(self) -> tuple[WorkerSeen, ...]:
        """Workers that are not on their way out."""
        return tuple(worker for worker in self.seen.workers if worker.state is not WorkerState.DRAINING)

    @property
    def old(self) -> tuple[WorkerSeen, ...]:
        """Live workers that started under another cache size than the intended one."""
        cache = self.current.cache
        if cache is None:
            return ()
        return tuple(worker for worker in self.live if worker.cache not in (None, cache))

    @property
    def rolling(self) -> bool:
        """Whether a change of the cache size is under way."""
        record = self.record
        return bool(self.old) or (record is not None and record.step is not RolloutStep.NONE)

    @property
    def foreign_hand(self) -> bool:
        """Whether somebody else set the count that the target has now."""
        record = self.record
        return record is not None and set_by_another_hand(record, self.seen.target.desired)

    @property
    def new_oom_kills(self) -> int:
        """Kills under the cache size that is in force; what an already replaced size caused calls for nothing new."""
        cache = self.current.cache
        return sum(
            cache is None or ended.cache is None or ended.cache <= cache for ended in self.estimate.new_oom_kills
        )

    @property
    def breaching(self) -> tuple[WorkerSeen, ...]:
        """Live workers that are about to be killed for their memory, fullest first."""
        limit = self.estimate.memory.limit_bytes
        if limit is None:
            return ()
        full = [worker for worker in self.live if (worker.memory_bytes or 0) >= EMERGENCY_FRACTION * limit]
        return tuple(sorted(full, key=lambda worker: worker.memory_bytes or 0, reverse=True))

    @property
    def breach(self) -> bool:
        """Whether a worker under the cache size in force is about to be killed."""
        cache = self.current.cache
        return any(cache is None or worker.cache is None or worker.cache <= cache for worker in self.breaching)

    @property
    def late(self) -> bool | None:
        """Whether tasks wait longer than the objective; None while nothing fresh tells."""
        loads = self.estimate.loads
        if any(load.quality is not Quality.FRESH for load in loads):
            return None
        return any(
            max(load.backlog_age_seconds, load.schedule_to_start_seconds or 0.0)
            > self.fleet.objective_seconds(load.task_type)
            for load in loads
        )

    @property
    def all_fresh(self) -> bool:
        """Whether everything is known that taking something away rests on."""
        loads = self.estimate.loads
        qualities = {load.quality for load in loads} | {self.estimate.memory.quality, self.target_quality}
        return qualities == {Quality.FRESH} and all(load.busy_slots is not None for load in loads)

    @property
    def any_signal(self) -> bool:
        """Whether anything at all is known of the load."""
        loads = self.estimate.loads
        return any(load.quality is not Quality.MISSING for load in loads)

    @property
    def target_quality(self) -> Quality:
        """How well the target itself is known."""
        return freshness.TARGET.quality(self.seen.target, self.now)

    @property
    def surge(self) -> int:
        """How many workers a rollout may run above the decided count."""
        declared = self.fleet.behaviour.surge
        return declared if declared is not None else max(1, math.ceil(SURGE_FRACTION * self.current.workers))

    @property
    def workers_ceiling(self) -> int:
        """The most workers that bounds and limits allow."""
        limits = self.fleet.limits
        by_connections = limits.connections // limits.per_worker if limits is not None else self.fleet.workers.max
        return min(self.fleet.workers.max, by_connections)
