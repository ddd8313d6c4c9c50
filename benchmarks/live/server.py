"""The Temporal server of a run: the pinned build, with an empty database, on free ports of this machine."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from benchmarks.live.failure import RunFailed
from benchmarks.live.site import NAMESPACE
from devserver import PINNED_BUILD, ServerRequest, TemporalServerError, provide


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveServer:
    """A server, and a client of it."""

    address: str
    client: Client


@asynccontextmanager
async def live_server(folder: Path) -> AsyncIterator[LiveServer]:
    """Have one for as long as the body runs."""
    async with AsyncExitStack() as ends:
        request = ServerRequest(folder=folder, namespace=NAMESPACE, sources=PINNED_BUILD, web_ui=False)
        try:
            server = await ends.enter_async_context(provide(request))
        except TemporalServerError as error:
            raise RunFailed(str(error)) from error
        client = await Client.connect(server.address, namespace=NAMESPACE)
        yield LiveServer(address=server.address, client=client)
