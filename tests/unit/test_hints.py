"""What workers say between looks counts at once, in rows and totals, until it is old; a stranger's does not count."""

from dataclasses import replace
from datetime import datetime, timedelta

from activities.joining import totals
from activities.rows import rows_kept
from scaler.decide import decide
from scaler.fleet import Fleet
from scaler.hint import BELIEVED, HINTS_KEPT, Hint
from scaler.learn.freshness import HEARTBEAT
from scaler.learn.hinted import with_hints
from scaler.model.common import Generation, Quality, Size, TaskType
from scaler.model.observation import Observation, QueueSlots, TargetSeen, WorkerState
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.model.remembered import Remembered
from tests.support.states import MIB, NOW, OWNER, fleet, queue, state, times, worker

ACTIVITY_SLOTS = QueueSlots(
    queue="agents",
    task_type=TaskType.ACTIVITY,
    beating=4,
    sized=4,
    slots=32,
    used=16,
    done_per_second=8.0,
    settled_used=16,
    settled_done_per_second=8.0,
)
"""What `observed` tells of four slots taken by each worker, queue by queue."""

RECORD = TargetRecord(owner=OWNER, generation=Generation(1.0, 5), intended=Size(4, 120))


def observed(now: datetime, used: int, **changes: object) -> Observation:
    """Four workers of eight slots each, so many of them taken; tasks last two seconds."""
    rows = [
        worker(number, activity_slots_used=used, activities_per_second=used / 2.0, workflow_tasks_per_second=2.0)
        for number in range(1, 5)
    ]
    seen = Observation(
        observed_at=now,
        found=RECORD,
        applied=Applied(generation=Generation(1.0, 5), outcome=StepOutcome.APPLIED, record=RECORD),
        target=TargetSeen(at=now, quality=Quality.FRESH, desired=4, cache=120, memory_limit_bytes=1024 * MIB),
        queues=(
            queue(TaskType.WORKFLOW, at=now),
            queue(TaskType.ACTIVITY, at=now, arrivals_per_second=8.0, dispatches_per_second=8.0),
        ),
        task_times=(
            replace(times(TaskType.WORKFLOW, 0.01), at=now),
            replace(times(TaskType.ACTIVITY, 0.1), at=now, service_mean_seconds=2.0, service_scv=1.0),
        ),
        workers=rows_kept(rows),
        totals=totals(rows, HEARTBEAT.fresh.total_seconds()),
    )
    return replace(seen, **changes)  # type: ignore[arg-type]


def learned(declared: Fleet) -> tuple[Observation, Remembered, datetime]:
    """A quarter of an hour of half-full workers."""
    memory, now, seen = Remembered(), NOW, observed(NOW, 4)
    for _ in range(60):
        seen = observed(now, 4)
        _, memory = decide(seen, declared, memory, now)
        now += timedelta(seconds=15)
    return seen, memory, now


def full(now: datetime) -> tuple[Hint, ...]:
    return tuple(Hint(worker=f"w-{number}", at=now, slots_used=8, slots=8) for number in range(1, 5))


def test_hints_of_full_slots_raise_the_count_at_once_as_an_observation_would() -> None:
    declared = fleet(workers={"min": 1, "max": 8})
    seen, memory, now = learned(declared)

    usual, _ = decide(seen, declared, memory, now)
    hinted, _ = decide(with_hints(seen, full(now), now), declared, memory, now)
    told, _ = decide(observed(now, 8), declared, memory, now)

    assert usual.size is not None
    assert hinted.size is not None
    assert told.size is not None
    assert hinted.size.workers > usual.size.workers
    assert hinted.size.workers == told.size.workers


def test_they_do_where_slots_are_told_queue_by_queue() -> None:
    declared = fleet(workers={"min": 1, "max": 8})
    seen, memory, now = learned(declared)
    seen = replace(seen, slots=(ACTIVITY_SLOTS,))

    usual, _ = decide(seen, declared, memory, now)
    hinted, _ = decide(with_hints(seen, full(now), now), declared, memory, now)

    assert usual.size is not None
    assert hinted.size is not None
    assert hinted.size.workers > usual.size.workers


def test_a_hint_moves_its_row_and_the_totals() -> None:
    seen = observed(NOW, 4)

    hinted = with_hints(seen, full(NOW + timedelta(seconds=2)), NOW + timedelta(seconds=2))

    assert [row.activity_slots_used for row in hinted.workers] == [8, 8, 8, 8]
    assert hinted.totals == tuple(replace(total, activity_slots_used=32) for total in seen.totals)


def test_a_hint_moves_the_slots_of_the_only_activity_queue() -> None:
    """The rate is of the heartbeat before: a worker's slots of now and its rate of then do not belong together."""
    workflow_slots = replace(ACTIVITY_SLOTS, task_type=TaskType.WORKFLOW)
    seen = observed(NOW, 4, slots=(workflow_slots, ACTIVITY_SLOTS))
    hint = Hint(worker="w-2", at=NOW + timedelta(seconds=2), slots_used=9, slots=10)

    assert with_hints(seen, (hint,), NOW + timedelta(seconds=2)).slots == (
        workflow_slots,
        replace(ACTIVITY_SLOTS, slots=34, used=21, settled_used=12, settled_done_per_second=6.0),
    )


def test_a_hint_of_a_silent_worker_is_one_more_that_tells() -> None:
    silent = worker(4, heartbeat_age_seconds=None, activity_slots=None, activity_slots_used=None)
    three = replace(ACTIVITY_SLOTS, beating=3, sized=3, slots=24, used=12, settled_used=12, settled_done_per_second=6.0)
    rows = (*observed(NOW, 4).workers[:3], silent)
    seen = observed(NOW, 4, workers=rows, totals=totals(rows, HEARTBEAT.fresh.total_seconds()), slots=(three,))
    hint = Hint(worker="w-4", at=NOW + timedelta(seconds=2), slots_used=8, slots=8)

    assert with_hints(seen, (hint,), NOW + timedelta(seconds=2)).slots == (
        replace(three, beating=4, sized=4, slots=32, used=20),
    )


def test_a_hint_says_nothing_of_one_of_several_activity_queues() -> None:
    told = (ACTIVITY_SLOTS, replace(ACTIVITY_SLOTS, queue="tools"))
    hint = Hint(worker="w-1", at=NOW + timedelta(seconds=2), slots_used=8, slots=8)

    assert with_hints(observed(NOW, 4, slots=told), (hint,), NOW + timedelta(seconds=2)).slots == told


def test_a_hint_of_memory_is_in_the_totals_too() -> None:
    seen = observed(NOW, 4)

    (total,) = with_hints(
        seen, (Hint(worker="w-1", at=NOW + timedelta(seconds=1), memory_bytes=900 * MIB),), NOW
    ).totals

    assert total.memory_max_bytes == 900 * MIB
    assert total.memory_bytes == sum(row.memory_bytes or 0 for row in seen.workers) + (900 - 174) * MIB


def test_the_newer_of_hint_and_heartbeat_holds() -> None:
    """A worker of `tests.support.states` beat two seconds before it was looked at, and was measured one before."""
    seen = observed(NOW, 4)
    older = Hint(worker="w-1", at=NOW - timedelta(seconds=5), slots_used=8, memory_bytes=900 * MIB)

    assert with_hints(seen, (older,), NOW) == seen


def test_a_hint_is_forgotten_after_a_minute() -> None:
    seen = observed(NOW, 4)
    hint = Hint(worker="w-1", at=NOW + timedelta(seconds=1), slots_used=8)

    assert with_hints(seen, (hint,), NOW + BELIEVED) != seen
    assert with_hints(seen, (hint,), NOW + BELIEVED + timedelta(seconds=2)) == seen


def test_a_strangers_hint_changes_nothing() -> None:
    seen = observed(NOW, 4)

    assert with_hints(seen, (Hint(worker="nobody", at=NOW, slots_used=8, memory_bytes=2**40),), NOW) == seen


def test_a_worker_that_sends_no_heartbeats_tells_by_a_hint() -> None:
    rows = (worker(1, heartbeat_age_seconds=None, activity_slots=None, activity_slots_used=None),)
    seen = observed(NOW, 4, workers=rows, totals=totals(rows, 150.0))

    (total,) = with_hints(seen, (Hint(worker="w-1", at=NOW, slots_used=3, slots=5),), NOW).totals

    assert (total.beating, total.activity_slots, total.activity_slots_used) == (1, 5, 3)


def test_a_worker_on_its_way_out_is_no_capacity() -> None:
    rows = (worker(1, state=WorkerState.DRAINING),)
    seen = observed(NOW, 4, workers=rows, totals=totals(rows, 150.0))

    (total,) = with_hints(seen, (Hint(worker="w-1", at=NOW, slots_used=3, slots=5),), NOW).totals

    assert (total.beating, total.activity_slots_used) == (0, 0)


def test_the_newest_hint_of_each_worker_is_kept_and_not_many() -> None:
    known = state()
    for number in range(100):
        known = known.hinted(Hint(worker=f"w-{number % 40}", slots_used=number), NOW + timedelta(milliseconds=number))

    assert len(known.hints) == HINTS_KEPT
    assert [hint.slots_used for hint in known.hints if hint.worker == "w-19"] == [99]
