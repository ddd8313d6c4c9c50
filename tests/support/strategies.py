"""Hypothesis strategies for what the outside may tell: missing, stale, contradictory and absurd values included."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from activities.joining import totals
from scaler.door import read_fleet
from scaler.fleet import Fleet
from scaler.model.common import Generation, Owner, Quality, Size, TaskType
from scaler.model.estimate import CacheUse, Corner, Estimate, Load, MemoryUse
from scaler.model.observation import (
    GAP_EDGES_SECONDS,
    ExitReason,
    Observation,
    QueueSeen,
    ReplaySeen,
    ScheduleSeen,
    TargetSeen,
    TaskTimesSeen,
    WorkerExit,
    WorkerSeen,
    WorkerState,
)
from scaler.model.record import Applied, CacheCut, RolloutStep, StepOutcome, TargetRecord

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OWNER = Owner("default", "worker-scaler/agents")
LIMIT_BYTES = 512 * 2**20

counts = st.none() | st.integers(0, 10**6)
ages = st.integers(0, 600).map(lambda age: NOW - timedelta(seconds=age))
times = st.none() | ages

POOL = 200
"""Drawing a whole reading from so many is far faster than building each of its fields, and meets as much."""


class Chance:
    """Seeded chance for pools of readings."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def maybe(self, *figures: Any) -> Any:
        """One of the figures, or nothing."""
        return self._random.choice((*figures, None))

    def one(self, *figures: Any) -> Any:
        """One of the figures."""
        return self._random.choice(figures)

    def at(self) -> datetime | None:
        """Mostly just now, sometimes long ago or never."""
        age = self.maybe(0, 0, 0, 1, 5, 29, 31, 299, 600)
        return None if age is None else NOW - timedelta(seconds=age)

    def quality(self) -> Quality:
        """Mostly fresh."""
        return Quality(self.one("fresh", "fresh", "fresh", "stale", "missing", "unknown"))

    def histogram(self) -> tuple[int, ...]:
        """A gap histogram, or none."""
        buckets = range(len(GAP_EDGES_SECONDS) + 1)
        counts: tuple[int, ...] = tuple(self._random.choice((0, 0, 1, 7, 50)) for _ in buckets)
        return counts if self._random.random() < 0.5 else ()


def queues(task_type: TaskType) -> st.SearchStrategy[QueueSeen]:
    chance = Chance(1)
    return st.sampled_from(
        [
            QueueSeen(
                queue="agents",
                task_type=task_type,
                at=chance.at(),
                quality=chance.quality(),
                backlog_tasks=chance.maybe(0, 0, 0, 1, 50, 10**6),
                backlog_age_seconds=chance.maybe(0.0, 0.0, 0.3, 5.0, 1e5),
                arrivals_per_second=chance.maybe(0.0, 0.1, 5.0, 5.0, 80.0, 1e4),
                dispatches_per_second=chance.maybe(0.0, 0.1, 5.0, 5.0, 80.0, 1e4),
                rate_limited=chance.maybe(False, False, True),
            )
            for _ in range(POOL)
        ]
    )


def task_times(task_type: TaskType) -> st.SearchStrategy[TaskTimesSeen]:
    chance = Chance(2)
    return st.sampled_from(
        [
            TaskTimesSeen(
                queue="agents",
                task_type=task_type,
                at=chance.at(),
                quality=chance.quality(),
                samples=chance.one(0, 1, 100),
                schedule_to_start_seconds=chance.maybe(0.0, 0.01, 0.5, 30.0, 1e5),
                service_mean_seconds=chance.maybe(0.0, 0.02, 1.5, 600.0),
                service_scv=chance.maybe(0.0, 0.3, 100.0),
            )
            for _ in range(POOL)
        ]
    )


def replay_pool() -> list[ReplaySeen]:
    chance = Chance(3)
    return [
        ReplaySeen(
            at=chance.at(),
            quality=chance.quality(),
            sticky_samples=chance.one(0, 100),
            sticky_seconds=chance.maybe(0.0, 0.01, 10.0),
            hit_samples=chance.one(0, 25),
            hit_seconds=chance.maybe(0.0, 0.005, 10.0),
            slow_samples=chance.one(0, 10, 1000),
            slow_seconds=chance.maybe(0.0, 0.3, 1e4),
            normal_samples=chance.one(0, 100),
            normal_seconds=chance.maybe(0.0, 0.2, 100.0),
            events=chance.maybe(0.0, 50.0, 1e5),
            gaps=chance.histogram(),
            silences=chance.histogram(),
            closed=chance.one(0, 5, 300),
        )
        for _ in range(POOL)
    ]


replays = st.sampled_from(replay_pool())


def worker_pool() -> list[WorkerSeen]:
    """Workers of every kind. Drawing from a pool is many times faster than building each from its twenty fields."""
    chance = Chance(4)
    return [
        WorkerSeen(
            name="w",
            state=chance.one(*[WorkerState.READY] * 5, *WorkerState),
            age_seconds=chance.one(0.0, 5.0, 100.0, 1e6),
            cache=chance.maybe(10, 50, 100, 1000),
            version=chance.one("a", "a", "b"),
            restarts=chance.one(0, 0, 5),
            started_in_seconds=chance.maybe(0.0, 1.0, 30.0, 600.0),
            memory_bytes=chance.maybe(*(int(share * LIMIT_BYTES) for share in (0, 0.1, 0.3, 0.5, 0.8, 0.93, 2))),
            memory_age_seconds=chance.maybe(-5.0, 0.0, 1.0, 89.0, 600.0),
            heartbeat_age_seconds=chance.maybe(-5.0, 0.0, 1.0, 1.0, 1.0, 149.0, 600.0),
            caches=chance.maybe(0, 1, 1, 3),
            cached=chance.maybe(0, 5, 40, 99, 1000, 3000),
            workflow_slots=chance.maybe(0, 5, 100),
            workflow_slots_used=chance.maybe(0, 3, 100, 200),
            activity_slots=chance.maybe(0, 8, 8, 100),
            activity_slots_used=chance.maybe(0, 0, 4, 8, 200),
            workflow_tasks_per_second=chance.maybe(0.0, 1.0, 1e4),
            activities_per_second=chance.maybe(0.0, 1.0, 1e4),
            cache_hits_per_second=chance.maybe(0.0, 1.0),
            cache_misses_per_second=chance.maybe(0.0, 1.0),
        )
        for _ in range(2 * POOL)
    ]


groups = st.lists(st.sampled_from(worker_pool()), max_size=6).map(
    lambda rows: tuple(replace(row, name=f"w-{number}") for number, row in enumerate(rows))
)

chance = Chance(5)
exits = st.lists(
    st.sampled_from(
        [
            WorkerExit(
                worker=chance.one("w-0", "w-1", "w-9"),
                reason=chance.one(*ExitReason),
                at=NOW - timedelta(seconds=chance.one(0, 1, 3, 7, 300, 599)),
                cache=chance.maybe(10, 50, 100, 1000),
                cached=chance.maybe(0, 40, 1000),
                memory_bytes=chance.maybe(0, LIMIT_BYTES),
            )
            for _ in range(POOL)
        ]
    ),
    max_size=4,
).map(tuple)

sizes = st.builds(Size, workers=st.integers(0, 20), cache=st.none() | st.sampled_from([10, 50, 100, 1000]))

records = st.builds(
    TargetRecord,
    owner=st.just(OWNER),
    generation=st.just(Generation(1.0, 5)),
    intended=st.none() | sizes,
    previous=st.none() | sizes,
    step=st.sampled_from(RolloutStep),
    surge=st.integers(0, 3),
    cut=st.none() | st.builds(CacheCut, at=ages, workers=st.integers(0, 20)),
)

targets = st.builds(
    TargetSeen,
    at=times,
    quality=st.sampled_from(Quality),
    desired=st.none() | st.integers(0, 30),
    cache=st.none() | st.sampled_from([10, 50, 100, 1000]),
    memory_limit_bytes=st.none() | st.sampled_from([64 * 2**20, LIMIT_BYTES]),
    version=st.sampled_from(["a", "b"]),
    unschedulable=st.integers(0, 2),
)


outcomes = st.sampled_from([StepOutcome.APPLIED] * 5 + list(StepOutcome))
all_queues = st.tuples(queues(TaskType.WORKFLOW), queues(TaskType.ACTIVITY)) | st.just(())
all_times = st.tuples(task_times(TaskType.WORKFLOW), task_times(TaskType.ACTIVITY)) | st.just(())


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Anything that an outside could tell at `NOW`; totals follow from the rows, as they do in the real thing."""
    workers, record = draw(groups), draw(st.none() | records)
    stamped = Generation(1.0, 5)
    return Observation(
        observed_at=draw(ages),
        found=record,
        applied=Applied(generation=stamped, outcome=draw(outcomes), record=draw(st.sampled_from([record, None]))),
        target=draw(targets),
        queues=draw(all_queues),
        task_times=draw(all_times),
        replay=draw(replays),
        workers=workers,
        totals=totals(workers, 150.0),
        exits=draw(exits),
        suspects=draw(st.sampled_from([(), (), ("conversation-7",)])),
        workflow_cores=draw(st.sampled_from([None, 1.0])),
        schedule=draw(st.sampled_from([ScheduleSeen(), ScheduleSeen(4, NOW + timedelta(seconds=3))])),
    )


def declared(**changes: object) -> Fleet:
    """A fleet of which only what matters to a test is said."""
    return read_fleet(
        {
            "name": "agents",
            "target": {"kind": "local", "name": "agents"},
            "task_queues": [{"name": "agents"}],
            "workers": {"min": 1, "max": 10},
            **changes,
        }
    )


LOAD = Load(
    queue="agents",
    task_type=TaskType.ACTIVITY,
    arrivals_per_second=100.0,
    margin_per_second=40.0,
    service_seconds=2.0,
    service_scv=1.0,
    backlog_tasks=0,
    backlog_growth_per_second=0.0,
    backlog_age_seconds=0.0,
    schedule_to_start_seconds=None,
    done_per_second=None,
    busy_slots=0,
    busy_told=False,
    busy_known=True,
    slots_per_worker=10,
    slots_known=True,
    read_at=None,
    rate_limited=False,
    watched=timedelta(hours=1),
    quality=Quality.FRESH,
    unread=False,
)
"""A load that has been watched for long, of which nothing waits; tests replace what matters to them."""

ESTIMATE = Estimate(
    at=NOW,
    loads=(LOAD,),
    memory=MemoryUse(
        corners=(Corner(0, 80 * 2**20), Corner(2000, 480 * 2**20)),
        slope_bytes=2**18,
        largest_cached=2000,
        caches=1,
        limit_bytes=2**29,
        fullest_bytes=2**28,
        soonest_bytes=2**28,
        quality=Quality.FRESH,
        measured=True,
    ),
    cache=CacheUse(hit_seconds=None, replay_seconds=None),
    workflow_cores=None,
    start_seconds=1.0,
    answered_until=None,
    schedule_floor=0,
    ready=5,
    starting=0,
    restarting=0,
    new_oom_kills=(),
    new_crashes=0,
)
"""Five workers that serve that load in peace, their memory measured; tests replace what matters to them."""

fleets = st.sampled_from(
    [
        declared(),
        declared(workers={"min": 0, "max": 3}),
        declared(workers={"min": 2, "max": 40, "reserve": 1}),
        declared(cache={"delivery": "fixed"}),
        declared(task_queues=[{"name": "agents", "types": ["activity"]}]),
        declared(task_queues=[{"name": "agents", "types": ["workflow"]}]),
        declared(cache={"min": 50, "max": 200}, behaviour={"surge": 0}),
        declared(limits={"connections": 20, "per_worker": 5}),
    ]
)
