"""The demo from beginning to end: sets the stage, plays the load, tells what came of it."""

import logging
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import TypeAdapter
from temporalio.envconfig import ClientConnectConfig

from scaler.cli.demo.cast import AGENTS
from scaler.cli.demo.picture import Subject, draw
from scaler.cli.demo.play import play, until_ready
from scaler.cli.demo.recording import Recording
from scaler.cli.demo.request import Request
from scaler.cli.demo.scenes import Scene, scenes
from scaler.cli.demo.stage import enter, server_for, set_stage
from scaler.cli.demo.summary import Summary, summarised, summary_table
from scaler.cli.demo.telling import telling
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.screen import Screen
from scaler.cli.temporal_server import Progress, Server, TemporalServerError

RECORDINGS = TypeAdapter(Recording)


async def show(request: Request) -> None:
    """Play the demo; everything that it starts is ended when this returns, however it does."""
    _log_to(request.folder.controller_log)
    screen, told = Screen(request.output), scenes(request.length.total_seconds())
    try:
        recording = await _played(request, screen, told)
    except TemporalServerError as error:
        raise CommandFailed(Exit.UNREACHABLE, str(error)) from error
    except ExceptionGroup as several:
        raise _first(several) from several
    _tell(request, screen, told, recording)


def _first(several: ExceptionGroup[Exception]) -> Exception:
    """What went wrong first, beside which other parts were ended."""
    first = several.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


async def _played(request: Request, screen: Screen, told: tuple[Scene, ...]) -> Recording:
    folder, progress = request.folder, Progress()
    async with AsyncExitStack() as ends:
        server = await ends.enter_async_context(server_for(folder.server, _existing(request), progress))
        stage = await ends.enter_async_context(set_stage(AGENTS, folder.path, server))
        progress.say(f"Starting a controller and the first workers. All files are in {folder.path}.")
        await enter(stage)
        await until_ready(stage)
        with telling(screen, told, _place(server)) as tell:
            recording = await play(stage, told, request.seed, tell)
        progress.say("Ending the workers, the controller and the server.")
        return recording


def _existing(request: Request) -> ClientConnectConfig | None:
    if request.address is None:
        return None
    return {"target_host": request.address, "namespace": request.namespace}


def _place(server: Server) -> str:
    web_ui = f"{server.ui_url}/namespaces/{server.namespace}/workflows" if server.ui_url else server.address
    return f"Temporal server {server.version}: {web_ui}   Ctrl-C ends all of it"


def _tell(request: Request, screen: Screen, told: tuple[Scene, ...], recording: Recording) -> None:
    folder = request.folder
    folder.recording.write_bytes(RECORDINGS.dump_json(recording))
    title = "A fleet of AI agents whose workers and cache are sized together"
    draw(Subject(title=title, fleet=AGENTS.fleet, scenes=told, recording=recording), folder.picture)
    summary = summarised(recording, told, folder.picture)
    if screen.json:
        screen.tell(f"Picture: {folder.picture}")
        screen.document(summary, Summary, indent=None)
    else:
        screen.show(summary_table(summary))
        screen.lines([f"Picture: {_short(folder.picture)}"])


def _short(path: Path) -> str:
    """Relative to where the user is, if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _log_to(file: Path) -> None:
    """The controller's log would tear the page apart."""
    logging.basicConfig(filename=file, level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
