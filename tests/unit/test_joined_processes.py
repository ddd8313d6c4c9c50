"""A worker whose command starts further processes is one worker: what each of them says and polls is its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activities.joining import join
from activities.recollection import Recollection, Sighting
from activities.sources.heartbeats import Heartbeat, SlotsSeen
from activities.targets.contract import TargetLook, TargetWorker
from scaler.model.common import Quality
from scaler.model.observation import TargetSeen, WorkerSeen, WorkerState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FORKED = TargetWorker(
    seen=WorkerSeen(name="w-1", state=WorkerState.READY), host_name="host", process_id=10, process_ids=(10, 11, 12)
)
LOOK = TargetLook(target=TargetSeen(at=NOW, quality=Quality.FRESH), workers=(FORKED,))


def beat(process_id: int, used: int) -> Heartbeat:
    return Heartbeat(
        instance_key=f"key-{process_id}",
        identity=f"{process_id}@host",
        host_name="host",
        process_id=process_id,
        queue="orders",
        at=NOW,
        started_at=NOW - timedelta(seconds=60),
        interval_seconds=60.0,
        workflow=None,
        activity=SlotsSeen(used=used, total=4, tasks_per_second=1.0),
        cached=5,
    )


def test_what_all_its_processes_say_is_added_up() -> None:
    joined = join(LOOK, [beat(11, used=1), beat(12, used=3), beat(99, used=4)], NOW, {"orders"})
    [row] = joined.workers
    assert (row.caches, row.cached, row.activity_slots_used, row.activity_slots) == (2, 10, 4, 8)
    assert joined.identities == {"11@host", "12@host"}
    assert [other.process_id for other in joined.others] == [99]


def test_its_children_are_no_strangers() -> None:
    """Without heartbeats only the identities that poll are known."""
    pollers = {f"{process}@host": NOW for process in (11, 12, 99)}
    later = {identity: NOW + timedelta(seconds=60) for identity in pollers}
    joined = join(LOOK, [], NOW, {"orders"})
    first = Recollection().after(Sighting(LOOK, joined, pollers, NOW))
    second = Sighting(LOOK, joined, later, NOW + timedelta(seconds=60))
    assert first.strangers(second) == ("99@host",)


def test_a_worker_that_waits_for_its_restart_has_no_heartbeats() -> None:
    waiting = replace(LOOK, workers=(replace(FORKED, process_id=None, process_ids=()),))
    joined = join(waiting, [beat(11, used=1)], NOW, {"orders"})
    assert joined.workers[0].caches is None
    assert len(joined.others) == 1


def test_what_a_process_runs_on_a_queue_that_the_fleet_does_not_declare_is_told_apart() -> None:
    elsewhere = replace(beat(12, used=3), queue="reports", cached=2)

    joined = join(LOOK, [beat(11, used=1), elsewhere], NOW, {"orders"})

    [row] = joined.workers
    assert (row.activity_slots_used, row.activity_slots, row.activities_per_second) == (1, 4, 1.0)
    assert (row.elsewhere_slots_used, row.elsewhere_tasks_per_second) == (3, 1.0)
    assert (row.caches, row.cached) == (2, 7)


def test_a_process_that_tells_of_other_queues_only_is_silent() -> None:
    elsewhere = replace(beat(12, used=3), queue="reports")

    joined = join(LOOK, [elsewhere, replace(elsewhere, process_id=99)], NOW, {"orders"})

    [row] = joined.workers
    assert row.heartbeat_age_seconds is None
    assert joined.others == ()


def test_a_machine_that_was_renamed_is_known_by_both_names() -> None:
    """A laptop is called something else at home; what its workers say depends on when they asked."""
    renamed = replace(LOOK, workers=(replace(FORKED, host_name="office", host_names=("home",)),))
    beats = [replace(beat(11, used=1), host_name="office"), replace(beat(12, used=1), host_name="home")]
    joined = join(renamed, [*beats, replace(beat(12, used=1), host_name="elsewhere")], NOW, {"orders"})
    assert joined.workers[0].activity_slots_used == 2
    assert [other.host_name for other in joined.others] == ["elsewhere"]
