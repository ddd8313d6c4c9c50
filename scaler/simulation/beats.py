"""Worker heartbeats: each worker's own figures, once an interval, the first one interval after it began to poll."""

import math
from dataclasses import dataclass
from typing import Any, Final

from activities.memory_tracks import SAME_MOMENT
from activities.sources.heartbeats import BEATS_MISSED, SHORTEST_INTERVAL
from scaler.simulation.scenario import SignalName
from scaler.simulation.visibility import Darkness
from scaler.simulation.worker import Done, Worker
from scaler.simulation.world import World

FORGET_AFTER: Final = 200
"""Lives of workers that may be remembered beyond those that run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One heartbeat, with the rates that two in a row give."""

    at: float
    cached: int
    workflow_slots_used: int
    activity_slots_used: int
    workflow_tasks_per_second: float
    activities_per_second: float
    hits_per_second: float | None
    misses_per_second: float | None


@dataclass(slots=True)
class _Pulse:
    """What a worker has sent, and what was read of it; memory as the platform sampled it nearest to the beat."""

    next_at: float
    done: Done
    sent: Beat | None = None
    read: Beat | None = None
    sent_bytes: float | None = None
    read_bytes: float | None = None
    gap: float = math.inf

    def compare(self, worker: Worker) -> None:
        """Take the platform's newest sample, if it is nearer to the newest beat than the one before."""
        if self.sent is None or worker.sampled_bytes is None:
            return
        gap = abs(worker.sampled_at - self.sent.at)
        if gap < self.gap and gap <= SAME_MOMENT.total_seconds():
            self.gap, self.sent_bytes = gap, worker.sampled_bytes


class Heartbeats:
    """All workers' heartbeats. Workers that drain are shutting down and are not listed."""

    def __init__(self, world: World[Any]) -> None:
        metrics = world.scenario.metrics
        self._world = world
        self._interval = metrics.heartbeats.total_seconds()
        self._read_every = max(SHORTEST_INTERVAL.total_seconds(), self._interval / 2)
        self._read_at = 0.0
        self._darkness = Darkness(metrics.blackouts)
        self._pulses: dict[Worker, _Pulse] = {}

    def beat(self, now: float) -> None:
        """Send what is due, and read it if that is due; to be called once a second."""
        workers = self._world.platform.workers
        for worker in workers:
            if worker.serving:
                self._send(worker, now)
        if now - self._read_at >= self._read_every and not self._darkness.hides(SignalName.HEARTBEATS, now):
            self._read_at = now
            for worker, pulse in self._pulses.items():
                pulse.read, pulse.read_bytes = pulse.sent, pulse.sent_bytes
                worker.said_cached = pulse.sent.cached if pulse.sent is not None else None
        if len(self._pulses) > len(workers) + FORGET_AFTER:
            self._pulses = {worker: self._pulses[worker] for worker in workers if worker in self._pulses}

    def of(self, worker: Worker, now: float) -> Beat | None:
        """The newest that is known of a worker and not too old."""
        pulse = self._pulses.get(worker)
        beat = pulse.read if pulse is not None else None
        if beat is None or not worker.serving or now - beat.at > BEATS_MISSED * self._interval:
            return None
        return beat

    def memory_at_beat(self, worker: Worker) -> float | None:
        """What a worker used when it sent the newest beat that is known of it."""
        pulse = self._pulses.get(worker)
        return pulse.read_bytes if pulse is not None else None

    def _send(self, worker: Worker, now: float) -> None:
        pulse = self._pulses.get(worker)
        if pulse is None:
            began = worker.ready_at or 0.0
            self._pulses[worker] = _Pulse(began + self._first_after(worker), worker.done())
            return
        pulse.compare(worker)
        if now < pulse.next_at:
            return
        done, before = worker.done(), pulse.done
        second = pulse.sent is not None
        pulse.sent = Beat(
            at=now,
            cached=len(worker.runs),
            workflow_slots_used=self._world.workflow_slots_used(worker),
            activity_slots_used=worker.busy,
            workflow_tasks_per_second=(done.workflow_tasks - before.workflow_tasks) / self._interval,
            activities_per_second=(done.activities - before.activities) / self._interval,
            hits_per_second=(done.hits - before.hits) / self._interval if second else None,
            misses_per_second=(done.misses - before.misses) / self._interval if second else None,
        )
        pulse.sent_bytes, pulse.gap = None, math.inf
        pulse.compare(worker)
        pulse.done = done
        pulse.next_at += self._interval

    def _first_after(self, worker: Worker) -> float:
        """One interval; workers that were there at the start began at different times."""
        return self._interval if worker.started_at >= 0 else (worker.number * 0.618) % 1 * self._interval
