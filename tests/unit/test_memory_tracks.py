"""A heartbeat is told with the memory of its own moment."""

from datetime import timedelta

from activities.memory_tracks import MemoryTracks
from scaler.model.observation import WorkerSeen, WorkerState
from tests.support.strategies import NOW

MIB = 2**20


def worker(used_mib: int | None, *, beat_age: float | None = None, restarts: int = 0) -> WorkerSeen:
    return WorkerSeen(
        name="w-1",
        state=WorkerState.READY,
        restarts=restarts,
        memory_bytes=used_mib * MIB if used_mib is not None else None,
        memory_age_seconds=0.5 if used_mib is not None else None,
        heartbeat_age_seconds=beat_age,
    )


def watched(*used_mib: int | None, restarts: int = 0) -> MemoryTracks:
    """One look every five seconds, the last of them now."""
    tracks = MemoryTracks()
    for place, used in enumerate(used_mib):
        at = NOW - timedelta(seconds=5 * (len(used_mib) - 1 - place))
        tracks = tracks.after((worker(used, restarts=restarts),), at)
    return tracks


def told(tracks: MemoryTracks, beat_age: float | None, restarts: int = 0) -> int | None:
    return tracks.at_beats((worker(500, beat_age=beat_age, restarts=restarts),), NOW)[0].memory_at_beat_mib


def test_it_is_what_was_used_when_the_heartbeat_was_sent() -> None:
    tracks = watched(100, 200, 300, 400)

    assert [told(tracks, age) for age in (0.0, 5.0, 11.0, 15.0)] == [400, 300, 200, 100]


def test_what_nobody_looked_at_is_not_known() -> None:
    assert told(watched(100, 200), 30.0) is None
    assert told(watched(None, None), 5.0) is None
    assert told(watched(100, 200), None) is None


def test_the_process_before_a_restart_was_another() -> None:
    assert told(watched(100, 200), 5.0, restarts=1) is None


def test_a_worker_that_is_gone_is_forgotten_and_samples_are_not_kept_for_ever() -> None:
    tracks = watched(*range(100, 200))

    assert len(tracks.by_worker["w-1"]) <= 31
    assert not tracks.after((), NOW).by_worker
