"""What a supervisor must not forget when it is killed: written to disk, whole and durable, before it acts.

The record and what is wanted stand in one file, so that neither is ever seen without the other.
"""

import errno
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from activities.targets.supervisor.protocol import Enforcement
from activities.targets.supervisor.session import ProcessIdentity
from activities.targets.supervisor.wanted import Definition, Wanted
from scaler.model.observation import WorkerExit
from scaler.model.record import TargetRecord

Moment = float
"""Seconds of the system's monotonic clock, which all processes share until the next boot; never set by hand."""

EXITS_KEPT: Final = 50
RESERVE_BYTES: Final = 2**20


class StateUnreadable(Exception):  # noqa: N818 (it names what happened)
    """The state file is there and can't be read; to guess would be to start workers a second time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEntry:
    """One worker. Without a process it waits for `start_at`: for its first start, or for its next after a crash."""

    number: int
    cache: int | None = None
    version: str = ""
    memory_limit_bytes: int | None = None
    process: ProcessIdentity | None = None
    cgroup: str | None = None
    host_name: str = ""  # of this machine when its newest process was started: what that tells of itself
    started_at: Moment | None = None  # its newest process
    start_at: Moment = 0.0
    starts: int = 0
    crashes: int = 0  # in a row
    last_status: int | None = None  # of the process before
    last_words: str = ""  # that it wrote
    drain_until: Moment | None = None
    asked_to_go: bool = False  # it got its SIGTERM

    @property
    def name(self) -> str:
        """Unique for ever within the group."""
        return f"w-{self.number}"

    @property
    def draining(self) -> bool:
        """Whether it is on its way out and counts no more."""
        return self.drain_until is not None

    @property
    def enforcement(self) -> Enforcement:
        """What holds it to its memory limit."""
        if self.memory_limit_bytes is None:
            return Enforcement.NONE
        return Enforcement.CGROUP if self.cgroup is not None else Enforcement.WATCHDOG


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A version whose workers never came up, by the one that showed it."""

    version: str
    worker: str
    starts: int
    status: int | None
    last_words: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorState:
    """All that a supervisor remembers. Processes of another boot are gone whatever their numbers."""

    boot: str = ""
    record: TargetRecord | None = None
    revision: int = 0  # grows with every write of the record and every count that somebody else sets
    wanted: Wanted | None = None
    workers: tuple[WorkerEntry, ...] = ()
    next_number: int = 1
    exits: tuple[WorkerExit, ...] = ()
    proven: Definition | None = None  # the newest of which a worker was ready
    failed: Failure | None = None  # the newest, if none of its workers came up
    says_ready: str = ""  # the version of the definition whose workers were seen to make their ready files
    version: int = 1

    @property
    def starting(self) -> Definition | None:
        """What a worker that starts now becomes: what is wanted, or what served before if that did not come up."""
        if self.wanted is None:
            return None
        given_up = self.failed is not None and self.failed.version == self.wanted.definition.version
        return self.proven if given_up and self.proven is not None else self.wanted.definition

    @property
    def at_rest(self) -> bool:
        """Nobody's, and empty: there is nothing to supervise."""
        return not self.workers and (self.record is None or self.record.owner is None)

    def with_worker(self, entry: WorkerEntry) -> "SupervisorState":
        """With this entry in the place of the one with its number."""
        workers = tuple(entry if one.number == entry.number else one for one in self.workers)
        return replace(self, workers=workers)

    def without_worker(self, number: int) -> "SupervisorState":
        """After a worker is gone for good."""
        return replace(self, workers=tuple(one for one in self.workers if one.number != number))

    def with_exit(self, ended: WorkerExit) -> "SupervisorState":
        """With one more end of a worker process; the newest are kept."""
        return replace(self, exits=(*self.exits, ended)[-EXITS_KEPT:])


_STATES: Final = TypeAdapter(SupervisorState)


def load(path: Path) -> SupervisorState:
    """Read the state, or begin a new one where none was ever written; raise `StateUnreadable` otherwise."""
    try:
        return _STATES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return SupervisorState()
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        remedy = "repair it, or end this group's workers and remove it"
        raise StateUnreadable(f"{path} can't be read; {remedy} ({reason})") from error


def save(path: Path, state: SupervisorState) -> None:
    """Write the state so that a crash at any moment leaves the old one or this one; raise OSError if it can't.

    Nobody else may read it: it holds the environment of the workers.
    """
    draft, text = path.with_suffix(".draft"), _STATES.dump_json(state, indent=1)
    try:
        _write(draft, text)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _reserve(path).unlink(missing_ok=True)
        _write(draft, text)
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def keep_reserve(path: Path) -> None:
    """Have some room set aside beside the state, which is given up when the disk is full.

    On a disk that is nearly full it is left free for others.
    """
    reserve = _reserve(path)
    if reserve.exists() or shutil.disk_usage(path.parent).free < 4 * RESERVE_BYTES:
        return
    try:
        with reserve.open("wb") as file:
            file.write(bytes(RESERVE_BYTES))
    except OSError:
        reserve.unlink(missing_ok=True)


def _reserve(path: Path) -> Path:
    return path.with_suffix(".reserve")


def _write(draft: Path, text: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
