"""Plays a burst through the real decision, as fast as it can be computed: the live benchmark without its machine."""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.live.figures import LATE_SECONDS, PATIENCE_SECONDS
from benchmarks.live.options import Options
from benchmarks.live.shape import shape_seconds
from benchmarks.live.site import FLEET, NAME, SLOTS
from scaler.simulation.outside import FleetLoop
from scaler.simulation.told import Exit, Queue, Slots, Target, TaskTimes, Told, Worker, WorkerObject
from tests.support.burst.platform import Platform
from tests.support.burst.turns import turns_of
from tests.support.burst.workers import BEAT_SECONDS, LIMIT_BYTES, BurstWorker
from tests.support.burst.world import World, answered_late

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP_SECONDS = 0.1
LOOK_SECONDS = 1.0
BEGINS = -6.0
"""The fleet is taken over a moment before its load begins."""

FIRST_SAMPLES_SECONDS = 25.0
"""Until histories tell of anything."""

PLAIN_BYTES, FREEING_BYTES = 1.5, 1.1
"""What a worker takes for each byte of state: without and with memory hygiene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a burst."""

    turns: int
    late_share: float
    kills: int
    worker_seconds_over_least: float
    workers_max: int
    started: int


def play(options: Options, fleet: Mapping[str, Any] = FLEET, *, workers: int = 2, cache: int = 1000) -> Played:
    """Take so many workers over, or keep `options.fixed` without any decision."""
    turns, seconds = list(turns_of(options)), shape_seconds(options.phases)
    platform = Platform(
        frees=options.hygiene, desired=options.fixed or workers, cache=cache, chance=random.Random(options.seed)
    )
    platform.begin()
    world = World(
        platform=platform,
        turns=deque(turns),
        bytes_per_context=FREEING_BYTES if options.hygiene else PLAIN_BYTES,
        growth_bytes=options.growth_kib * 1024,
    )
    control = None if options.fixed else _Control(world, fleet)
    paid, most, now = 0.0, 0, BEGINS
    while now < seconds + PATIENCE_SECONDS and not (now > seconds and all(turn.answered_at for turn in turns)):
        world.step(now)
        if control is not None:
            control.step(now)
        if now >= 0:
            paid += STEP_SECONDS * sum(worker.draining_until is None for worker in platform.workers)
            most = max(most, platform.desired)
        now = round(now + STEP_SECONDS, 3)
    return Played(
        turns=len(turns),
        late_share=answered_late(turns, LATE_SECONDS) / len(turns),
        kills=len(platform.kills),
        worker_seconds_over_least=paid * SLOTS / sum(sum(turn.calls) for turn in turns),
        workers_max=most,
        started=platform.started,
    )


class _Control:
    """The loop around the decision, looking once a second."""

    def __init__(self, world: World, fleet: Mapping[str, Any]) -> None:
        self._world = world
        self._loop = FleetLoop(fleet, _at(BEGINS))
        self._tick_is_over = True
        self._looks_at = BEGINS

    def step(self, now: float) -> None:
        """Decide and carry out where a tick begins, and look where that is due."""
        if now < self._looks_at:
            return
        if self._tick_is_over:
            self._loop.decide(_at(now))
            levels = self._loop.apply(_at(now), desired=self._world.platform.desired)
            if levels is not None:
                self._world.platform.make_so(levels, now)
        self._tick_is_over = self._loop.watch(_told(self._world, now), _at(now))
        self._looks_at = now + (STEP_SECONDS if self._tick_is_over else LOOK_SECONDS)


def _at(now: float) -> datetime:
    return NOON + timedelta(seconds=now)


def _told(world: World, now: float) -> Told:
    platform, statistics = world.platform, world.statistics
    age = now - statistics.at
    activities = Queue(
        name=NAME,
        type="activity",
        age_seconds=age,
        backlog_tasks=statistics.backlog,
        backlog_age_seconds=statistics.age_seconds,
        arrivals_per_second=statistics.arrivals_per_second,
        dispatches_per_second=statistics.dispatches_per_second,
    )
    workflow_tasks = Queue(
        name=NAME,
        type="workflow",
        age_seconds=age,
        backlog_tasks=0,
        backlog_age_seconds=0.0,
        arrivals_per_second=1.0,
        dispatches_per_second=1.0,
    )
    return Told(
        target=Target(desired=platform.desired, cache=platform.cache, memory_limit_bytes=LIMIT_BYTES),
        workers=tuple(_worker(worker, now) for worker in platform.workers),
        queues=(workflow_tasks, activities),
        task_times=_TASK_TIMES if now >= FIRST_SAMPLES_SECONDS else (),
        exits=tuple(
            Exit(
                worker=kill.worker.name,
                reason="oom_killed",
                at=_at(kill.at),
                cache=kill.worker.cache,
                cached=kill.cached,
                memory_bytes=LIMIT_BYTES,
            )
            for kill in platform.kills
        ),
    )


_TASK_TIMES = (
    # Who is sampled while tasks wait has none that ended of late: the waits of a burst are told when it is over.
    TaskTimes(
        queue=NAME, type="activity", samples=40, schedule_to_start_seconds=0.03, service_mean_seconds=1.45,
        service_scv=0.4, age_seconds=5,
    ),
    TaskTimes(
        queue=NAME, type="workflow", samples=40, schedule_to_start_seconds=0.02, service_mean_seconds=0.01,
        age_seconds=5,
    ),
)  # fmt: skip


def _worker(worker: BurstWorker, now: float) -> Worker:
    return Worker(
        name=worker.name,
        state=worker.state(now),
        age_seconds=now - worker.born,
        cache=worker.cache,
        restarts=worker.restarts,
        started_in_seconds=worker.ready_at - worker.born if now >= worker.ready_at else None,
        memory_bytes=int(worker.memory_bytes(now)),
        memory_peak_bytes=int(worker.peak_bytes),
        objects=_objects(worker, now),
    )


def _objects(worker: BurstWorker, now: float) -> tuple[WorkerObject, ...]:
    beat = worker.beat
    if beat is None:
        return ()
    return (
        WorkerObject(
            queue=NAME,
            age_seconds=now - beat.at,
            interval_seconds=BEAT_SECONDS,
            workflow=Slots(used=0, total=100, done_per_second=beat.workflow_tasks_per_second),
            activity=Slots(used=beat.slots_used, total=SLOTS, done_per_second=beat.activities_per_second),
            cached=beat.cached,
            sdk="temporal-python",
        ),
    )
