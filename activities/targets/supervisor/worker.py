"""One worker while it has processes: measured, held to its limit, drained, and cleared up after its end."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from activities.targets.supervisor.cgroup import MemoryCgroup
from activities.targets.supervisor.memory import MemoryTrack, resident_bytes
from activities.targets.supervisor.session import Sessions, WorkerSession, kill, living, terminate
from activities.targets.supervisor.state import Moment, WorkerEntry
from scaler.model.observation import ExitReason, WorkerExit

_logger = logging.getLogger(__name__)

MEASURE_SECONDS: Final = 0.5
"""How often memory is measured; the watchdog looks at every poll."""


class Worker:
    """A worker's processes, and what is known of them beyond its entry on disk."""

    def __init__(self, session: WorkerSession, cgroup: MemoryCgroup | None) -> None:
        self.memory = MemoryTrack()
        self.ended = False  # the process that was started has
        self.gone = False  # nothing that it left behind lives either
        self.process_ids: tuple[int, ...] = ()  # of all its processes, when they were last measured
        self._session = session
        self._cgroup = cgroup
        self._killed_for: ExitReason | None = None
        self._reason = ExitReason.UNKNOWN
        self._asked: set[int] = set()  # its processes that got their SIGTERM

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._session.identity.pid

    def go(self) -> None:
        """Let it begin its work, once it is written down."""
        self._session.go()

    @property
    def exit_status(self) -> int | None:
        """How it ended, negative for a signal; None where that is not known."""
        return self._session.exit_status

    def has_ended(self) -> bool:
        """Whether the process that was started is gone by now."""
        return self._session.ended()

    def clear_up(self) -> None:
        """Remove what is still there of a worker that is gone."""
        self._session.forget()
        if self._cgroup is not None and not self._cgroup.remove():
            _logger.warning("%s can't be removed", self._cgroup.path)

    def poll(self, entry: WorkerEntry, sessions: Sessions, now: Moment) -> WorkerEntry:
        """Do what is due, and return the entry as it stands afterwards."""
        if self._session.ended():
            self._end(entry, sessions, now)
            return entry
        if entry.drain_until is not None:
            entry = self._drain(entry, sessions, now)
        age = self.memory.age_seconds(now)
        watchdog = self._cgroup is None and entry.memory_limit_bytes is not None
        if age is None or age >= MEASURE_SECONDS or watchdog:
            alive, figure = self.measure(sessions, now)
            if self._exceeds(entry, figure):
                self._kill(alive, ExitReason.OOM_KILLED)
        return entry

    def measure(self, sessions: Sessions, now: Moment) -> tuple[list[psutil.Process], int]:
        """See which processes it has and what they use."""
        alive = self._living(sessions)
        self.process_ids = tuple(process.pid for process in alive)
        figure = self._used_bytes(alive)
        if figure:
            self.memory.add(now, figure)
        return alive, figure

    def told(self, entry: WorkerEntry) -> WorkerExit:
        """How it ended. Its time is when that is told: ends are read in the order of their times."""
        return WorkerExit(
            worker=entry.name,
            reason=self._reason,
            at=datetime.now(UTC),
            cache=entry.cache,
            memory_bytes=self._highest_bytes(entry),
        )

    def _drain(self, entry: WorkerEntry, sessions: Sessions, now: Moment) -> WorkerEntry:
        """Ask the first process alone, as Kubernetes does: it knows what its children must finish before."""
        alive = self._living(sessions)
        if entry.drain_until is not None and now >= entry.drain_until:
            self._kill(alive, ExitReason.KILLED)
        if not entry.asked_to_go:
            _logger.info("%s is asked to end", entry.name)
            self._ask(process for process in alive if process.pid == self.pid)
        return replace(entry, asked_to_go=True)

    def _used_bytes(self, alive: list[psutil.Process]) -> int:
        """What its limit is held against: the kernel's own count where that enforces it, else the watchdog's."""
        counted = self._cgroup.used_bytes() if self._cgroup is not None else None
        return resident_bytes(alive) if counted is None else counted

    def _exceeds(self, entry: WorkerEntry, figure: int) -> bool:
        if self._cgroup is not None:
            return self._cgroup.oom_kills() > 0  # of one of its processes; the others are no worker any more
        return entry.memory_limit_bytes is not None and figure > entry.memory_limit_bytes

    def _end(self, entry: WorkerEntry, sessions: Sessions, now: Moment) -> None:
        """See to what it left behind: a restart must not find its predecessor's children at work."""
        alive = self._living(sessions)
        # Only processes listed after the end are all: before it, a child may have come after the list.
        self.gone = self.ended and not alive
        if not self.ended:
            self.ended = True
            self._reason = self._why(entry)
        if entry.drain_until is None or self._reason is ExitReason.OOM_KILLED:
            kill(alive)
        elif now < entry.drain_until:
            # A wrapper that did not pass the signal on: who does the work learns of it now, and has the same grace.
            self._ask(alive)
        elif alive:
            self._reason = ExitReason.KILLED
            kill(alive)

    def _why(self, entry: WorkerEntry) -> ExitReason:
        if self._cgroup is not None and self._cgroup.oom_kills() > 0:
            return ExitReason.OOM_KILLED
        if self._killed_for is not None:
            return self._killed_for
        if entry.draining:
            return ExitReason.DRAINED
        return ExitReason.UNKNOWN if self._session.lost else ExitReason.CRASHED

    def _ask(self, processes: Iterable[psutil.Process]) -> None:
        """Each once: many programs take a second SIGTERM for impatience and drop their work."""
        unasked = [process for process in processes if process.pid not in self._asked]
        self._asked.update(process.pid for process in unasked)
        terminate(unasked)

    def _kill(self, alive: list[psutil.Process], reason: ExitReason) -> None:
        if self._killed_for is None:
            _logger.warning("process %d is killed: %s", self.pid, reason)
            self._killed_for = reason
        kill(alive)

    def _living(self, sessions: Sessions) -> list[psutil.Process]:
        """All its processes, also those that left its session but not its cgroup."""
        members = self._session.living(sessions)
        if self._cgroup is None:
            return members
        known = {process.pid for process in members}
        return [*members, *living(pid for pid in self._cgroup.pids() if pid not in known)]

    def _highest_bytes(self, entry: WorkerEntry) -> int | None:
        """Who was killed for memory had reached the limit, whatever was measured last."""
        peak = self.memory.peak_bytes
        if self._reason is ExitReason.OOM_KILLED and entry.memory_limit_bytes is not None:
            return max(peak or 0, entry.memory_limit_bytes)
        return peak


def found_again(entry: WorkerEntry, ready: Path) -> Worker | None:
    """The worker that an earlier supervisor wrote down; None if it has no process."""
    if entry.process is None:
        return None
    cgroup = MemoryCgroup(Path(entry.cgroup)) if entry.cgroup is not None else None
    return Worker(WorkerSession(entry.process, ready), cgroup)
