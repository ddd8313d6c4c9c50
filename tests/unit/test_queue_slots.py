"""What workers say of their slots and caches, queue by queue and cache by cache."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activities.joining import join
from activities.queue_slots import queue_slots
from activities.sources.heartbeats import Heartbeat, SlotsSeen
from activities.targets.contract import TargetLook, TargetWorker
from scaler.model.common import Polled, Quality, TaskType
from scaler.model.observation import QueueSlots, TargetSeen, WorkerSeen, WorkerState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GPU, LIGHT = (Polled(name, TaskType.ACTIVITY) for name in ("gpu", "light"))
FRESH_SECONDS = 150.0


def _look(*states: WorkerState, age_seconds: float = 500.0) -> TargetLook:
    return TargetLook(
        target=TargetSeen(at=NOW, quality=Quality.FRESH),
        own_hosts=True,
        workers=tuple(
            TargetWorker(
                seen=WorkerSeen(name=f"w-{number}", state=state, age_seconds=age_seconds), host_name=f"w-{number}"
            )
            for number, state in enumerate(states)
        ),
    )


def _beat(worker: int, queue: str, used: int, total: int | None = 4, ago: float = 5.0) -> Heartbeat:
    return Heartbeat(
        instance_key=f"{worker}/{queue}/{used}",
        identity=f"w-{worker}",
        host_name=f"w-{worker}",
        process_id=1,
        queue=queue,
        at=NOW - timedelta(seconds=ago),
        started_at=NOW - timedelta(seconds=400),
        interval_seconds=60.0,
        workflow=None,
        activity=SlotsSeen(used=used, total=total, tasks_per_second=0.5),
        cached=None,
    )


def _told(look: TargetLook, *beats: Heartbeat) -> dict[str, QueueSlots]:
    joined = join(look, beats, NOW, {"gpu", "light"})
    return {each.queue: each for each in queue_slots(joined.told, (GPU, LIGHT), FRESH_SECONDS)}


def test_each_queue_has_the_slots_of_its_own_worker_objects() -> None:
    ready = _look(WorkerState.READY, WorkerState.READY)
    told = _told(
        ready,
        _beat(0, "gpu", 3),
        _beat(0, "light", 1, 100),
        _beat(1, "gpu", 2),
        _beat(1, "light", 0, 100),
        _beat(1, "x", 9),
    )

    assert told == {
        "gpu": QueueSlots(
            queue="gpu", task_type=TaskType.ACTIVITY, beating=2, sized=2, slots=8, used=5, done_per_second=1.0,
            settled_used=5, settled_done_per_second=1.0,
        ),
        "light": QueueSlots(
            queue="light", task_type=TaskType.ACTIVITY, beating=2, sized=2, slots=200, used=1, done_per_second=1.0,
            settled_used=1, settled_done_per_second=1.0,
        ),
    }  # fmt: skip


def test_several_worker_objects_of_a_process_on_one_queue_are_added_up() -> None:
    told = _told(_look(WorkerState.READY), _beat(0, "gpu", 3), _beat(0, "gpu", 2))

    assert (told["gpu"].beating, told["gpu"].slots, told["gpu"].used) == (1, 8, 5)


def test_who_drains_restarts_or_was_silent_for_long_does_not_count() -> None:
    look = _look(WorkerState.READY, WorkerState.DRAINING, WorkerState.READY)
    told = _told(look, _beat(0, "gpu", 1), _beat(1, "gpu", 2), _beat(2, "gpu", 3, ago=170.0))

    assert (told["gpu"].beating, told["gpu"].used) == (1, 1)


def test_slots_that_a_supplier_does_not_count_are_unknown_and_not_none() -> None:
    told = _told(_look(WorkerState.READY, WorkerState.READY), _beat(0, "gpu", 3, None), _beat(1, "gpu", 2, 6))

    assert (told["gpu"].beating, told["gpu"].sized, told["gpu"].slots, told["gpu"].used) == (2, 1, 6, 5)


def test_young_workers_are_not_settled() -> None:
    young = replace(_beat(0, "gpu", 3), started_at=NOW - timedelta(seconds=90))
    told = _told(_look(WorkerState.READY, age_seconds=100.0), young)

    assert (told["gpu"].used, told["gpu"].settled_used) == (3, 0)


def _cached(sdk: str, *processes: int) -> WorkerSeen:
    beats = [
        replace(_beat(0, f"q-{number}", 0), process_id=process, cached=30, sdk=sdk)
        for number, process in enumerate(processes)
    ]
    [row] = join(_look(WorkerState.READY), beats, NOW, {beat.queue for beat in beats}).workers
    return row


def test_a_cache_that_all_workers_of_a_process_share_counts_once() -> None:
    shared, own = _cached("temporal-go", 1, 1), _cached("temporal-python", 1, 1)

    assert (shared.caches, shared.cached) == (1, 30)
    assert (own.caches, own.cached) == (2, 60)


def test_each_process_has_a_cache() -> None:
    two_processes = _cached("temporal-go", 1, 2)

    assert (two_processes.caches, two_processes.cached) == (2, 60)
