"""The live benchmark on a real server: a short load with its figures, and an end in between that leaves nothing."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from devserver import Source

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 90


@asynccontextmanager
async def live(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The benchmark, in a folder of its own; ends it if the test did not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.live", *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def left_behind(folder: Path) -> list[str]:
    """Processes that were started for a run in this folder: server, controller, supervisor and workers all name it."""
    return [" ".join(process.cmdline()) for process in psutil.process_iter() if str(folder) in _words(process)]


def _words(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join([*process.cmdline(), *process.environ().values()])
    return ""


async def test_a_short_load_is_taken_over_measured_and_told_and_nothing_stays(
    pinned_build: tuple[Source, ...], tmp_path: Path
) -> None:
    assert pinned_build
    async with live(tmp_path, "--shape", "10:1", "--output", "json") as process, asyncio.timeout(LONGEST_SECONDS):
        out, said = await process.communicate()

    assert process.returncode == 0, said.decode()
    told = json.loads(out.splitlines()[-1])
    assert {name: told[name] for name in ("turns", "lost", "oom_kills", "oom_kills_after_first_decision")} == {
        "turns": 11, "lost": 0, "oom_kills": 0, "oom_kills_after_first_decision": 0,
    }  # fmt: skip
    assert told["late_share"] <= 0.5
    assert told["least_worker_seconds"] == 4.5247
    assert 10 <= told["worker_seconds"] <= 8 * 40
    assert 2 <= told["workers_max"] <= 8
    assert 10 <= told["cache_last"] <= 1000
    assert told["reaction_s"] is None or 0 <= told["reaction_s"] <= 10
    assert 0 < told["machine_cpu_share"] <= 1
    assert (told["shape"], told["state_kib"], told["hygiene"], told["seed"]) == ("10:1", 1024, "off", 1)
    assert left_behind(tmp_path) == []


async def test_a_run_that_is_interrupted_ends_all_that_it_started(
    pinned_build: tuple[Source, ...], tmp_path: Path
) -> None:
    assert pinned_build
    async with live(tmp_path, "--shape", "600:1", "--fixed", "1") as process, asyncio.timeout(LONGEST_SECONDS):
        assert process.stderr is not None
        while b"Workers that poll: 1" not in (line := await process.stderr.readline()):
            assert line, "it ended before its workers polled"
        running = left_behind(tmp_path)
        process.send_signal(signal.SIGINT)
        status = await process.wait()

    assert any("temporal-server" in command for command in running)
    assert any("supervisor" in command for command in running)
    assert any("examples.agents.worker" in command for command in running)
    assert status == 130
    assert left_behind(tmp_path) == []
