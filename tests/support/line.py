"""A line to a server that can go dead: connections stay open and nothing comes through any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Line:
    """Passes bytes on, both ways, while it is up."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._up = asyncio.Event()
        self._up.set()
        self._passing: list[asyncio.Task[None]] = []
        self._ends: list[asyncio.StreamWriter] = []
        self.address = ""

    def die(self) -> None:
        """From now on nothing comes through."""
        self._up.clear()

    def revive(self) -> None:
        """What was sent meanwhile arrives late."""
        self._up.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One more connection."""
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        self._ends += (writer, far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._passing.append(asyncio.create_task(self._pass(source, sink)))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await source.read(65536):
                await self._up.wait()
                sink.write(some)
                await sink.drain()
        sink.close()

    async def cut(self) -> None:
        """Give all connections up."""
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        for end in self._ends:
            end.close()
            with suppress(OSError):
                await end.wait_closed()


@asynccontextmanager
async def line_to(address: str) -> AsyncIterator[Line]:
    """A line to the server, with an address of its own."""
    line = Line(address)
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    line.address = f"{host}:{port}"
    try:
        yield line
    finally:
        server.close()
        await line.cut()
