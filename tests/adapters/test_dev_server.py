"""`dev-server`: a Temporal server alone, where a person wants it, until it is told to end."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from platformdirs import user_cache_path
from temporalio.client import Client

from devserver import Source
from tests.support.bare_machine import started_on
from tests.support.command_line import CommandLine, line_of


@pytest.fixture
def temporal_scaler(tmp_path: Path, pinned_build: tuple[Source, ...]) -> CommandLine:
    assert pinned_build
    return CommandLine(tmp_path, {"XDG_CACHE_HOME": str(user_cache_path())})


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_it_serves_where_it_was_asked_to_and_leaves_nothing_behind(temporal_scaler: CommandLine) -> None:
    port, folder = free_port(), temporal_scaler.directory / "server"
    arguments = ("dev-server", "--port", str(port), "--folder", str(folder), "-n", "trial", "--no-web-ui")
    async with temporal_scaler.running(*arguments) as process:
        told = await line_of(process, "Temporal server", error=True)
        assert f"at 127.0.0.1:{port}" in told
        client = await Client.connect(f"127.0.0.1:{port}", namespace="trial")
        assert [run async for run in client.list_workflows()] == []
        begun = started_on(folder, process.pid)
        assert begun
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.wait()

    assert process.returncode == 0
    assert not any(program.is_running() for program in begun)


async def test_a_port_that_is_taken_is_said_before_anything_starts(
    temporal_scaler: CommandLine, taken_port: int
) -> None:
    ended = await temporal_scaler("dev-server", "--port", str(taken_port), "--folder", "server", "--no-web-ui")

    assert ended.status == 3
    assert f"Port {taken_port} can't be had on 127.0.0.1: Address already in use" in ended.err


async def test_a_port_that_can_not_be_is_refused(temporal_scaler: CommandLine) -> None:
    ended = await temporal_scaler("dev-server", "--port", "70000")

    assert ended.status == 2
    assert "--port must be 1024 to 65535, found 70000" in ended.err


async def test_the_demo_says_where_it_is_whatever_is_asked_of_it(temporal_scaler: CommandLine) -> None:
    ended = await temporal_scaler("demo", "incident", "--seed", "2")

    assert ended.status == 1
    assert "make demo, make incident, or python -m examples.demo --help" in ended.err
