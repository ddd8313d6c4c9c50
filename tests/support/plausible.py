"""Fleets that behave as real ones do, with a few things wrong at a time.

Anything-goes observations rarely get as far as a decision that a rule has to stop. Here workers, load and memory fit
together, the target follows the plans, and only what a tick's mishaps touch is off.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from activities.joining import totals
from scaler.decide import decide
from scaler.fleet import Fleet
from scaler.model.common import Generation, Polled, Quality, Size, TaskType
from scaler.model.decision import Decision
from scaler.model.observation import (
    ExitReason,
    Observation,
    QueueSeen,
    ReplaySeen,
    TargetSeen,
    TaskTimesSeen,
    UnderWay,
    WorkerExit,
    WorkerSeen,
    WorkerState,
)
from scaler.model.record import Applied, CacheCut, RolloutStep, StepOutcome, TargetRecord
from scaler.model.remembered import Demand, Operator, Override, Remembered
from tests.support.strategies import LIMIT_BYTES, NOW, OWNER, declared, replay_pool

SLOTS = 8
SERVICE_SECONDS = 1.5
BASE_BYTES = 60 * 2**20
TICK = timedelta(seconds=15)
STAMPED = Generation(1.0, 5)
WORKFLOW_TASKS, ACTIVITIES = (Polled("agents", kind) for kind in (TaskType.WORKFLOW, TaskType.ACTIVITY))


def remembered_of(memory: Remembered, polled: Polled) -> Demand:
    """What is remembered of one queue and type."""
    of_it = (demand for demand in memory.demands if Polled.of(demand) == polled)
    return next(of_it, Demand(queue=polled.queue, task_type=polled.task_type))


@dataclass(frozen=True)
class Step:
    """One decision with all that went into it."""

    seen: Observation
    fleet: Fleet
    before: Remembered
    now: datetime
    decision: Decision
    after: Remembered

    @property
    def current(self) -> Size:
        """The size that the target was set to."""
        record = self.seen.applied.record
        assert record is not None
        assert record.intended is not None
        return record.intended

    @property
    def wanted(self) -> Size:
        """The size that the plan sets; what stands if it only looks or leaves the cache."""
        size = self.decision.plan.size
        if size is None:
            return self.current
        return Size(size.workers, size.cache if size.cache is not None else self.current.cache)


@dataclass
class Life:
    """One fleet over a few ticks."""

    fleet: Fleet
    size: Size
    bytes_per_workflow: int
    replay: ReplaySeen
    now: datetime = NOW
    memory: Remembered = field(default_factory=Remembered)
    cut: CacheCut | None = None
    steps: list[Step] = field(default_factory=list)

    def observe(self, rate: float, fill: float) -> Observation:
        """A fleet of this size under so many activities a second, its caches filled so far."""
        workers, cache = self.size.workers, self.size.cache or 10
        busy = min(SLOTS, int(rate * SERVICE_SECONDS / max(workers, 1)))
        cached = int(cache * fill)
        rows = tuple(
            WorkerSeen(
                name=f"w-{number}",
                state=WorkerState.READY,
                age_seconds=500.0,
                cache=cache,
                version="a",
                started_in_seconds=2.0,
                memory_bytes=BASE_BYTES + cached * self.bytes_per_workflow,
                memory_age_seconds=0.5,
                heartbeat_age_seconds=1.0,
                caches=1,
                cached=cached,
                workflow_slots=100,
                workflow_slots_used=0,
                activity_slots=SLOTS,
                activity_slots_used=busy,
                workflow_tasks_per_second=2 * rate / max(workers, 1),
                activities_per_second=rate / max(workers, 1),
            )
            for number in range(workers)
        )
        record = TargetRecord(owner=OWNER, generation=STAMPED, intended=self.size, previous=self.size, cut=self.cut)
        return Observation(
            observed_at=self.now,
            found=record,
            applied=Applied(generation=STAMPED, outcome=StepOutcome.APPLIED, record=record),
            target=TargetSeen(
                at=self.now,
                quality=Quality.FRESH,
                desired=workers,
                cache=cache,
                memory_limit_bytes=LIMIT_BYTES,
                version="a",
            ),
            queues=tuple(
                QueueSeen(
                    at=self.now,
                    quality=Quality.FRESH,
                    queue="agents",
                    task_type=task_type,
                    backlog_tasks=0,
                    backlog_age_seconds=0.0,
                    arrivals_per_second=rate,
                    dispatches_per_second=rate,
                    rate_limited=False,
                )
                for task_type in (TaskType.WORKFLOW, TaskType.ACTIVITY)
            ),
            task_times=tuple(
                TaskTimesSeen(
                    at=self.now,
                    quality=Quality.FRESH,
                    queue="agents",
                    task_type=task_type,
                    samples=100,
                    schedule_to_start_seconds=0.01,
                    service_mean_seconds=seconds,
                    service_scv=0.5,
                    under_way=UnderWay(round(rate * seconds), seconds if rate else 0.0),
                )
                for task_type, seconds in ((TaskType.WORKFLOW, 0.01), (TaskType.ACTIVITY, SERVICE_SECONDS))
            ),
            replay=self.replay,
            workers=rows,
            totals=totals(rows, 150.0),
            workflow_cores=1.0,
        )

    def demand(self, polled: Polled) -> Demand:
        """What is remembered of one queue and type."""
        return remembered_of(self.memory, polled)

    def tick(self, seen: Observation, operator: Operator) -> None:
        """Decide on what was seen, and have the target follow."""
        before = replace(self.memory, operator=operator)
        decision, self.memory = decide(seen, self.fleet, before, self.now)
        self.steps.append(Step(seen, self.fleet, before, self.now, decision, self.memory))
        size = decision.plan.size
        if size is not None:
            cache = size.cache if size.cache is not None else self.size.cache
            if cache is not None and self.size.cache is not None and cache < self.size.cache:
                self.cut = CacheCut(self.now, self.size.workers)
            self.size = Size(size.workers, cache)
        self.now += TICK


Mishap = Callable[[Observation, datetime], Observation]


def _rows(seen: Observation, change: Callable[[int, WorkerSeen], WorkerSeen]) -> Observation:
    return with_workers(seen, tuple(change(index, row) for index, row in enumerate(seen.workers)))


def with_workers(seen: Observation, rows: tuple[WorkerSeen, ...]) -> Observation:
    """The same with these workers."""
    return replace(seen, workers=rows, totals=totals(rows, 150.0))


def stale_queue(seen: Observation, now: datetime) -> Observation:
    """The statistics of one queue are minutes old."""
    old = replace(seen.queues[-1], at=now - timedelta(minutes=2))
    return replace(seen, queues=(*seen.queues[:-1], old))


def missing_queue(seen: Observation, _: datetime) -> Observation:
    """One queue could not be read at all."""
    missing = QueueSeen(queue="agents", task_type=TaskType.ACTIVITY)
    return replace(seen, queues=(*seen.queues[:-1], missing))


def silent_worker(seen: Observation, _: datetime) -> Observation:
    """One worker's heartbeat is too old."""
    return _rows(seen, lambda index, row: replace(row, heartbeat_age_seconds=400.0) if index == 0 else row)


def unbeaten_workers(seen: Observation, _: datetime, age_seconds: float = 40.0) -> Observation:
    """No worker has told of itself yet: all were replaced not long ago."""

    def unbeaten(row: WorkerSeen) -> WorkerSeen:
        return WorkerSeen(
            name=row.name,
            state=row.state,
            age_seconds=age_seconds,
            cache=row.cache,
            version=row.version,
            memory_bytes=row.memory_bytes,
            memory_age_seconds=row.memory_age_seconds,
        )

    return _rows(seen, lambda _, row: unbeaten(row))


def unknown_memory(seen: Observation, _: datetime) -> Observation:
    """One worker's memory is not known."""
    return _rows(
        seen, lambda index, row: replace(row, memory_bytes=None, memory_age_seconds=None) if not index else row
    )


def restarting_worker(seen: Observation, _: datetime) -> Observation:
    """One worker crashed and waits."""
    return _rows(seen, lambda index, row: replace(row, state=WorkerState.RESTARTING) if index == 0 else row)


def crash(seen: Observation, now: datetime) -> Observation:
    """A worker crashed and is back already."""
    ended = WorkerExit(worker="w-0", reason=ExitReason.CRASHED, at=now, cache=seen.target.cache)
    return replace(seen, exits=(ended,))


def oom_kill(seen: Observation, now: datetime) -> Observation:
    """A worker was killed for its memory."""
    ended = WorkerExit(worker="w-0", reason=ExitReason.OOM_KILLED, at=now, cache=seen.target.cache, cached=50)
    return replace(seen, exits=(ended,))


def poison(seen: Observation, now: datetime) -> Observation:
    """A worker was killed, and single workflows are suspected."""
    return replace(oom_kill(seen, now), suspects=("conversation-7",))


def full_worker(seen: Observation, _: datetime) -> Observation:
    """One worker is about to be killed for its memory."""
    full = int(0.94 * LIMIT_BYTES)
    return _rows(seen, lambda index, row: replace(row, memory_bytes=full) if index == 0 else row)


def busy_slots(seen: Observation, _: datetime) -> Observation:
    """All slots are taken although nothing arrives any more."""
    return _rows(seen, lambda _, row: replace(row, activity_slots_used=SLOTS))


def mixed_caches(seen: Observation, _: datetime) -> Observation:
    """One worker still runs under another cache size."""
    return _rows(seen, lambda index, row: replace(row, cache=(row.cache or 0) + 7) if index == 0 else row)


def unfinished_rollout(seen: Observation, _: datetime) -> Observation:
    """All are new, but the record says that the rollout goes on."""
    assert seen.found is not None
    record = replace(seen.found, step=RolloutStep.CONFIRM, surge=1)
    return replace(seen, found=record, applied=replace(seen.applied, record=record))


def foreign_count(seen: Observation, _: datetime) -> Observation:
    """Somebody else set the count."""
    return replace(seen, target=replace(seen.target, desired=(seen.target.desired or 0) + 5))


def old_target(seen: Observation, now: datetime) -> Observation:
    """The target could not be read for minutes."""
    return replace(seen, target=replace(seen.target, at=now - timedelta(minutes=3)))


def rate_limited(seen: Observation, _: datetime) -> Observation:
    """The server holds the activity queue back."""
    limited = replace(seen.queues[-1], rate_limited=True, backlog_tasks=500, backlog_age_seconds=2.0)
    return replace(seen, queues=(*seen.queues[:-1], limited))


def unschedulable(seen: Observation, _: datetime) -> Observation:
    """The platform has no room for more."""
    return replace(seen, target=replace(seen.target, unschedulable=1))


MISHAPS: tuple[Mishap, ...] = (
    stale_queue,
    missing_queue,
    silent_worker,
    unbeaten_workers,
    unknown_memory,
    restarting_worker,
    crash,
    oom_kill,
    poison,
    full_worker,
    busy_slots,
    mixed_caches,
    unfinished_rollout,
    foreign_count,
    old_target,
    rate_limited,
    unschedulable,
)

FLEETS = (
    declared(workers={"min": 1, "max": 30}),
    declared(workers={"min": 2, "max": 12}, behaviour={"surge": 0}),
    declared(workers={"min": 0, "max": 30}, behaviour={"scale_in_window": "20s"}),
    declared(workers={"min": 1, "max": 30}, cache={"min": 40, "max": 400}),
    declared(workers={"min": 1, "max": 30}, limits={"connections": 60, "per_worker": 5}),
)

OPERATORS = (
    *(Operator(),) * 8,
    Operator(override=Override(reason="test", until=NOW + timedelta(hours=1), workers=2)),
    Operator(override=Override(reason="test", until=NOW + timedelta(hours=1), workers=2, cache=20)),
)


@st.composite
def lives(draw: st.DrawFn, *mishaps: Mishap) -> list[Step]:
    """The decisions of a fleet whose load changes, with mishaps in some ticks; those named happen in the last."""
    size = Size(draw(st.integers(1, 14)), draw(st.sampled_from([20, 60, 200])))
    life = Life(
        fleet=draw(st.sampled_from(FLEETS)),
        size=size,
        bytes_per_workflow=draw(st.sampled_from([2**18, 2**20, 3 * 2**20])),
        replay=draw(st.sampled_from([ReplaySeen(), *replay_pool()[:20]])),
    )
    operator = draw(st.sampled_from(OPERATORS))
    rates = draw(st.lists(st.sampled_from([0.0, 0.5, 4.0, 30.0, 120.0]), min_size=2, max_size=7))
    for tick, rate in enumerate(rates):
        last = tick == len(rates) - 1
        seen = life.observe(rate, draw(st.sampled_from([0.1, 0.5, 1.0])))
        happens = mishaps if last and mishaps else draw(st.lists(st.sampled_from(MISHAPS), max_size=1))
        for mishap in happens:
            seen = mishap(seen, life.now) if seen.workers or mishap not in _NEEDS_WORKERS else seen
        life.tick(seen, operator)
    return life.steps


_NEEDS_WORKERS = (
    mixed_caches,
    full_worker,
    busy_slots,
    silent_worker,
    unbeaten_workers,
    unknown_memory,
    restarting_worker,
)
