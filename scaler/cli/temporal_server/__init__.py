"""A Temporal server without downloads: the user's own, or one that is found or built, started and ended here."""

from scaler.cli.temporal_server.find import find_server
from scaler.cli.temporal_server.progress import Progress
from scaler.cli.temporal_server.provide import provide
from scaler.cli.temporal_server.request import (
    ANY_SOURCE,
    PINNED_BUILD,
    Machine,
    ServerRequest,
    Source,
    TemporalServerError,
)
from scaler.cli.temporal_server.server import Server, ServerProgram

__all__ = [
    "ANY_SOURCE",
    "PINNED_BUILD",
    "Machine",
    "Progress",
    "Server",
    "ServerProgram",
    "ServerRequest",
    "Source",
    "TemporalServerError",
    "find_server",
    "provide",
]
