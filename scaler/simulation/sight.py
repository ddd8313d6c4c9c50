"""What the product's sources and target tell of a simulated world: the `Observation` that `reconcile` would return."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, NamedTuple

import numpy as np

from activities.joining import totals
from activities.rows import rows_kept
from activities.targets.contract import EXITS_TOLD, StepTaken
from scaler.learn.freshness import HEARTBEAT
from scaler.model.common import Generation, Polled, Quality
from scaler.model.observation import (
    Fault,
    Observation,
    QueueSeen,
    TargetSeen,
    Wake,
    WorkerExit,
    WorkerSeen,
    WorkerState,
    WorkerTotals,
)
from scaler.model.plan import WakeAt
from scaler.model.record import Applied, StepOutcome
from scaler.simulation.beats import Heartbeats
from scaler.simulation.catalogue import QUEUE, task_types
from scaler.simulation.clock import moment
from scaler.simulation.draws import Stream, generator
from scaler.simulation.histories import Histories
from scaler.simulation.one_queue import slots_of_one_queue
from scaler.simulation.queue_statistics import statistics_of
from scaler.simulation.scenario import SignalName
from scaler.simulation.visibility import Darkness
from scaler.simulation.worker import Worker
from scaler.simulation.world import World
from scaler.wakes import crossed

VERSION: Final = "simulated"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an observation answers: the step that was taken before it, and what ended the watch."""

    taken: StepTaken
    woken_by: Wake | None = None


class Watched(NamedTuple):
    """The figures that may end a tick early."""

    queues: tuple[QueueSeen, ...]
    fullest_bytes: int = 0
    ready: int = 0
    activity_slots_used: int = 0
    exits: tuple[WorkerExit, ...] = ()

    def observation(self, at: datetime) -> Observation:
        """As an observation, which crosses the same thresholds as the whole one (a test holds the two together)."""
        total = WorkerTotals(
            cache=None, version=VERSION, ready=self.ready, activity_slots_used=self.activity_slots_used
        )
        return Observation(
            observed_at=at,
            found=None,
            applied=Applied(generation=Generation(0.0, 0), outcome=StepOutcome.LOOKED),
            target=TargetSeen(),
            queues=self.queues,
            workers=(WorkerSeen(name="fullest", memory_bytes=self.fullest_bytes),),
            totals=(total,),
            exits=self.exits,
        )


class Sight:
    """The sources of one simulated fleet. Call `sample` once a second; reading changes nothing in the world."""

    def __init__(self, world: World[Any], seed: int) -> None:
        rng: np.random.Generator = generator(seed, Stream.METRICS)
        metrics = world.scenario.metrics
        self._world = world
        self._darkness = Darkness(metrics.blackouts)
        self._polled = tuple(Polled(QUEUE, task_type) for task_type in task_types(world.scenario))
        self._memory_every = metrics.memory.total_seconds()
        self._memory_at = -np.inf
        self.statistics = statistics_of(world, rng)
        self.heartbeats = Heartbeats(world)
        self._asked: tuple[WakeAt, float, Watched] | None = None
        self._crossed: frozenset[Wake] = frozenset()
        self.histories = Histories(world.log, metrics, world.scenario.objective.percentile, rng)

    def sample(self, now: float) -> None:
        """A second has passed."""
        for statistics in self.statistics.values():
            statistics.count(now)
        self.heartbeats.beat(now)
        self.histories.sample(now)
        if now - self._memory_at >= self._memory_every and not self._darkness.hides(SignalName.MEMORY, now):
            self._memory_at = now
            for worker in self._world.platform.workers:
                if worker.state is not WorkerState.RESTARTING:
                    worker.sample(now)

    def crossed(self, wake: WakeAt, now: float, since: float) -> frozenset[Wake]:
        """Which of a plan's thresholds are crossed now; asked every second, computed where something changed."""
        figures = self._watched(now)
        asked = (wake, since, figures)
        if asked != self._asked:
            self._asked, self._crossed = asked, crossed(wake, figures.observation(moment(now)), moment(since))
        return self._crossed

    def _watched(self, now: float) -> "Watched":
        answers = tuple(statistics.read(now) for statistics in self.statistics.values())
        if self._darkness.hides(SignalName.TARGET, now):
            return Watched(answers)
        workers = self._world.platform.workers
        beats = [beat for worker in workers if (beat := self.heartbeats.of(worker, now)) is not None]
        return Watched(
            answers,
            fullest_bytes=int(max((worker.sampled_bytes or 0.0 for worker in workers), default=0.0)),
            ready=sum(worker.serving for worker in workers),
            activity_slots_used=sum(beat.activity_slots_used for beat in beats),
            exits=self._exits(now),
        )

    def observe(self, now: float, asked: Asked) -> Observation:
        """All that is known now."""
        rows, target, faults = self._target(now)
        return Observation(
            observed_at=moment(now),
            found=asked.taken.found,
            applied=asked.taken.applied,
            target=target,
            queues=self._queues(now),
            task_times=self.histories.task_times,
            replay=self.histories.replay,
            workers=rows_kept(rows),
            totals=totals(rows, HEARTBEAT.fresh.total_seconds()),
            slots=slots_of_one_queue(rows, self._polled, HEARTBEAT.fresh.total_seconds()),
            exits=self._exits(now) if rows else (),
            workflow_cores=self._world.scenario.platform.workflow_cores,
            faults=(*faults, *self._faults(now)),
            woken_by=asked.woken_by,
        )

    def _target(self, now: float) -> tuple[tuple[WorkerSeen, ...], TargetSeen, tuple[Fault, ...]]:
        if self._darkness.hides(SignalName.TARGET, now):
            return (), TargetSeen(), (Fault("target", "no answer in time"),)
        platform = self._world.platform
        rows = tuple(self._row(worker, now) for worker in platform.workers)
        for worker in platform.workers:
            worker.sampled_peak_bytes = worker.sampled_bytes
        target = TargetSeen(
            at=moment(now),
            quality=Quality.FRESH,
            desired=platform.desired,
            cache=platform.cache,
            memory_limit_bytes=platform.limit_bytes,
            version=VERSION,
        )
        return rows, target, ()

    def _row(self, worker: Worker, now: float) -> WorkerSeen:
        known = worker.sampled_bytes is not None
        row = WorkerSeen(
            name=worker.name,
            state=worker.state,
            age_seconds=0.0 if worker.state is WorkerState.RESTARTING else now - worker.started_at,
            cache=worker.cache,
            version=VERSION,
            restarts=worker.restarts,
            started_in_seconds=worker.ready_at - worker.started_at if worker.ready_at is not None else None,
            memory_bytes=int(worker.sampled_bytes or 0) if known else None,
            memory_peak_bytes=int(worker.sampled_peak_bytes or 0) if known else None,
            memory_age_seconds=now - worker.sampled_at if known else None,
        )
        beat = self.heartbeats.of(worker, now)
        if beat is None:
            return row
        build, told_bytes = worker.build, self.heartbeats.memory_at_beat(worker)
        return replace(
            row,
            memory_at_beat_mib=round(told_bytes / 2**20) if told_bytes is not None else None,
            heartbeat_age_seconds=now - beat.at,
            caches=1,
            cached=beat.cached,
            workflow_slots=build.workflow_slots,
            workflow_slots_used=beat.workflow_slots_used,
            activity_slots=build.activity_slots,
            activity_slots_used=beat.activity_slots_used,
            workflow_tasks_per_second=beat.workflow_tasks_per_second,
            activities_per_second=beat.activities_per_second,
            cache_hits_per_second=beat.hits_per_second,
            cache_misses_per_second=beat.misses_per_second,
        )

    def _queues(self, now: float) -> tuple[QueueSeen, ...]:
        return tuple(statistics.reading(now) for statistics in self.statistics.values())

    def _exits(self, now: float) -> tuple[WorkerExit, ...]:
        since = moment(now) - EXITS_TOLD
        recent = takewhile(lambda ended: ended.at >= since, reversed(self._world.platform.exits))
        return tuple(recent)[::-1]

    def _faults(self, now: float) -> Iterator[Fault]:
        for statistics in self.statistics.values():
            yield from statistics.faults
        if self._darkness.hides(SignalName.HEARTBEATS, now):
            yield Fault("worker heartbeats", "the server did not answer")
        if self._darkness.hides(SignalName.HISTORIES, now):
            yield Fault("histories", "the server did not answer")
