"""Hypothesis strategies for what the outside may tell: missing, stale, contradictory and absurd values included."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from scaler.door import read_fleet
from scaler.fleet import Fleet
from scaler.model.common import Generation, Owner, Quality, Size, TaskType
from scaler.model.observation import (
    GAP_EDGES_SECONDS,
    ExitReason,
    Observation,
    QueueSeen,
    ReplaySeen,
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

rates = st.none() | st.floats(0, 1e4)
seconds = st.none() | st.floats(0, 1e5)
counts = st.none() | st.integers(0, 10**6)
ages = st.integers(0, 600).map(lambda age: NOW - timedelta(seconds=age))
times = st.none() | ages


def queues(task_type: TaskType) -> st.SearchStrategy[QueueSeen]:
    return st.builds(
        QueueSeen,
        queue=st.just("agents"),
        task_type=st.just(task_type),
        at=times,
        quality=st.sampled_from(Quality),
        backlog_tasks=counts,
        backlog_age_seconds=seconds,
        arrivals_per_second=rates,
        dispatches_per_second=rates,
        rate_limited=st.none() | st.booleans(),
    )


def task_times(task_type: TaskType) -> st.SearchStrategy[TaskTimesSeen]:
    return st.builds(
        TaskTimesSeen,
        queue=st.just("agents"),
        task_type=st.just(task_type),
        at=times,
        quality=st.sampled_from(Quality),
        samples=st.integers(0, 100),
        schedule_to_start_seconds=seconds,
        service_mean_seconds=seconds,
        service_scv=st.none() | st.floats(0, 100),
    )


replays = st.builds(
    ReplaySeen,
    at=times,
    quality=st.sampled_from(Quality),
    sticky_samples=st.integers(0, 100),
    sticky_seconds=st.none() | st.floats(0, 10),
    normal_samples=st.integers(0, 100),
    normal_seconds=st.none() | st.floats(0, 100),
    events=st.none() | st.floats(0, 1e5),
    gaps=st.just(()) | st.lists(st.integers(0, 50), min_size=42, max_size=42).map(tuple),
    runs=st.integers(0, 300),
)

assert len(GAP_EDGES_SECONDS) + 1 == 42


def workers(number: int) -> st.SearchStrategy[WorkerSeen]:
    return st.builds(
        WorkerSeen,
        name=st.just(f"w-{number}"),
        state=st.sampled_from(WorkerState),
        age_seconds=st.floats(0, 1e6),
        cache=st.none() | st.sampled_from([10, 50, 100, 1000]),
        version=st.sampled_from(["a", "b"]),
        restarts=st.integers(0, 5),
        memory_bytes=st.none() | st.integers(0, 2 * LIMIT_BYTES),
        memory_age_seconds=st.none() | st.floats(-5, 600),
        heartbeat_age_seconds=st.none() | st.floats(-5, 600),
        caches=st.none() | st.integers(0, 3),
        cached=st.none() | st.integers(0, 3000),
        workflow_slots=st.none() | st.integers(0, 200),
        workflow_slots_used=st.none() | st.integers(0, 200),
        activity_slots=st.none() | st.integers(0, 200),
        activity_slots_used=st.none() | st.integers(0, 200),
        workflow_tasks_per_second=rates,
        activities_per_second=rates,
        cache_hits_per_second=rates,
        cache_misses_per_second=rates,
    )


groups = st.integers(0, 6).flatmap(lambda count: st.tuples(*(workers(number) for number in range(count))))

exits = st.lists(
    st.builds(
        WorkerExit,
        worker=st.sampled_from(["w-0", "w-1", "w-9"]),
        reason=st.sampled_from(ExitReason),
        at=ages,
        cache=st.none() | st.sampled_from([10, 50, 100, 1000]),
        cached=st.none() | st.integers(0, 1000),
        memory_bytes=counts,
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


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Anything that an outside could tell at `NOW`; totals follow from the rows, as they do in `activities.joining`."""
    from activities.joining import totals  # noqa: PLC0415 (the core's tests need the rest of the house only here)

    seen_workers = draw(groups)
    record = draw(st.none() | records)
    return Observation(
        observed_at=draw(ages),
        found=record,
        applied=draw(
            st.builds(
                Applied,
                generation=st.just(Generation(1.0, 5)),
                outcome=st.sampled_from(StepOutcome),
                record=st.just(record) | st.none(),
            )
        ),
        target=draw(targets),
        queues=draw(st.tuples(queues(TaskType.WORKFLOW), queues(TaskType.ACTIVITY)) | st.just(())),
        task_times=draw(st.tuples(task_times(TaskType.WORKFLOW), task_times(TaskType.ACTIVITY)) | st.just(())),
        replay=draw(replays),
        workers=seen_workers,
        totals=totals(seen_workers, 150.0),
        exits=draw(exits),
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
