"""What a controller and a supervisor say to each other: one JSON document each way, on a connection of its own.

Both read tolerantly, so that either may be the older one: unknown keys are ignored, missing ones have defaults, and
an operation that the supervisor does not know is refused in words.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from activities.targets.contract import TargetLook
from activities.targets.supervisor.wanted import Wanted
from scaler.model.common import TolerantEnum
from scaler.model.observation import TargetSeen
from scaler.model.record import TargetRecord

VERSION: Final = 1


class Operation(TolerantEnum):
    """What a supervisor can be asked for. Every answer tells all that there is to see afterwards."""

    LOOK = "look"
    STEP = "step"
    SCALE = "scale"  # somebody else's hand: another desired count, the record untouched
    SHUTDOWN = "shutdown"  # end the supervisor, if it has no workers
    UNKNOWN = "unknown"


class Outcome(TolerantEnum):
    """What became of a request."""

    DONE = "done"
    CONFLICT = "conflict"  # the revision is not the one that the sender had read
    REFUSED = "refused"  # `detail` says why; nothing was changed
    UNKNOWN = "unknown"


class Enforcement(TolerantEnum):
    """What holds a worker to its memory limit."""

    CGROUP = "cgroup"
    WATCHDOG = "watchdog"
    NONE = "none"  # it has no limit
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step towards a plan, valid only at the `revision` that its sender has read.

    `record` is written before anything is done; None leaves it. Without `wanted` nothing is done. Workers in
    `replace` drain; of those too many, the ones in `victims` go first.
    """

    revision: int
    record: TargetRecord | None = None
    wanted: Wanted | None = None
    replace: tuple[str, ...] = ()
    victims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked: `step` goes with STEP, `workers` with SCALE."""

    operation: Operation
    step: Step | None = None
    workers: int | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of the request, and everything that the supervisor knows afterwards."""

    outcome: Outcome = Outcome.UNKNOWN
    detail: str | None = None
    record: TargetRecord | None = None
    revision: int = 0  # of the record and the desired count
    look: TargetLook = field(default_factory=lambda: TargetLook(target=TargetSeen()))
    enforcement: Mapping[str, Enforcement] = field(default_factory=dict)  # by worker name
    supervisor_pid: int | None = None
    version: int = VERSION


REQUESTS: Final = TypeAdapter(Request)
ANSWERS: Final = TypeAdapter(Answer)


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one supervisor. Only its user may enter the directory: who reaches the socket starts commands."""

    directory: Path

    @property
    def socket(self) -> Path:
        """Where the supervisor answers."""
        return self.directory / "supervisor.sock"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives, so that there is never a second; names its process."""
        return self.directory / "supervisor.lock"

    @property
    def state(self) -> Path:
        """What a new supervisor needs to go on where the old one was killed."""
        return self.directory / "state.json"

    @property
    def logs(self) -> Path:
        """Output of the workers and of the supervisor, in rotating files."""
        return self.directory / "logs"

    def log(self, worker: str) -> Path:
        """The output of one worker."""
        return self.logs / f"{worker}.log"

    def ready(self, worker: str) -> Path:
        """The file that a worker makes to say that it is ready."""
        return self.directory / "ready" / worker

    def make(self) -> None:
        """Make the directories, closed to other users."""
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self.directory, self.logs, self.ready("w").parent):
            _own(directory)


def _own(directory: Path) -> None:
    """Make a directory that only this user may enter; PermissionError where it leads elsewhere or is another's.

    Whoever can put a link there, or owns it, decides what runs: `state.json` holds a command.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{directory} must be a directory, and no link to one; remove it")
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{directory} belongs to user {found.st_uid}, not to {os.geteuid()} who would use it")
    directory.chmod(0o700)
