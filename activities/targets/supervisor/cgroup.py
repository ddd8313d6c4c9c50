"""A memory cgroup for one worker, version 1 or 2, where this system lets one be made. Linux only.

Made beside or below the supervisor's own, and never by changing one that is not ours.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_MEMBERSHIPS: Final = Path("/proc/self/cgroup")
_MOUNTS: Final = Path("/proc/self/mountinfo")

_LIMIT_V2: Final = "memory.max"
_SWAP_V2: Final = "memory.swap.max"
_LIMIT_V1: Final = "memory.limit_in_bytes"
_WITH_SWAP_V1: Final = "memory.memsw.limit_in_bytes"
_REMOVAL_TRIES: Final = 20
_REMOVAL_PAUSE_SECONDS: Final = 0.01
"""The kernel lets go of a cgroup a moment after its last process has ended."""

_USES: Final = {
    _LIMIT_V2: ("memory.current", "inactive_file"),
    _LIMIT_V1: ("memory.usage_in_bytes", "total_inactive_file"),
}
_KILLS: Final = {_LIMIT_V2: "memory.events", _LIMIT_V1: "memory.oom_control"}


class MemoryCgroup:
    """One worker's cgroup: the kernel kills in it alone when its limit is reached, and counts that."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def confine(cls, pid: int, name: str, limit_bytes: int) -> "MemoryCgroup | None":
        """Put a process, and all that it will start, under a limit; None where the system does not let us."""
        for parent in parents():
            cgroup = cls(parent / name)
            try:
                cgroup._make(limit_bytes)
                cgroup._write("cgroup.procs", str(pid))
            except OSError:
                cgroup.remove()
            else:
                return cgroup
        return None

    def oom_kills(self) -> int:
        """How often the kernel killed a process in it for memory."""
        for limit, kills in _KILLS.items():
            if (self.path / limit).exists():
                return _counter(self.path / kills, "oom_kill") or 0
        return 0

    def used_bytes(self) -> int | None:
        """What the limit is held against, without the file pages that the kernel gives back before it kills anybody.

        None where that can't be read. The same figure as the kubelet's working set.
        """
        for limit, (use, inactive) in _USES.items():
            if (self.path / limit).exists():
                used, spare = _number(self.path / use), _counter(self.path / "memory.stat", inactive)
                return None if used is None or spare is None else max(used - spare, 0)
        return None

    def pids(self) -> tuple[int, ...]:
        """The processes in it, also those that left their session."""
        try:
            return tuple(map(int, (self.path / "cgroup.procs").read_text().split()))
        except OSError:
            return ()

    def remove(self) -> bool:
        """Remove it once it is empty; whether it is gone."""
        for _ in range(_REMOVAL_TRIES):
            with suppress(OSError):
                self.path.rmdir()
            if not self.path.exists():
                return True
            time.sleep(_REMOVAL_PAUSE_SECONDS)
        return False

    def _make(self, limit_bytes: int) -> None:
        self.remove()  # of a start that was never written down
        self.path.mkdir()
        if (self.path / _LIMIT_V2).exists():
            self._write(_LIMIT_V2, str(limit_bytes))
            self._write_if_there(_SWAP_V2, "0")  # else a worker would swap where it is meant to end
            self._write_if_there("memory.oom.group", "1")  # a worker without one of its processes is none
        else:
            self._write(_LIMIT_V1, str(limit_bytes))
            self._write_if_there(_WITH_SWAP_V1, str(limit_bytes))

    def _write_if_there(self, file: str, text: str) -> None:
        if (self.path / file).exists():
            self._write(file, text)

    def _write(self, file: str, text: str) -> None:
        descriptor = os.open(self.path / file, os.O_WRONLY)  # which never makes a file
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def parents() -> Iterator[Path]:
    """Where a cgroup might be made, the likeliest place first.

    In version 1 that is below our own. In version 2 a cgroup with processes can have no limited ones below it
    (except the root), so beside our own is what is left.
    """
    with suppress(OSError):
        mounts = _MOUNTS.read_text().splitlines()
        for line in _MEMBERSHIPS.read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if "memory" in controllers.split(","):
                yield from mounted(mounts, "cgroup", own)
            elif not controllers:
                for path in mounted(mounts, "cgroup2", own):
                    yield path
                    if not path.is_mount():
                        yield path.parent


def mounted(mounts: list[str], kind: str, own: str) -> Iterator[Path]:
    """Where our own cgroup is in the file system, from lines of `… ROOT MOUNT_POINT … - KIND SOURCE OPTIONS`."""
    for line in mounts:
        before, _, after = line.partition(" - ")
        root, mount_point = before.split()[3:5]
        found, _, options = after.split(maxsplit=2)
        if found == kind and (kind == "cgroup2" or "memory" in options.split(",")):
            yield Path(mount_point) / own.removeprefix(root).lstrip("/")


def _counter(file: Path, name: str) -> int | None:
    with suppress(OSError):
        for line in file.read_text().splitlines():
            key, _, count = line.partition(" ")
            if key == name:
                return int(count)
    return None


def _number(file: Path) -> int | None:
    with suppress(OSError):
        return int(file.read_text())
    return None
