"""The files of one run, and what the controller and the first workers are both told: the fleet and its group."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from temporalio.client import WorkflowHistory

from activities.targets.supervisor.protocol import Place
from benchmarks.live.options import Options

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "live"
"""Of the fleet, of its group of workers and of its task queue."""

NAMESPACE: Final = "default"
SLOTS: Final = 8
MOST_WORKERS: Final = 8
MEMORY_LIMIT: Final = "192Mi"
DRAIN_SECONDS: Final = 20
START_DELAY_SECONDS: Final = 3
"""As long as a pod takes that does not have to fetch its image."""

FLEET: Final[Mapping[str, Any]] = {
    "name": NAME,
    "target": {"kind": "local", "name": NAME},
    "task_queues": [{"name": NAME}],
    "workers": {"min": 1, "max": MOST_WORKERS},
    "behaviour": {"drain": f"{DRAIN_SECONDS}s"},
}
"""All that is not here is default."""

HYGIENE: Final[Mapping[str, str]] = {
    "AGENTS_MEMORY_HYGIENE": "on",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A folder of its own for each run."""

    path: Path

    @classmethod
    def made(cls, now: datetime) -> Self:
        """A new folder below ./out, or below the system's own for such files where that can't be written to."""
        path = Path("out") / f"live-{now:%Y%m%d-%H%M%S}"
        try:
            path.mkdir(parents=True)
        except OSError:
            path = Path(tempfile.mkdtemp(prefix="temporal-scaler-live-"))
        (path / "server").mkdir()
        return cls(path.resolve())

    @property
    def server(self) -> Path:
        """The server's database, configuration and log."""
        return self.path / "server"

    @property
    def configuration(self) -> Path:
        """The controller's configuration."""
        return self.path / "temporal-scaler.yaml"

    @property
    def fleet(self) -> Path:
        """The fleet's declaration."""
        return self.path / "fleet.yaml"

    @property
    def controller_log(self) -> Path:
        """What the controller said."""
        return self.path / "controller.log"

    @property
    def place(self) -> Place:
        """Where the controller keeps the group's supervisor."""
        return Place(self.path / "state" / NAMESPACE / NAME)

    def declare(self, options: Options, address: str) -> None:
        """Write what the controller is told."""
        (self.path / "temporal.toml").touch()  # so that nothing is read that the user has set for others
        group = {
            "command": _started_late(START_DELAY_SECONDS, sys.executable, "-m", "examples.agents.worker"),
            "directory": str(ROOT),
            "memory_limit": MEMORY_LIMIT,
            "environment": {**self.reach(address), **_worker_environment(options)},
        }
        configuration = {"targets": {"local": {NAME: group}}, "state_directory": str(self.path / "state")}
        self.configuration.write_text(json.dumps(configuration, indent=2))
        self.fleet.write_text(json.dumps(FLEET, indent=2))

    def reach(self, address: str) -> dict[str, str]:
        """How a process finds this run's server and no other."""
        return {
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_CONFIG_FILE": str(self.path / "temporal.toml"),
        }

    def keep(self, record: Mapping[str, Any], fleet: Sequence[WorkflowHistory]) -> None:
        """Write down what was seen, and the fleet's histories, newest first, fit for `temporal-scaler backtest`."""
        (self.path / "record.json").write_text(json.dumps(record, default=str))
        for number, history in enumerate(fleet):
            (self.path / f"fleet-history-{number}.json").write_text(history.to_json())

    def forget_database(self) -> None:
        """Remove what nobody will read any more."""
        shutil.rmtree(self.server, ignore_errors=True)


def _started_late(seconds: float, *command: str) -> list[str]:
    """The same process becomes the worker: heartbeats name it by its id."""
    return ["/bin/sh", "-c", f'sleep {seconds:g}; exec "$@"', "sh", *command]


def _worker_environment(options: Options) -> dict[str, str]:
    settings = {
        "AGENTS_TASK_QUEUE": NAME,
        "AGENTS_ACTIVITY_SLOTS": str(SLOTS),
        "AGENTS_GRACE_SECONDS": str(DRAIN_SECONDS),
        "AGENTS_SANDBOX": "off",  # a small machine has no CPU for it
        "AGENTS_MEMORY_HYGIENE": "off",
    }
    return {**settings, **(HYGIENE if options.hygiene else {})}
