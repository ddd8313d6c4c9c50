"""Who plays in a demo: the declared fleet, and how one of its workers is started."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import examples
from activities.targets.local import LocalGroup
from activities.targets.supervisor.wanted import BackOff, Supervision
from scaler.door import read_fleet
from scaler.fleet import Fleet
from scaler.wire.units import parse_size

TASK_QUEUE = "agents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A fleet as a user declares it, and what the controller's configuration would say of its group."""

    declared: Mapping[str, Any]
    declared_at_first: Mapping[str, Any]
    """The same fleet before its workers may be more or fewer than somebody once set by hand."""
    memory_limit_bytes: int
    worker_environment: Mapping[str, str]
    back_off: BackOff = field(default_factory=BackOff)

    @property
    def fleet(self) -> Fleet:
        """The declaration, read strictly."""
        return read_fleet(self.declared)

    def group(self, reach: Mapping[str, str]) -> LocalGroup:
        """One worker of the fleet; `reach` is the environment in which it finds its Temporal server."""
        return LocalGroup(
            command=(sys.executable, "-m", "examples.agents.worker"),
            directory=checkout(),
            environment={**self.worker_environment, **reach},
            memory_limit_bytes=self.memory_limit_bytes,
            supervision=Supervision(back_off=self.back_off),
        )


def checkout() -> Path:
    """The folder that holds the examples."""
    return Path(examples.__path__[0]).parent


_WORKERS: Mapping[str, Any] = {"min": 2, "max": 10, "slots": {"workflow": 100, "activity": 4}}

_DECLARED: Mapping[str, Any] = {
    "name": "agents",
    "target": {"kind": "local", "name": "agents"},
    "task_queues": [{"name": TASK_QUEUE}],
    "workers": _WORKERS,
    "cache": {"min": 10, "max": 400},
    "memory": {"headroom": 0.15},
    "objective": {"percentile": 95, "workflow_task": "200ms", "activity": "1s"},
    "behaviour": {"drain": "20s"},
}

AGENTS = Cast(
    declared=_DECLARED,
    declared_at_first={**_DECLARED, "workers": {**_WORKERS, "max": 2}},
    memory_limit_bytes=parse_size("192Mi"),
    worker_environment={
        "AGENTS_TASK_QUEUE": TASK_QUEUE,
        "AGENTS_ACTIVITY_SLOTS": "4",
        "AGENTS_HEARTBEAT_SECONDS": "2",
        "AGENTS_GRACE_SECONDS": "18",
        # One heap, and large blocks go straight back: glibc reads both only when a process starts.
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "131072",
    },
)
"""The conversations of examples/agents, larger than anybody who has not measured them would guess."""
