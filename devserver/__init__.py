"""A Temporal server without downloads: the user's own, or one that is found or built, started and ended here."""

from devserver.find import find_server, quickest_sources
from devserver.progress import Progress
from devserver.provide import provide
from devserver.request import (
    ANY_SOURCE,
    PINNED_BUILD,
    Machine,
    ServerRequest,
    Source,
    TemporalServerError,
)
from devserver.server import Server, ServerProgram

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
    "quickest_sources",
]
