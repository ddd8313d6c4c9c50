"""One worker's operating-system processes: the one that was started, and all that it started in its session.

A process id alone is never trusted: it counts only together with the time its process was started.
"""

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import psutil

from activities.targets.supervisor.logs import open_private

READY_VARIABLE: Final = "TEMPORAL_SCALER_READY_FILE"

_GATE: Final = 'read -r go && exec "$@" </dev/null'
"""Waits for a line before it becomes the worker. If its supervisor dies first it ends, and nobody was started."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What tells a process from every other of this boot, also from a later one with its id."""

    pid: int
    started_seconds: float  # after the boot; unlike the time of day it does not move when the clock is set


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start, and where its output goes."""

    command: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    log: Path


def boot_id() -> str:
    """Names this boot of the machine: Linux has a file for it, macOS a command."""
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text().strip()
    return subprocess.check_output(["sysctl", "-n", "kern.bootsessionuuid"], text=True).strip()


def identify(pid: int) -> ProcessIdentity | None:
    """The process that has this id now, if one has."""
    try:
        while True:
            boot = psutil.boot_time()
            created = psutil.Process(pid).create_time()
            if boot == psutil.boot_time():  # else the clock was set in between
                return ProcessIdentity(pid, round(created - boot, 2))
    except psutil.NoSuchProcess:
        return None


class Sessions:
    """Which processes are in which session, at the one moment when that is first asked."""

    @cached_property
    def _members(self) -> Mapping[int, list[int]]:
        members: defaultdict[int, list[int]] = defaultdict(list)
        for pid in psutil.pids():
            with suppress(OSError):
                members[os.getsid(pid)].append(pid)
        return members

    def members(self, session: int) -> Iterator[psutil.Process]:
        """The living processes of a session."""
        for process in living(self._members.get(session, ())):
            # Asked again, now that psutil knows the process and will signal no other that got its id.
            with suppress(OSError):
                if os.getsid(process.pid) == session:
                    yield process


class WorkerSession:
    """A worker's processes, started here or found again. It ended when the process that was started has."""

    def __init__(self, identity: ProcessIdentity, ready: Path, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self._ready = ready
        self._child = child
        self._leader = _found(identity) if child is None else None
        self._known: frozenset[psutil.Process] = frozenset()  # members that were seen while the first one lived

    @classmethod
    def begin(cls, launch: Launch, ready: Path) -> "WorkerSession":
        """Start a process that waits to become the worker; OSError if that can't be done.

        It is to be written down before `go`, so that no worker ever runs that a later supervisor would not find.
        """
        ready.unlink(missing_ok=True)
        with open_private(launch.log) as log:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _GATE, *launch.command[:1], *launch.command],
                cwd=launch.directory,
                env={**launch.environment, READY_VARIABLE: str(ready)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        identity = identify(child.pid)
        if identity is None:  # not even a zombie: somebody else reaps our children
            raise ChildProcessError("the worker's process vanished as it was started")
        return cls(identity, ready, child)

    @property
    def lost(self) -> bool:
        """Whether it ended while nobody watched."""
        return self._child is None and self._leader is None

    @property
    def exit_status(self) -> int | None:
        """How it ended, negative for a signal; None while it runs, and of one that was not started here."""
        return self._child.returncode if self._child is not None else None

    def go(self) -> None:
        """Let the process become the worker."""
        if self._child is not None and self._child.stdin is not None:
            with suppress(BrokenPipeError), self._child.stdin as gate:
                gate.write(b"go\n")

    def forget(self) -> None:
        """Remove what it left on disk beside its log."""
        self._ready.unlink(missing_ok=True)

    def ended(self) -> bool:
        """Whether the process that was started is gone; others of its session may be left."""
        if self._child is not None:
            return self._child.poll() is not None
        try:
            return (
                self._leader is None or not self._leader.is_running() or self._leader.status() == psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return True

    def living(self, sessions: Sessions) -> list[psutil.Process]:
        """The processes of the session that live.

        While the first one lives no other session can have its number. Afterwards it may be a stranger's, so only
        those count that were seen before or carry this worker's mark.
        """
        members = list(sessions.members(self.identity.pid))
        if not self.ended():  # asked last: what was listed before is its own
            self._known = frozenset(members)
            return members
        return [process for process in members if process in self._known or self._marked(process)]

    def _marked(self, process: psutil.Process) -> bool:
        return _mark(process) == str(self._ready)


def living(pids: Iterable[int]) -> Iterator[psutil.Process]:
    """Those of these processes that live."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process


def marked(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """All processes that were started as workers of one place, and which: they keep their ready files there."""
    for process in living(psutil.pids()):
        mark = _mark(process)
        if mark is not None and Path(mark).parent == folder:
            yield process, Path(mark).name


def session_of(process: psutil.Process) -> int | None:
    """The number of its session; None if it has ended."""
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(READY_VARIABLE)
    except (psutil.Error, OSError):
        return None


def terminate(processes: Iterable[psutil.Process]) -> None:
    """Ask processes to end; psutil refuses one whose id has gone to another process."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()


def kill(processes: Iterable[psutil.Process]) -> None:
    """End processes at once."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def _found(identity: ProcessIdentity) -> psutil.Process | None:
    """The process itself if it lives, held so that it is never mistaken for a later one with its id."""
    process = next(living((identity.pid,)), None)
    # In this order: what was held before it was identified is what was identified.
    return process if identify(identity.pid) == identity and process is not None and process.is_running() else None
