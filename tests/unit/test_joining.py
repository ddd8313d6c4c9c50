"""Which heartbeats are a worker's: those of its present process, whatever the server's list still holds."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.joining import join
from activities.sources.heartbeats import Heartbeat, SlotsSeen
from activities.targets.contract import TargetLook, TargetWorker
from scaler.hint import Hint
from scaler.learn.hinted import told_by
from scaler.model.common import Quality
from scaler.model.observation import TargetSeen, WorkerSeen, WorkerState
from tests.support.states import observation

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def beat(key: str, at_ago: float, started_ago: float, cached: int, used: int) -> Heartbeat:
    return Heartbeat(
        instance_key=key,
        identity="1@pod-a",
        host_name="pod-a",
        process_id=1,
        queue="agents",
        at=NOW - timedelta(seconds=at_ago),
        started_at=NOW - timedelta(seconds=started_ago),
        interval_seconds=10.0,
        workflow=SlotsSeen(used=2, total=100, tasks_per_second=3.0),
        activity=SlotsSeen(used=used, total=8, tasks_per_second=4.0),
        cached=cached,
        sdk="temporal-python",
    )


def look(**worker: object) -> TargetLook:
    """A pod whose container started again twenty seconds ago, under the same host name."""
    plain = {"name": "pod-a", "state": WorkerState.READY, "age_seconds": 20.0, "restarts": 1, "cache": 500}
    seen = WorkerSeen(**(plain | worker))  # type: ignore[arg-type]
    return TargetLook(
        target=TargetSeen(at=NOW, quality=Quality.FRESH, desired=1),
        own_hosts=True,
        workers=(TargetWorker(seen=seen, host_name="pod-a"),),
    )


ALIVE = beat("alive", 3, 18, cached=40, used=1)


@pytest.mark.parametrize(
    "dead",
    [
        beat("killed before it started again", 22, 900, cached=480, used=8),
        beat("its last beat came late", 19, 900, cached=480, used=8),
        beat("it had lived for a moment", 21, 25, cached=480, used=8),
    ],
    ids=lambda dead: dead.instance_key,
)
def test_a_beat_of_the_process_before_is_not_its_successors(dead: Heartbeat) -> None:
    (row,) = join(look(), [ALIVE, dead], NOW, {"agents"}).workers

    assert (row.caches, row.cached) == (1, 40)
    assert (row.activity_slots_used, row.activity_slots, row.activities_per_second) == (1, 8, 4.0)


def test_a_worker_that_waits_for_its_restart_has_no_slots_left() -> None:
    (row,) = join(
        look(state=WorkerState.RESTARTING, age_seconds=0.0), [beat("dead", 2, 900, 480, 8)], NOW, {"agents"}
    ).workers

    assert row.caches is None
    assert row.heartbeat_age_seconds is None


def test_two_worker_objects_of_one_process_both_count() -> None:
    (row,) = join(look(), [ALIVE, beat("second", 3, 18, cached=7, used=2)], NOW, {"agents"}).workers

    assert (row.caches, row.cached, row.activity_slots_used) == (2, 47, 3)


def test_a_target_that_tells_no_start_is_joined_as_ever() -> None:
    (row,) = join(look(age_seconds=0.0), [ALIVE], NOW, {"agents"}).workers

    assert row.cached == 40


def test_a_beat_of_a_dead_process_is_nobody_elses_either() -> None:
    """It is a worker of the fleet, not a stranger."""
    assert join(look(), [ALIVE, beat("dead", 22, 900, 480, 8)], NOW, {"agents"}).others == ()


def test_a_worker_is_found_by_the_identity_that_its_beats_name() -> None:
    (row,) = join(look(), [ALIVE], NOW, {"agents"}).workers
    seen = observation(workers=(row,))

    assert told_by(seen, Hint(worker="1@pod-a")) == row
    assert told_by(seen, Hint(worker="pod-a")) == row
    assert told_by(seen, Hint(worker="2@pod-a")) is None
