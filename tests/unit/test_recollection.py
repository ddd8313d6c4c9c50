"""What a controller remembers of a fleet's workers is bounded by time, however often they restart."""

from datetime import UTC, datetime, timedelta

from activities.joining import Joined
from activities.queue_slots import WorkerTold
from activities.recollection import REMEMBERED, Recollection, Sighting
from activities.targets.contract import TargetLook, TargetWorker
from scaler.model.common import Quality
from scaler.model.observation import ExitReason, TargetSeen, WorkerExit, WorkerSeen, WorkerState

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
APART = timedelta(minutes=5)


def sighting(number: int) -> Sighting:
    """The same pod once more, restarted since, with so many workflows cached."""
    now = NOON + number * APART
    seen = WorkerSeen(name="pod-a", state=WorkerState.READY, restarts=number, cached=number, heartbeat_age_seconds=1.0)
    look = TargetLook(
        target=TargetSeen(at=now, quality=Quality.FRESH),
        own_hosts=True,
        workers=(TargetWorker(seen=seen, host_name="pod-a"),),
    )
    return Sighting(look, Joined((WorkerTold(seen, ()),), frozenset(), ()), {}, now)


def remembered(restarts: int) -> Recollection:
    recollection = Recollection()
    for number in range(restarts):
        recollection = recollection.after(sighting(number))
    return recollection


def test_of_a_worker_that_crashes_again_and_again_the_last_minutes_are_remembered() -> None:
    words = remembered(2000).words["pod-a"]

    assert len(words) <= REMEMBERED / APART + 1
    assert words[-1].restarts == 1999


def test_what_its_last_processes_had_cached_is_still_known() -> None:
    at = NOON + 19 * APART + timedelta(seconds=10)
    ended = WorkerExit(worker="pod-a", reason=ExitReason.OOM_KILLED, at=at, process="19")

    assert [each.cached for each in remembered(20).exits([ended])] == [19]
