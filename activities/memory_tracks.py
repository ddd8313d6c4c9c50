"""What workers used in the last minutes, so that a heartbeat can be told with the memory of its own moment. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaler.model.observation import WorkerSeen

KEPT = timedelta(seconds=150)
"""Heartbeats are told for three of their intervals; the usual one is a minute, read half a minute later."""

SAMPLED_EVERY = timedelta(seconds=2)
SAME_MOMENT = timedelta(seconds=5)
"""Readings further apart than this are of two moments."""

MIB = 2**20


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Memory of one worker's process at one moment."""

    at: datetime
    restarts: int  # which of its processes
    used_bytes: int


Track = tuple[MemorySample, ...]


@dataclass(frozen=True, slots=True)
class MemoryTracks:
    """The samples of all workers of one fleet, oldest first."""

    by_worker: Mapping[str, Track] = field(default_factory=dict)

    def after(self, workers: Sequence[WorkerSeen], now: datetime) -> "MemoryTracks":
        """With one more look; workers that are gone are forgotten."""
        return MemoryTracks({worker.name: self._longer(worker, now) for worker in workers})

    def _longer(self, worker: WorkerSeen, now: datetime) -> Track:
        track = tuple(sample for sample in self.by_worker.get(worker.name, ()) if now - sample.at <= KEPT)
        if worker.memory_bytes is None or worker.memory_age_seconds is None:
            return track
        at = now - timedelta(seconds=worker.memory_age_seconds)
        if track and at - track[-1].at < SAMPLED_EVERY:
            return track
        return (*track, MemorySample(at, worker.restarts, worker.memory_bytes))

    def at_beats(self, workers: Sequence[WorkerSeen], now: datetime) -> tuple[WorkerSeen, ...]:
        """The workers, each with what it used when it sent its newest heartbeat, as far as that was seen."""
        return tuple(self._at_beat(worker, now) for worker in workers)

    def _at_beat(self, worker: WorkerSeen, now: datetime) -> WorkerSeen:
        if worker.heartbeat_age_seconds is None:
            return worker
        beat = now - timedelta(seconds=worker.heartbeat_age_seconds)
        track = [sample for sample in self.by_worker.get(worker.name, ()) if sample.restarts == worker.restarts]
        nearest = min(track, key=lambda sample: abs(sample.at - beat), default=None)
        if nearest is None or abs(nearest.at - beat) > SAME_MOMENT:
            return worker
        return replace(worker, memory_at_beat_mib=round(nearest.used_bytes / MIB))
