"""The controller's own configuration: what it may touch and how it reaches it. Never a workflow's input.

Whoever can start a workflow must not thereby be able to scale, or run, anything that is not listed here.
"""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import BaseModel, ConfigDict, Field

from scaler.wire.bounds import Bound
from scaler.wire.units import ByteCount, Duration

APPLICATION = "temporal-scaler"


class _Configured(BaseModel):
    model_config = ConfigDict(frozen=True)


class LocalTargetConfiguration(_Configured):
    """A group of processes on this host: how one worker of it is started."""

    command: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Program and arguments of one worker, executed without a shell."
    )
    directory: Path = Field(Path(), description="Where it runs; relative to the configuration file.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="All that a worker gets beside PATH, HOME and the cache size."
    )
    memory_limit: Annotated[ByteCount, Bound(ge=2**20)] | None = Field(None, description="Of one worker.")
    ready_after: Annotated[Duration, Bound(ge=0)] = Field(
        timedelta(seconds=30),
        description="A worker is ready when it makes the file that TEMPORAL_SCALER_READY_FILE names. Of a target whose "
        "workers make none, each is taken to be ready so long after its start.",
    )
    restart_back_off: Annotated[Duration, Bound(ge=0)] = Field(
        timedelta(seconds=10), description="Wait before the second restart of a crashing worker; doubles up to 5m."
    )


class Targets(_Configured):
    """The allow-list: targets that are not here are refused before any call."""

    local: dict[str, LocalTargetConfiguration] = Field(
        default_factory=dict, description="Groups of processes on this host, by the name that fleets call them."
    )


class ConnectionConfiguration(_Configured):
    """A named Temporal connection; credentials stay in Temporal's own environment configuration."""

    profile: str | None = Field(None, description="A profile of the Temporal configuration file.")
    address: str | None = Field(None, description="Default: the profile's; without a profile the controller's own.")
    namespace: str | None = Field(None, description="Default: the profile's; without a profile the controller's own.")


class Configuration(_Configured):
    """What a controller may touch, and how it reaches it."""

    targets: Targets = Targets()
    connections: dict[str, ConnectionConfiguration] = Field(
        default_factory=dict, description="Other Temporal servers, by the name that fleets call them."
    )
    calls_per_second: Annotated[float, Bound(gt=0, le=1000)] = Field(
        50.0, description="Calls a second that this controller may make to a Temporal server, for all fleets together."
    )
    state_directory: Path = Field(
        default_factory=lambda: platformdirs.user_state_path(APPLICATION),
        description="Where local targets keep sockets, records and logs; relative to the configuration file.",
    )
    host: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        default_factory=socket.gethostname,
        description="Name of this host, under which its local targets are found again; default: what it calls itself. "
        "Say it where that changes, as a laptop's or a container's does.",
    )
