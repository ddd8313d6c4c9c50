"""What a supervisor is to keep true: how many workers, started as what, and treated how. Pure and frozen."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

READY_AFTER_SECONDS: Final = 30.0
"""Longer than most workers need until they make their ready file, so that only one that makes none is taken for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """How long a worker that ended unasked waits before it is started again; the defaults are the kubelet's.

    The first restart is immediate. `reset_after_seconds` of running make the next crash a first one again.
    """

    initial_seconds: float = 10.0
    limit_seconds: float = 300.0
    reset_after_seconds: float = 600.0

    def delay_seconds(self, crashes: int) -> float:
        """The wait after so many crashes in a row: 0, 10, 20, 40 … 300 s."""
        if crashes <= 1:
            return 0.0
        doublings = min(crashes - 2, 32)
        return min(self.initial_seconds * 2.0**doublings, self.limit_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """How workers are treated, whatever they run.

    A worker is ready when it makes the file that `TEMPORAL_SCALER_READY_FILE` names in its environment. While no
    worker of its definition was seen to make one it is taken to be ready `ready_after_seconds` after its start.
    Without `cgroups` the watchdog enforces memory.
    """

    back_off: BackOff = field(default_factory=BackOff)
    ready_after_seconds: float = READY_AFTER_SECONDS
    cgroups: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a worker is started as. `cache_variable` is None where the cache is not this product's to set."""

    command: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    memory_limit_bytes: int | None = None
    cache_variable: str | None = None

    @property
    def version(self) -> str:
        """Changes with the command, the directory and the environment, but not with the cache size."""
        environment = sorted((name, text) for name, text in self.environment.items() if name != self.cache_variable)
        text = json.dumps([self.command, self.directory, environment])
        return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The levels that a supervisor keeps: `workers + surge` that are not draining."""

    definition: Definition
    workers: int
    surge: int = 0
    cache: int | None = None
    drain_seconds: float = 60.0
    supervision: Supervision = field(default_factory=Supervision)

    @property
    def keep(self) -> int:
        """How many workers are kept that are not draining."""
        return self.workers + self.surge
