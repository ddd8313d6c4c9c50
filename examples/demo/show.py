"""The demo from beginning to end: sets the stage, plays the load, tells what came of it."""

from contextlib import AsyncExitStack
from datetime import timedelta

from pydantic import TypeAdapter

from devserver import Progress, Server
from examples.demo.cast import AGENTS
from examples.demo.failures import plain_failures
from examples.demo.folder import short
from examples.demo.picture import Subject, draw
from examples.demo.play import play, until_ready
from examples.demo.recording import Recording
from examples.demo.request import Request
from examples.demo.scenes import Scene, scenes
from examples.demo.stage import enter, server_for, set_stage
from examples.demo.summary import Summary, summarised, summary_table
from examples.demo.telling import telling
from scaler.cli.screen import Screen

RECORDINGS = TypeAdapter(Recording)


async def show(request: Request, length: timedelta) -> None:
    """Play the demo; everything that it starts is ended when this returns, however it does."""
    request.folder.log()
    screen, told = Screen(request.output), scenes(length.total_seconds())
    with plain_failures():
        recording = await _played(request, screen, told)
    _tell(request, screen, told, recording)


async def _played(request: Request, screen: Screen, told: tuple[Scene, ...]) -> Recording:
    folder, progress = request.folder, Progress()
    async with AsyncExitStack() as ends:
        server = await ends.enter_async_context(server_for(folder.server, request.existing, progress))
        stage = await ends.enter_async_context(set_stage(AGENTS, folder.path, server))
        progress.say(f"Starting a controller and the first workers. All files are in {folder.path}.")
        await enter(stage)
        await until_ready(stage, AGENTS.fleet.workers.min)
        with telling(screen, told, _place(server)) as tell:
            recording = await play(stage, told, request.seed, tell)
        progress.say("Ending the workers, the controller and the server.")
        return recording


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
        screen.lines([f"Picture: {short(folder.picture)}"])
