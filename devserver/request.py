"""What can be asked of this package, the machine it works on, and the error that it raises."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from platformdirs import user_cache_path
from temporalio.envconfig import ClientConnectConfig


class Source(StrEnum):
    """Where a server can come from when none is given."""

    CLI = "cli"
    """A `temporal` command on PATH, in its dev mode."""
    DOWNLOAD = "download"
    """The same command, as the SDK downloads it."""
    BUILD = "build"
    """The stock server, built from its Go module at the version that this package pins."""


ANY_SOURCE = (Source.CLI, Source.DOWNLOAD, Source.BUILD)
PINNED_BUILD = (Source.BUILD,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRequest:
    """A Temporal server that is wanted."""

    folder: Path
    """Holds database, configuration and log: a server that starts on it again knows what it knew."""
    namespace: str = "default"
    port: int | None = None
    """Where clients connect; one that is free if none is given."""
    existing: ClientConnectConfig | None = None
    """How to reach a server of the user's own. It is looked at, and nothing is started or registered."""
    sources: tuple[Source, ...] = ANY_SOURCE
    """Tried in this order."""
    web_ui: bool = True
    dynamic_config: Mapping[str, Any] = field(default_factory=dict)
    """Server settings that differ from the stock ones, such as `{"frontend.namespaceRPS": 5000}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where programs are looked for, and where those that were had once are kept."""

    environment: Mapping[str, str]
    cache: Path

    @classmethod
    def of_user(cls) -> Self:
        """Take the environment and the cache folder of whoever runs this."""
        return cls(environment=dict(os.environ), cache=user_cache_path("temporal-scaler"))

    def without_temporal_settings(self) -> dict[str, str]:
        """Leave out what a user set for clients: server, CLI and Web UI read variables of the same names."""
        return {name: value for name, value in self.environment.items() if not name.startswith("TEMPORAL_")}


class TemporalServerError(Exception):
    """No usable Temporal server; says why and what to do."""


class SourceUnavailableError(TemporalServerError):
    """One source has none; the next may."""
