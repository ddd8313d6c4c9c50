"""What the Worker objects of a process say is added up only where all say it; rows are cut, sums are not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from activities.joining import join, totals
from activities.rows import rows_kept
from activities.sources.heartbeats import Heartbeat, SlotsSeen
from activities.targets.contract import TargetLook, TargetWorker
from scaler.model.common import Quality
from scaler.model.observation import TargetSeen, WorkerSeen, WorkerState

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
POD = TargetWorker(seen=WorkerSeen(name="w-1", state=WorkerState.READY, age_seconds=100.0), host_name="pod-1")
LOOK = TargetLook(target=TargetSeen(at=NOW, quality=Quality.FRESH), own_hosts=True, workers=(POD,))


def beat(queue: str, total: int | None, per_second: float | None, used: int = 2) -> Heartbeat:
    return Heartbeat(
        instance_key=queue,
        identity=f"1@pod-1@{queue}",
        host_name="pod-1",
        process_id=1,
        queue=queue,
        at=NOW - timedelta(seconds=30 if queue == "a" else 10),
        started_at=NOW - timedelta(seconds=92),
        interval_seconds=60.0,
        workflow=SlotsSeen(used=used + 1, total=total, tasks_per_second=per_second),
        activity=SlotsSeen(used=used, total=total, tasks_per_second=per_second),
        cached=7 if queue == "a" else None,
    )


def row(*beats: Heartbeat) -> WorkerSeen:
    [joined] = join(LOOK, beats, NOW, frozenset({"a", "b"})).workers
    return joined


def test_sums_are_of_all_worker_objects_of_the_process() -> None:
    joined = row(beat("a", 10, 1.5), beat("b", 4, 0.5))

    assert (joined.activity_slots, joined.activity_slots_used, joined.activities_per_second) == (14, 4, 2.0)
    assert (joined.workflow_slots, joined.workflow_slots_used, joined.workflow_tasks_per_second) == (14, 6, 2.0)
    assert (joined.caches, joined.cached) == (1, 7)
    assert joined.started_in_seconds == 8.0


@pytest.mark.parametrize(("total", "per_second"), [(None, 1.0), (10, None)])
def test_a_sum_of_some_is_not_taken_for_the_sum_of_all(total: int | None, per_second: float | None) -> None:
    joined = row(beat("a", 10, 1.0), beat("b", total, per_second))

    assert joined.activity_slots == (20 if total is not None else None)
    assert joined.activities_per_second == (2.0 if per_second is not None else None)
    assert joined.activity_slots_used == 4


def test_a_worker_without_heartbeats_tells_nothing_of_slots() -> None:
    joined = row()

    assert joined.heartbeat_age_seconds is None
    assert (joined.activity_slots, joined.activity_slots_used, joined.cached) == (None, None, None)


def worker(number: int, **changes: object) -> WorkerSeen:
    seen = WorkerSeen(
        name=f"w-{number}",
        state=WorkerState.READY,
        cache=60,
        version="a",
        memory_bytes=number,
        heartbeat_age_seconds=1.0,
        activity_slots=10,
        activity_slots_used=3,
        activities_per_second=0.5,
    )
    return replace(seen, **changes)  # type: ignore[arg-type]


def test_totals_count_all_and_sum_over_ready_workers_with_fresh_heartbeats() -> None:
    workers = (
        worker(1),
        worker(2),
        worker(3, heartbeat_age_seconds=151.0),
        worker(4, heartbeat_age_seconds=None),
        worker(5, state=WorkerState.DRAINING),
        worker(6, state=WorkerState.RESTARTING, memory_bytes=None),
        worker(7, cache=80),
    )

    sixty, eighty = totals(workers, 150.0)
    assert (sixty.workers, sixty.ready, sixty.draining, sixty.restarting) == (6, 4, 1, 1)
    assert (sixty.beating, sixty.activity_slots, sixty.activity_slots_used) == (2, 20, 6)
    assert sixty.activities_per_second == 1.0
    assert (sixty.memory_bytes, sixty.memory_max_bytes) == (15, 5)
    assert (eighty.cache, eighty.workers, eighty.beating) == (80, 1, 1)


def test_all_of_a_hundred_rows_are_kept() -> None:
    assert len(rows_kept([worker(number) for number in range(100)])) == 100
    assert len(rows_kept([worker(number) for number in range(101)])) == 100


def test_of_more_the_fullest_are_kept_among_others() -> None:
    workers = [worker(number, activity_slots_used=9) for number in range(300)]
    kept = {each.name for each in rows_kept(workers)}

    assert {f"w-{number}" for number in range(290, 300)} <= kept
