"""The controller's own configuration: what it may touch and how it reaches it. Never a workflow's input.

Whoever can start a workflow must not thereby be able to scale, or run, anything that is not listed here.
"""

from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import BaseModel, ConfigDict, Field

from scaler.bounds import Bound
from scaler.units import ByteCount

APPLICATION = "temporal-scaler"


class _Configured(BaseModel):
    model_config = ConfigDict(frozen=True)


class LocalTargetConfiguration(_Configured):
    """A group of processes on this host: how one worker of it is started."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    directory: Path = Path()
    environment: dict[str, str] = Field(default_factory=dict)
    memory_limit: Annotated[ByteCount, Bound(ge=2**20)] | None = None
    restart_back_off: Annotated[float, Bound(ge=0)] = Field(
        10.0, description="Seconds before the second restart of a crashing worker; doubles each time up to 300."
    )


class Targets(_Configured):
    """The allow-list: targets that are not here are refused before any call."""

    local: dict[str, LocalTargetConfiguration] = Field(default_factory=dict)


class ConnectionConfiguration(_Configured):
    """A named Temporal connection; credentials stay in Temporal's own environment configuration."""

    profile: str | None = None
    address: str | None = None
    namespace: str | None = None


class Configuration(_Configured):
    """All of it."""

    targets: Targets = Targets()
    connections: dict[str, ConnectionConfiguration] = Field(default_factory=dict)
    calls_per_second: Annotated[float, Bound(gt=0, le=1000)] = Field(
        50.0, description="Calls a second that this controller may make to a Temporal server, for all fleets together."
    )
    state_directory: Path = Field(
        default_factory=lambda: platformdirs.user_state_path(APPLICATION),
        description="Where local targets keep sockets, records and logs.",
    )
