"""What every kind of server needs to be launched: a folder and ports in, the commands to run out."""

import contextlib
import random
import socket
from dataclasses import dataclass
from typing import Protocol

from devserver.request import ServerRequest, TemporalServerError

LOOPBACK = "127.0.0.1"
FIRST_PORT, LAST_PORT = 1024, 65535

_PORTS = range(15_000, 30_000)
"""Below what systems give to outgoing connections, so that none takes a port of a server that is being restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A place for a server to run at. It stays the same when the server is started again."""

    request: ServerRequest
    port: int
    web_ui_port: int
    inner_ports: tuple[int, ...]
    """For what the services of one server say to each other."""

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def web_ui_url(self) -> str:
        """Where a browser does."""
        return f"http://{LOOPBACK}:{self.web_ui_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What to run."""

    server: tuple[str, ...]
    web_ui: tuple[str, ...] | None = None
    """A process of its own, where it needs one."""
    web_ui_included: bool = False


class ServerKind(Protocol):
    """A kind of server, found on this machine."""

    @property
    def title(self) -> str:
        """What it is, for a person."""

    def commands(self, launch: Launch) -> Commands:
        """Prepare the folder and say what to run."""


def launch_on_free_ports(request: ServerRequest) -> Launch:
    """Choose ports that nothing listens on at this moment; raise where a wanted one is taken."""
    port, web_ui_port, *inner = _free_ports(10)
    if request.port is not None:
        _see_free(request.port)
    return Launch(request=request, port=request.port or port, web_ui_port=web_ui_port, inner_ports=tuple(inner))


def _see_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a server that has just ended
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise TemporalServerError(
                f"Port {port} can't be had on {LOOPBACK}: {error.strerror}.\nEnd what listens there, or choose another."
            ) from error


def _free_ports(count: int) -> list[int]:
    candidates = random.SystemRandom().sample(_PORTS, len(_PORTS))
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, candidates.pop()))
                ports.append(probe.getsockname()[1])
    return ports
