"""Options that many commands share: where the server is, and how answers are written."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from scaler.wire.units import parse_duration

DEBUG_VARIABLE = "TEMPORAL_SCALER_DEBUG"


def _duration(_: Any, tokens: Any) -> timedelta:
    return parse_duration(tokens[0].value)


Duration = Annotated[timedelta, Parameter(converter=_duration, n_tokens=1, metavar="DURATION", show_default=False)]
"""A length of time as an option: `30s`, `5m`, `PT1M`."""

CONNECTION = Group("Connection, as for the temporal command", sort_key=1)
OUTPUT = Group("Output", sort_key=2)


class Format(StrEnum):
    """How answers are written; `text` is what the temporal command calls a table."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"


class Color(StrEnum):
    """When output is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@Parameter(name="*", group=CONNECTION)
@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the Temporal server is and who asks."""

    address: str | None = None
    """HOST:PORT of the server; TEMPORAL_ADDRESS, else localhost:7233."""
    namespace: Annotated[str | None, Parameter(name=["--namespace", "-n"])] = None
    """Temporal namespace; TEMPORAL_NAMESPACE, else default."""
    profile: str | None = None
    """Profile of the Temporal configuration file; TEMPORAL_PROFILE, else default."""
    config_file: Path | None = None
    """Temporal configuration file (TOML); TEMPORAL_CONFIG_FILE."""
    disable_config_file: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """Read no Temporal configuration file."""
    disable_config_env: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """Read no TEMPORAL_* variables."""
    api_key: str | None = field(default=None, repr=False)
    """Better TEMPORAL_API_KEY: other users of this machine see command lines."""
    tls: bool | None = None
    """Encrypt; on by itself with an API key or a certificate."""
    tls_cert_path: Path | None = None
    """Client certificate; TEMPORAL_TLS_CLIENT_CERT_PATH."""
    tls_key_path: Path | None = None
    """Client's private key; TEMPORAL_TLS_CLIENT_KEY_PATH."""
    tls_ca_path: Path | None = None
    """Certificate of the authority that the server's is checked against; TEMPORAL_TLS_SERVER_CA_CERT_PATH."""
    tls_server_name: str | None = None
    """Name that the server's certificate must have; TEMPORAL_TLS_SERVER_NAME."""
    tls_disable_host_verification: Annotated[bool, Parameter(negative="", show=False)] = False
    """Refused: this program always checks who it talks to."""
    grpc_meta: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = field(default=(), repr=False)
    """KEY=VALUE sent with each request; may be repeated."""
    client_connect_timeout: Duration = timedelta(seconds=10)
    """How long the server may take to answer at first; default 10s."""
    command_timeout: Duration | None = None
    """How long to wait for a fleet; default 10s for an answer, 60s until a change is confirmed."""


@Parameter(name="*", group=CONNECTION)
@dataclass(frozen=True, kw_only=True)
class Fleets(Connection):
    """Which fleets are meant."""

    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """The fleets of controllers that run with --dry-run."""


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class Terminal:
    """How a person's terminal is used."""

    color: Color = Color.AUTO
    """When to use colours; NO_COLOR switches them off too."""
    debug: Annotated[bool, Parameter(negative="", env_var=DEBUG_VARIABLE, show_default=False)] = False
    """Show where an error came from."""


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class Output(Terminal):
    """How an answer is written."""

    output: Annotated[Format, Parameter(name=["--output", "-o"])] = Format.TABLE
    """Tables for people (text is the same), or one JSON document for programs."""


HERE = Connection()
LIVE = Fleets()
SHOWN = Output()
