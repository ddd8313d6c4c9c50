"""Finds a program that can serve: the first of the wanted sources that has one."""

from devserver.dev_server import dev_server_downloaded, dev_server_on_path
from devserver.go_program import built
from devserver.launch import ServerKind
from devserver.progress import Progress
from devserver.request import (
    ANY_SOURCE,
    Machine,
    Source,
    SourceUnavailableError,
    TemporalServerError,
)
from devserver.stock_server import SERVER, WEB_UI, StockServer


def quickest_sources(machine: Machine) -> tuple[Source, ...]:
    """No need to try a download where the build is there from the last time."""
    if SERVER.kept_at(machine.cache).exists():
        return Source.CLI, Source.BUILD
    return ANY_SOURCE


async def find_server(sources: tuple[Source, ...], machine: Machine, progress: Progress, *, web_ui: bool) -> ServerKind:
    """Try the sources in their order; each that has nothing says so in a line, the last one with its remedy."""
    refusal = SourceUnavailableError("No source for a Temporal server was named.")
    for source in sources:
        try:
            match source:
                case Source.CLI:
                    return await dev_server_on_path(machine)
                case Source.DOWNLOAD:
                    return await dev_server_downloaded(machine, progress)
                case Source.BUILD:
                    return await _stock_server(machine, progress, web_ui=web_ui)
        except SourceUnavailableError as error:
            refusal = error
            if source is not sources[-1]:
                progress.say(str(error))
    raise TemporalServerError(str(refusal)) from refusal


async def _stock_server(machine: Machine, progress: Progress, *, web_ui: bool) -> StockServer:
    server = await built(SERVER, machine, progress)
    if not web_ui:
        return StockServer(server=server, web_ui=None)
    try:
        return StockServer(server=server, web_ui=await built(WEB_UI, machine, progress))
    except SourceUnavailableError as error:
        progress.say(f"{error}\nGoing on without it.")
        return StockServer(server=server, web_ui=None)
