"""What tests of the server's finding, building and ending look at: a bare machine, written progress, programs."""

import io
from pathlib import Path

import psutil
from rich.console import Console

from devserver import Machine, Progress


class Written:
    """Progress as a build log shows it."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.progress = Progress(Console(file=self._file))

    @property
    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()


def started_on(folder: Path, parent: int) -> list[psutil.Process]:
    """Programs below a process that were told of a folder: a server's, and its keeper."""
    below = psutil.Process(parent).children(recursive=True)
    return [program for program in below if any(str(folder) in part for part in _command_line(program))]


def _command_line(program: psutil.Process) -> list[str]:
    try:
        return program.cmdline()
    except psutil.NoSuchProcess:  # ended since it was listed
        return []


def machine(folder: Path, *programs: tuple[str, str]) -> Machine:
    """A machine whose PATH holds these shell scripts and nothing else, with an empty cache."""
    path = folder / "path"
    path.mkdir()
    for name, script in programs:
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
    return Machine(environment={"PATH": str(path)}, cache=folder / "cache")
