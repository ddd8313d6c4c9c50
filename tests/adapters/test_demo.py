import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
from platformdirs import user_cache_path

from activities.targets.supervisor.protocol import Place
from activities.targets.supervisor.state import load
from devserver import Source
from tests.support.command_line import CommandLine, Ended, line_of
from tests.support.local_fleet import alive

ROOT = Path(__file__).parents[2]
KEYS = {
    "workers_min", "workers_max", "cache_first", "cache_last", "size_changes", "oom_kills", "turns_completed",
    "turns_failed", "turn_latency_p95_ms", "activity_schedule_to_start_p95_ms", "peak_memory_fraction", "ticks",
    "history_events", "reaction_s",
}  # fmt: skip


@pytest.fixture
def demo(tmp_path: Path, pinned_build: tuple[Source, ...]) -> CommandLine:
    """The demo in an empty directory; programs that were built once are found again."""
    assert pinned_build
    environment = {"XDG_CACHE_HOME": str(user_cache_path()), "PYTHONPATH": str(ROOT)}
    return CommandLine(tmp_path, environment, (sys.executable, "-m", "examples.demo"))


def started(process: asyncio.subprocess.Process, directory: Path) -> set[int]:
    """All processes that live on behalf of a demo: its children, the supervisor and the workers."""
    found = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
    for group in directory.glob("out/*/workers/*"):
        place = Place(group)
        with suppress(OSError, ValueError):
            found.add(int(place.lock.read_text()))
        found |= {entry.process.pid for entry in load(place.state).workers if entry.process is not None}
    return found


@asynccontextmanager
async def watched(process: asyncio.subprocess.Process, directory: Path) -> AsyncIterator[set[int]]:
    """All processes that ever were there while the body ran."""
    seen: set[int] = set()

    async def look() -> None:
        while True:
            with suppress(psutil.NoSuchProcess):
                seen.update(started(process, directory))
            await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def test_a_short_demo_ends_by_itself_with_figures_a_picture_and_no_orphan(demo: CommandLine) -> None:
    directory = demo.directory
    async with (
        demo.running("--for", "20s", "--seed", "3", "-o", "json") as process,
        watched(process, directory) as seen,
        asyncio.timeout(100),
    ):
        out, err = await process.communicate()
    ended = Ended(process.returncode or 0, out.decode(), err.decode())
    assert ended.status == 0, ended.err
    told = json.loads(ended.out.splitlines()[-1])

    assert told.keys() >= KEYS
    assert (told["turns_failed"], told["oom_kills"]) == (0, 0)
    assert told["turns_completed"] > 20
    assert 1 <= told["workers_min"] < told["workers_max"] <= 10
    assert told["size_changes"] >= 1
    assert told["cache_first"] >= 10
    assert 0.3 < told["peak_memory_fraction"] < 1
    assert 0 < told["activity_schedule_to_start_p95_ms"] < told["turn_latency_p95_ms"]
    assert told["history_events"] <= 7 * told["ticks"] + 20
    assert told["picture"] in map(str, directory.glob("out/demo-*/demo.svg"))
    assert len(seen) >= 2 + 1 + 2  # server and its keeper, supervisor, workers
    assert not [pid for pid in seen if alive(pid)]


@pytest.mark.parametrize(
    ("command", "number"),
    [
        (("--for", "1m"), signal.SIGINT),
        (("--for", "1m"), signal.SIGTERM),
        (("incident",), signal.SIGTERM),
    ],
    ids=["Ctrl-C", "SIGTERM", "the incident, SIGTERM"],
)
async def test_an_interrupted_demo_ends_all_that_it_started(
    demo: CommandLine, command: tuple[str, ...], number: signal.Signals
) -> None:
    directory = demo.directory
    async with demo.running(*command) as process:
        await line_of(process, "turns answered", error=False)
        begun = started(process, directory)
        assert len(begun) >= 2 + 1 + 1
        process.send_signal(number)
        async with asyncio.timeout(40):
            _, err = await process.communicate()

    assert process.returncode == 130, err.decode()
    assert not [pid for pid in begun if alive(pid)]


async def test_a_length_that_is_too_short_is_refused_before_anything_starts(demo: CommandLine) -> None:
    ended = await demo("--for", "2s")

    assert ended.status == 2
    assert "--for must be 10s to 1h, found 2s" in ended.err
    assert not (demo.directory / "out").exists()
