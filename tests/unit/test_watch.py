"""What ends a tick before its time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scaler.model.common import Generation, TaskType
from scaler.model.observation import (
    ExitReason,
    Observation,
    QueueSeen,
    TargetSeen,
    Wake,
    WorkerExit,
    WorkerSeen,
    WorkerTotals,
)
from scaler.model.plan import WakeAt
from scaler.model.record import Applied, StepOutcome
from scaler.wakes import crossed, ends_tick

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
QUIET = Observation(
    observed_at=NOON,
    found=None,
    applied=Applied(generation=Generation(1.0, 1), outcome=StepOutcome.LOOKED),
    target=TargetSeen(),
    queues=(
        QueueSeen(queue="a", task_type=TaskType.ACTIVITY, backlog_tasks=2, backlog_age_seconds=1.5),
        QueueSeen(queue="b", task_type=TaskType.ACTIVITY, backlog_tasks=3, backlog_age_seconds=0.5),
        QueueSeen(queue="c", task_type=TaskType.ACTIVITY),
    ),
    workers=(WorkerSeen(name="w-0", memory_bytes=700), WorkerSeen(name="w-1", memory_bytes=900), WorkerSeen(name="x")),
    totals=(
        WorkerTotals(cache=10, version="a", ready=2, activity_slots_used=5),
        WorkerTotals(cache=20, version="a", ready=1, activity_slots_used=7),
    ),
)


@pytest.mark.parametrize(
    ("wake", "expected"),
    [
        (WakeAt(), set()),
        (WakeAt(memory_bytes=900), {Wake.MEMORY}),
        (WakeAt(memory_bytes=901), set()),
        (WakeAt(emergency_memory_bytes=900), {Wake.EMERGENCY_MEMORY}),
        (WakeAt(emergency_memory_bytes=901), set()),
        (WakeAt(backlog_tasks=5), {Wake.BACKLOG}),
        (WakeAt(backlog_tasks=6), set()),
        (WakeAt(backlog_age_seconds=1.5), {Wake.BACKLOG}),
        (WakeAt(backlog_age_seconds=1.6), set()),
        (WakeAt(activity_slots_used=12), {Wake.SLOTS}),
        (WakeAt(activity_slots_used=13), set()),
        (WakeAt(ready_below=4), {Wake.WORKERS_LOST}),
        (WakeAt(ready_below=3), set()),
        (WakeAt(ready_at_least=3), {Wake.WORKERS_READY}),
        (WakeAt(ready_at_least=4), set()),
        (WakeAt(memory_bytes=1, backlog_tasks=1), {Wake.MEMORY, Wake.BACKLOG}),
    ],
)
def test_a_threshold_is_crossed_where_its_figure_is_reached(wake: WakeAt, expected: set[Wake]) -> None:
    assert crossed(wake, QUIET, NOON) == expected


def test_what_is_missing_crosses_nothing() -> None:
    nothing = replace(QUIET, queues=(), workers=(), totals=())
    wake = WakeAt(
        memory_bytes=1, emergency_memory_bytes=1, backlog_tasks=1, activity_slots_used=1, backlog_age_seconds=0.1
    )

    assert crossed(wake, nothing, NOON) == set()


@pytest.mark.parametrize(
    ("reason", "lost"),
    [
        (ExitReason.OOM_KILLED, True),
        (ExitReason.CRASHED, True),
        (ExitReason.EVICTED, True),
        (ExitReason.DRAINED, False),
        (ExitReason.KILLED, False),
        (ExitReason.UNKNOWN, False),
    ],
)
def test_a_worker_that_ended_unasked_since_the_watch_began_is_lost(reason: ExitReason, *, lost: bool) -> None:
    for seconds, counts in ((1, True), (0, False), (-1, False)):
        ended = WorkerExit(worker="w-0", reason=reason, at=NOON + timedelta(seconds=seconds))
        assert (Wake.WORKERS_LOST in crossed(WakeAt(), replace(QUIET, exits=(ended,)), NOON)) == (lost and counts)


def test_an_emergency_ends_the_tick_at_once_and_all_else_waits() -> None:
    both = frozenset({Wake.BACKLOG, Wake.EMERGENCY_MEMORY})
    later = NOON + timedelta(seconds=5)

    assert ends_tick(both, NOON, wake_from=later) is Wake.EMERGENCY_MEMORY
    assert ends_tick(frozenset({Wake.BACKLOG}), NOON, wake_from=later) is None
    assert ends_tick(frozenset({Wake.BACKLOG}), later, wake_from=later) is Wake.BACKLOG
    assert ends_tick(frozenset(), later, wake_from=later) is None
