"""A fleet's state as a controller that has run for a while would have it; a test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scaler.door import read_fleet
from scaler.fleet import Fleet
from scaler.model.common import Generation, Owner, Quality, Size, TaskType
from scaler.model.decision import Alternative, Constraint, Decision, Mode, Prediction
from scaler.model.observation import (
    Observation,
    QueueSeen,
    TargetSeen,
    TaskTimesSeen,
    WorkerSeen,
    WorkerState,
    WorkerTotals,
)
from scaler.model.plan import Plan
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.state import State

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MIB = 2**20
OWNER = Owner("default", "worker-scaler/agents")
SIZE = Size(4, 120)


def fleet(**changes: Any) -> Fleet:
    """A local fleet with both kinds of task."""
    declared = {
        "name": "agents",
        "target": {"kind": "local", "name": "agents"},
        "task_queues": [{"name": "agents"}],
        "workers": {"min": 1, "max": 8},
        "cache": {"max": 400},
    }
    return read_fleet(declared | changes)


def worker(number: int, **changes: Any) -> WorkerSeen:
    """A ready worker that reports itself."""
    ready = WorkerSeen(
        name=f"w-{number}",
        state=WorkerState.READY,
        age_seconds=7200.0,
        cache=120,
        memory_bytes=(170 + 4 * number) * MIB,
        memory_age_seconds=1.0,
        heartbeat_age_seconds=2.0,
        caches=1,
        cached=110 + number,
        workflow_slots=100,
        workflow_slots_used=2,
        activity_slots=8,
        activity_slots_used=5 + number % 3,
    )
    return replace(ready, **changes)


def queue(task_type: TaskType, **changes: Any) -> QueueSeen:
    """A queue without backlog, freshly read."""
    read = QueueSeen(
        queue="agents",
        task_type=task_type,
        at=NOW - timedelta(seconds=4),
        quality=Quality.FRESH,
        backlog_tasks=0,
        backlog_age_seconds=0.0,
        arrivals_per_second=4.2,
    )
    return replace(read, **changes)


def times(task_type: TaskType, seconds: float) -> TaskTimesSeen:
    """What sampled histories tell of a queue."""
    return TaskTimesSeen(
        queue="agents",
        task_type=task_type,
        at=NOW - timedelta(seconds=20),
        quality=Quality.FRESH,
        samples=50,
        schedule_to_start_seconds=seconds,
    )


def observation(**changes: Any) -> Observation:
    """Four workers, three of them ready."""
    workers = (worker(1), worker(2), worker(3), worker(4, state=WorkerState.STARTING, heartbeat_age_seconds=None))
    seen = Observation(
        observed_at=NOW - timedelta(seconds=3),
        found=None,
        applied=Applied(
            generation=Generation(1.0, 5),
            outcome=StepOutcome.APPLIED,
            record=TargetRecord(owner=OWNER, generation=Generation(1.0, 5), intended=SIZE),
        ),
        target=TargetSeen(
            at=NOW - timedelta(seconds=3),
            quality=Quality.FRESH,
            desired=4,
            cache=120,
            memory_limit_bytes=256 * MIB,
        ),
        queues=(queue(TaskType.WORKFLOW), queue(TaskType.ACTIVITY)),
        task_times=(times(TaskType.WORKFLOW, 0.012), times(TaskType.ACTIVITY, 0.4)),
        workers=workers,
        totals=(WorkerTotals(cache=120, version="a", workers=4, ready=3, beating=3, memory_max_bytes=182 * MIB),),
    )
    return replace(seen, **changes)


def decision(**changes: Any) -> Decision:
    """Four workers for the activities, as much cache as memory allows."""
    made = Decision(
        at=NOW - timedelta(seconds=3),
        plan=Plan(size=SIZE, until=NOW + timedelta(seconds=12)),
        mode=Mode.STEADY,
        size=SIZE,
        workers_bound=Constraint.ACTIVITY_LOAD,
        cache_bound=Constraint.MEMORY,
        predicted=Prediction(
            size=SIZE,
            workflow_task_seconds=0.02,
            activity_seconds=0.6,
            memory_bytes=214 * MIB,
            miss_ratio=0.03,
            cost_per_hour=4.1,
            utilisation=0.63,
        ),
        alternatives=(
            Alternative(
                predicted=Prediction(size=Size(3, 120), activity_seconds=4.2, cost_per_hour=3.1),
                against=Constraint.ACTIVITY_LOAD,
            ),
            Alternative(predicted=Prediction(size=Size(4, 150), memory_bytes=250 * MIB), against=Constraint.MEMORY),
        ),
    )
    return replace(made, **changes)


def state(**changes: Any) -> State:
    """All of it together."""
    known = State(fleet=fleet(), generation=Generation(1.0, 5), host="box-7", ticks=112, observation=observation())
    known = replace(known, **changes)
    return known if "decision" in changes else known.decided(decision(), known.memory)
