"""Where a demo keeps its files: the picture, the recording, logs, and what its server and its workers need."""

import logging
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from activities.targets.supervisor.ending import kill_group
from activities.targets.supervisor.protocol import Place

OUT = Path("out")


@dataclass(frozen=True, slots=True)
class Folder:
    """One demo's files."""

    path: Path

    @classmethod
    def made(cls, name: str, now: datetime) -> Self:
        """A new folder below ./out, or below the system's own for such files where that can't be written to."""
        try:
            OUT.mkdir(exist_ok=True)
            path = OUT / f"{name}-{now:%Y%m%d-%H%M%S}"
            path.mkdir()
        except OSError:
            path = Path(tempfile.mkdtemp(prefix=f"temporal-scaler-{name}-"))
        return cls(path.resolve())

    @property
    def server(self) -> Path:
        """The server's database, configuration and log."""
        return self.path / "server"

    @property
    def groups(self) -> Path:
        """A directory for each group of workers: its supervisor's files and their output."""
        return self.path / "workers"

    @property
    def controller_log(self) -> Path:
        """What the controller logs."""
        return self.path / "controller.log"

    @property
    def picture(self) -> Path:
        """What happened, drawn."""
        return self.path / "demo.svg"

    @property
    def recording(self) -> Path:
        """What happened, as JSON."""
        return self.path / "recording.json"

    def log(self) -> None:
        """Have logs written there from now on: on the terminal they would tear what is told apart."""
        logging.basicConfig(
            filename=self.controller_log, level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
        )

    def kill_groups(self) -> None:
        """End all workers and their supervisors without waiting."""
        for directory in self.groups.glob("*"):
            kill_group(Place(directory))


def short(path: Path) -> str:
    """Relative to where the user is, if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
