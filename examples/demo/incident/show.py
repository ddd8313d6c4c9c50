"""The replay from beginning to end: both sides one after the other on one server, then what came of it."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from pydantic import TypeAdapter

from devserver import Progress, Server
from examples.demo.failures import plain_failures
from examples.demo.folder import short
from examples.demo.incident.before import Operations, set_platform
from examples.demo.incident.cast import FIRST_SIZE, RULE, VCPU, cast
from examples.demo.incident.cpu_meter import CpuMeter
from examples.demo.incident.performance import Actor, played
from examples.demo.incident.picture import Contrast, draw
from examples.demo.incident.script import piece
from examples.demo.incident.side import Side
from examples.demo.incident.summary import MOST_MACHINE_CPU, Comparison, compared, comparison_table
from examples.demo.play import hand_over_at, keep_history, until_ready
from examples.demo.request import Request
from examples.demo.stage import enter, server_for, set_stage
from examples.demo.telling import Lines
from scaler.cli.screen import Screen

SIDES = TypeAdapter(Side)

AFTER = cast("after")
HANDED_OVER_SECONDS = 5.0

Say = Callable[[str], None]


async def show(request: Request) -> None:
    """Play both sides; everything that they start is ended when this returns, however it does."""
    request.folder.log()
    screen = Screen(request.output)

    def say(line: str) -> None:
        if screen.json:
            screen.tell(line)
        else:
            screen.lines([line])

    with plain_failures():
        before, after = await _played(request, say)
    _tell(request, screen, before, after)


async def _played(request: Request, say: Say) -> tuple[Side, Side]:
    folder, progress = request.folder, Progress()
    async with server_for(folder.server, request.existing, progress) as server:
        progress.say(f"All files are in {folder.path}.")
        say("Before: workers sized by CPU; an operator cuts the cache tenfold.")
        before = await _before(request, server, say)
        say("After: the same load, workers and cache sized together.")
        after = await _after(request, server, say)
        progress.say("Ending the server.")
    for name, side in (("before", before), ("after", after)):
        (folder.path / f"{name}.json").write_bytes(SIDES.dump_json(side))
    return before, after


async def _before(request: Request, server: Server, say: Say) -> Side:
    async with set_platform(cast("before"), request.folder.path, server) as platform:
        await until_ready(platform, FIRST_SIZE.workers)
        meter = CpuMeter(platform.place, VCPU)
        operations = Operations(platform, meter)
        actor = Actor(watched=platform, meter=meter, shown=Lines(say), beside=operations.run())
        side = await played(actor, piece(request.seed))
        side.wishes = operations.wishes
        return side


async def _after(request: Request, server: Server, say: Say) -> Side:
    async with AsyncExitStack() as ends:
        stage = await ends.enter_async_context(set_stage(AFTER, request.folder.path, server))
        await enter(stage)
        await until_ready(stage, FIRST_SIZE.workers)
        meter = CpuMeter(stage.place, VCPU)
        actor = Actor(watched=stage, meter=meter, shown=Lines(say), beside=hand_over_at(stage, HANDED_OVER_SECONDS))
        side = await played(actor, piece(request.seed))
        await keep_history(stage, side.recording)
        return side


def _tell(request: Request, screen: Screen, before: Side, after: Side) -> None:
    folder, scenes, fleet = request.folder, piece(request.seed).scenes, AFTER.fleet
    picture = folder.path / "incident.svg"
    title = "One incident, twice: workers sized by CPU and repaired by hand, and sized with their cache"
    draw(Contrast(title=title, fleet=fleet, rule=RULE, scenes=scenes, before=before, after=after), picture)
    comparison = compared(before, after, fleet, scenes, picture)
    if not comparison.valid:
        screen.tell(
            f"This run is invalid: it used more than {MOST_MACHINE_CPU:.0%} of the machine's CPU, so tasks waited for"
            " the machine. Run it where nothing else does."
        )
    if screen.json:
        screen.tell(f"Picture: {picture}")
        screen.document(comparison, Comparison, indent=None)
    else:
        screen.show(comparison_table(comparison))
        screen.lines([f"Picture: {short(picture)}"])
