"""What a group looks like from outside. Changes nothing."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from activities.targets.contract import EXITS_TOLD, TargetLook, TargetWorker
from activities.targets.supervisor.protocol import Enforcement, Place
from activities.targets.supervisor.readiness import is_ready
from activities.targets.supervisor.state import Moment, SupervisorState, WorkerEntry
from activities.targets.supervisor.worker import Worker
from scaler.model.common import Quality
from scaler.model.observation import FailingSeen, TargetSeen, VersionsSeen, WorkerSeen, WorkerState

CRASHES_TOLD: Final = 2
"""In a row: one alone is restarted at once, and mostly heals."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A group at one moment."""

    place: Place
    state: SupervisorState
    workers: Mapping[int, Worker]  # those with processes, by number
    now: Moment

    def look(self) -> TargetLook:
        """The target, its workers in the order in which they came, and the ends of the last ten minutes."""
        clock = datetime.now(UTC)
        return TargetLook(
            target=self._target(clock),
            workers=tuple(self._worker(entry) for entry in self.state.workers),
            exits=tuple(ended for ended in self.state.exits if clock - ended.at <= EXITS_TOLD),
        )

    def enforcement(self) -> dict[str, Enforcement]:
        """What holds each worker with a process to its memory limit."""
        return {entry.name: entry.enforcement for entry in self.state.workers if entry.process is not None}

    def _target(self, clock: datetime) -> TargetSeen:
        wanted, starting = self.state.wanted, self.state.starting
        if wanted is None or starting is None:
            return TargetSeen(at=clock, quality=Quality.FRESH, desired=0)
        return TargetSeen(
            at=clock,
            quality=Quality.FRESH,
            desired=wanted.workers,
            cache=wanted.cache,
            memory_limit_bytes=wanted.definition.memory_limit_bytes,
            version=starting.version,
            versions=VersionsSeen(failing=self._failing()),
        )

    def _failing(self) -> FailingSeen | None:
        """The version that did not come up; else the worker that crashed most often in a row, while it is not back."""
        if (failed := self.state.failed) is not None:
            return FailingSeen(
                worker=failed.worker,
                version=failed.version,
                starts=failed.starts,
                status=failed.status,
                last_line=failed.last_words,
                log=str(self.place.log(failed.worker)),
            )
        crashing = [entry for entry in self.state.workers if entry.crashes >= CRASHES_TOLD and not self._serves(entry)]
        worst = max(crashing, key=lambda entry: entry.crashes, default=None)
        if worst is None:
            return None
        return FailingSeen(
            worker=worst.name,
            version=worst.version,
            starts=worst.starts,
            status=worst.last_status,
            last_line=worst.last_words,
            log=str(self.place.log(worst.name)),
            ever_ready=True,
        )

    def _serves(self, entry: WorkerEntry) -> bool:
        return self._state_of(entry, self.workers.get(entry.number)) in (WorkerState.READY, WorkerState.DRAINING)

    def _worker(self, entry: WorkerEntry) -> TargetWorker:
        worker = self.workers.get(entry.number)
        memory = worker.memory if worker is not None else None
        seen = WorkerSeen(
            name=entry.name,
            state=self._state_of(entry, worker),
            age_seconds=self.now - entry.started_at if entry.started_at is not None else 0.0,
            cache=entry.cache,
            version=entry.version,
            restarts=max(0, entry.starts - 1),
            started_in_seconds=self._started_in_seconds(entry),
            memory_bytes=memory.newest_bytes if memory is not None else None,
            memory_peak_bytes=memory.peak_bytes if memory is not None else None,
            memory_age_seconds=memory.age_seconds(self.now) if memory is not None else None,
        )
        return TargetWorker(
            seen=seen,
            host_name=entry.host_name or socket.gethostname(),
            host_names=(socket.gethostname(),),
            process_id=entry.process.pid if entry.process is not None else None,
            process_ids=worker.process_ids if worker is not None else (),
        )

    def _state_of(self, entry: WorkerEntry, worker: Worker | None) -> WorkerState:
        if entry.draining:
            return WorkerState.DRAINING
        if worker is None or entry.started_at is None:
            return WorkerState.RESTARTING if entry.starts else WorkerState.STARTING
        if worker.ended:
            return WorkerState.RESTARTING
        ready = is_ready(self.place, self.state, entry, self.now)
        return WorkerState.READY if ready else WorkerState.STARTING

    def _started_in_seconds(self, entry: WorkerEntry) -> float | None:
        """From its start until it said that it was ready; None if it did not say, or the clock was set meanwhile."""
        if entry.started_at is None or entry.process is None:
            return None
        try:
            said_at = self.place.ready(entry.name).stat().st_mtime
        except OSError:
            return None
        took = self.now - entry.started_at - (datetime.now(UTC).timestamp() - said_at)
        return took if 0 <= took <= self.now - entry.started_at else None
