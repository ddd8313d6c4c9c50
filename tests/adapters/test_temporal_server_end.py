"""A Temporal server is never left behind, whatever ends whoever started it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from devserver import Source
from devserver.kept_program import Command, KeptProgram
from tests.support.bare_machine import started_on

GONE_SECONDS = 15

PARENT = """
import asyncio, pathlib, sys
from devserver import *

async def main():
    folder, *sources = sys.argv[1:]
    request = ServerRequest(folder=pathlib.Path(folder), sources=tuple(map(Source, sources)), web_ui=False)
    async with provide(request) as server:
        print(server.address, flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda fatal: fatal.name)
async def test_a_server_ends_with_its_parent(
    tmp_path: Path, pinned_build: tuple[Source, ...], fatal: signal.Signals
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), *pinned_build, stdout=-1, stderr=-3
    )
    assert parent.stdout is not None
    assert (await parent.stdout.readline()).startswith(b"127.0.0.1:")
    started = started_on(tmp_path, parent.pid)
    names = {program.name() for program in started}

    parent.send_signal(fatal)
    await parent.communicate()

    assert any(name.startswith("temporal-server") for name in names)
    _, alive = await asyncio.to_thread(psutil.wait_procs, started, timeout=GONE_SECONDS)
    assert alive == []


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux kernel can do this")
@pytest.mark.usefixtures("own_server")
async def test_a_server_ends_even_if_only_its_keeper_is_killed(tmp_path: Path) -> None:
    server, keeper = sorted(started_on(tmp_path, os.getpid()), key=lambda program: program.name().startswith("python"))

    keeper.kill()

    _, alive = await asyncio.to_thread(psutil.wait_procs, [server], timeout=GONE_SECONDS)
    assert alive == []


async def test_a_program_that_will_not_end_is_killed(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    command = Command(arguments=(sys.executable, "-c", stubborn), log=tmp_path / "log", environment=dict(os.environ))
    program = await KeptProgram.start(command)
    while not command.log.read_text():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)

    await program.stop()

    assert program.exit_status == 128 + signal.SIGKILL


async def test_a_program_ends_with_all_that_it_started(tmp_path: Path) -> None:
    deaf_to_ctrl_c = "sleep 60 & echo $!; wait"
    command = Command(arguments=("sh", "-c", deaf_to_ctrl_c), log=tmp_path / "log", environment=dict(os.environ))
    program = await KeptProgram.start(command)
    while not command.log.read_text():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    sleep = psutil.Process(int(command.log.read_text()))

    await program.stop()

    _, alive = await asyncio.to_thread(psutil.wait_procs, [sleep], timeout=GONE_SECONDS)
    assert alive == []


async def test_a_program_keeps_its_exit_status(tmp_path: Path) -> None:
    program = await KeptProgram.start(Command(arguments=("false",), log=tmp_path / "log", environment=dict(os.environ)))

    await program.wait()

    assert program.exit_status == 1
