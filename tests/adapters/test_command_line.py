"""The console script against a real server and a real controller: fleets from their start to their end."""

import asyncio
import json
import os
import pty
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import TypeAdapter
from temporalio.client import Client

from scaler.cli.exits import Exit
from scaler.state import State
from tests.support.command_line import PROGRAM, Ended, ended, line_of
from tests.support.controller import Site, controller
from tests.support.local_fleet import alive, come_true


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Site]:
    made = Site.made(tmp_path_factory.mktemp("site"), temporal_client)
    try:
        yield made
    finally:
        await made.end()


@pytest.fixture(scope="module")
async def served(site: Site) -> AsyncIterator[Site]:
    """The site while a controller serves it."""
    async with controller(site):
        yield site


@pytest.fixture(scope="module")
async def fleet(served: Site) -> AsyncIterator[str]:
    """A fleet of two workers for all tests that leave it as they found it."""
    name = "alpha"
    started = await served.run("apply", "-f", served.fleet_file(name))
    assert started == Ended(0, f"{name}: started (worker-scaler/{name})\n", "")
    await served.ready_once(name, 2)
    yield name
    await served.run("stop", name, "--drain")


def document(answer: Ended) -> Any:
    assert answer.status == Exit.OK, answer.err
    return json.loads(answer.out)


async def test_a_running_fleet_is_listed_shown_and_explained(served: Site, fleet: str) -> None:
    listed = await served.run("list")
    shown = await served.run("status", fleet)
    log = await served.run("decisions", fleet)
    explained = await served.run("explain", fleet)

    assert [answer.status for answer in (listed, shown, log, explained)] == [0, 0, 0, 0]
    assert [fleet, "steady", "2/2"] in [line.split()[:3] for line in listed.out.splitlines()]
    assert shown.out.startswith(f"{fleet}  steady  It follows its load\nworkers  2 (2–4), 2 ready")
    assert len([line for line in shown.out.splitlines() if line.startswith("w-")]) == 2
    assert "steady" in log.out
    assert f"{fleet} should have 2 workers" in explained.out
    assert "What would change it:" in explained.out
    assert not any(line.endswith(" ") for answer in (listed, shown, log) for line in answer.out.splitlines())


async def test_programs_get_one_document_each_with_the_keys_of_the_state(served: Site, fleet: str) -> None:
    state = await served.run("status", fleet, "-o", "json")
    listed = document(await served.run("list", "--output", "json"))
    log = document(await served.run("decisions", fleet, "--output=json"))
    explained = document(await served.run("-o", "json", "explain", fleet))

    assert TypeAdapter(State).validate_json(state.out).fleet.name == fleet
    assert set(document(state)) == set(State.__dataclass_fields__)
    (mine,) = (each for each in listed if each["name"] == fleet)
    assert (mine["mode"], mine["ready"], mine["problem"]) == ("steady", 2, None)
    assert log[-1]["size"]["workers"] == 2
    assert explained["decision"]["mode"] == "steady"


async def test_a_fleets_own_history_is_decided_again(served: Site, fleet: str) -> None:
    shown = await served.run("backtest", fleet)
    answer = document(await served.run("backtest", f"worker-scaler/{fleet}", "-o", "json"))
    nobody = await served.run("backtest", "nobody")

    assert shown.status == Exit.OK, shown.err
    assert shown.out.startswith("FIRST AT")
    assert answer["summary"]["ticks"] == len(answer["ticks"]) > 0
    assert answer["summary"]["differ"] == 0
    assert nobody == Ended(Exit.NOT_FOUND, "", "there is no workflow worker-scaler/nobody\n")


async def test_a_declaration_is_changed_and_a_bad_change_leaves_it(served: Site) -> None:
    await served.run("apply", "-f", served.fleet_file("beta"))
    more = await served.run("apply", "-f", served.fleet_file("beta", workers={"min": 3, "max": 4}))
    pids = await served.pids_once("beta", 3)
    moved = await served.run("apply", "-f", served.fleet_file("beta", temporal={"namespace": "elsewhere"}))
    same = await served.pids("beta")
    await served.run("stop", "beta", "--drain")

    assert more == Ended(0, "beta: applied (worker-scaler/beta)\n", "")
    assert moved.status == Exit.REFUSED
    assert moved.err == "fleet beta refused it: temporal: is fixed for life; stop the fleet and start it anew\n"
    assert same == pids


async def test_a_pause_holds_until_it_is_resumed(served: Site, fleet: str) -> None:
    paused = await served.run("pause", fleet, "--reason", "a look", "--for", "10m")
    shown = await served.run("status", fleet)
    drained = await served.run("stop", fleet, "--drain")
    resumed = await served.run("resume", fleet, "-o", "json")

    assert paused.out.startswith(f"{fleet} is paused until ")
    assert paused.out.endswith("No size changes, not even in an emergency.\n")
    assert shown.out.startswith(f"{fleet}  paused  ")
    assert ": a look\n" in shown.out
    assert drained.status == Exit.REFUSED
    assert drained.err.startswith(f"fleet {fleet} is paused, so none of its workers may go\nResume it first")
    assert document(resumed)["memory"]["operator"]["pause"] is None


async def test_an_override_names_the_size_within_the_bounds(served: Site, fleet: str) -> None:
    asked = ("override", fleet, "--reason", "a sale", "--for", "10m")
    three = await served.run(*asked, "--workers", "3")
    too_many = await served.run(*asked, "--workers", "9")
    await served.pids_once(fleet, 4)
    cleared = await served.run("override", fleet, "--clear")

    assert three.out.startswith(f"{fleet} is overridden until ")
    assert "Workers: 4 for now, not 9, bound by workers max.\n" in too_many.out
    assert cleared.out == f"{fleet} is sized by its load again.\n"


async def test_stop_leaves_the_workers_and_with_drain_leaves_nothing(served: Site) -> None:
    file = served.fleet_file("delta")
    await served.run("apply", "-f", file)
    pids = await served.pids_once("delta", 2)

    stopped = await served.run("stop", "delta")
    still = [alive(pid) for pid in pids]
    gone = await served.run("status", "delta")
    await served.run("apply", "-f", file)
    drained = await served.run("stop", "delta", "--drain")

    assert stopped == Ended(0, "delta is stopped; its 2 workers go on.\n", "")
    assert still == [True, True]
    assert gone.status == Exit.NOT_FOUND
    assert gone.err.startswith(f"fleet delta does not run in namespace {served.namespace}: it was stopped (")
    assert drained.status == Exit.OK
    assert drained.out == "delta is stopped; all its workers are gone.\n"
    assert [alive(pid) for pid in pids] == [False, False]
    assert await served.pids("delta") == ()


async def test_a_refused_fleet_comes_back_with_every_reason(served: Site) -> None:
    file = served.fleet_file("nobody", cache={"delivery": "file", "path": "/c"}, memory={"limit": "1Gi"})

    refused = await served.run("apply", "-f", file)
    afterwards = await served.run("status", "nobody")

    assert refused.status == Exit.REFUSED
    assert refused.err.startswith("fleet nobody was refused: target.name: must be a local target of the controller's")
    assert afterwards.status == Exit.NOT_FOUND
    assert "it failed: target.name: must be a local target" in afterwards.err


async def test_several_fleets_are_each_tried(served: Site, fleet: str) -> None:
    files = ("-f", served.fleet_file("nobody"), "-f", served.fleet_file(fleet))

    outcomes = await served.run("apply", *files, "-o", "json")

    assert outcomes.status == Exit.REFUSED
    assert [(each["name"], each["outcome"]) for each in json.loads(outcomes.out)] == [
        ("nobody", "failed"),
        (fleet, "applied"),
    ]


async def test_a_fleet_is_read_from_standard_input(served: Site) -> None:
    answer = await served.run("apply", "-f", "-", stdin=served.declared("alpha").replace('"max": 4', '"max": 1'))

    assert answer.status == Exit.REFUSED
    assert answer.err == "<stdin>:13: workers.min: must be at most workers.max (1), found 2\n"


async def test_a_misspelt_name_is_answered_with_the_right_one(served: Site) -> None:
    unknown = await served.run("explain", "nothing-like-it")

    assert unknown.status == Exit.NOT_FOUND
    assert unknown.err.splitlines()[0] == f"there is no fleet nothing-like-it in namespace {served.namespace}"
    assert unknown.err.splitlines()[1].startswith("Running: ")


async def test_a_watch_without_a_terminal_writes_lines_and_ends_with_the_fleet(served: Site) -> None:
    await served.run("apply", "-f", served.fleet_file("gamma"))
    async with served.run.running("status", "gamma", "--watch") as watch:
        first = await line_of(watch, "gamma steady", error=False)
        await served.run("override", "gamma", "--workers", "3", "--for", "5m", "--reason", "x")
        await line_of(watch, "gamma override", error=False)
        await served.run("stop", "gamma", "--drain")
        await line_of(watch, "it was stopped")
        status = await asyncio.wait_for(watch.wait(), 30)

    assert "\x1b" not in first
    assert "workers × cache" in first
    assert status == Exit.OK


async def test_ctrl_c_ends_a_watch_as_it_is_meant_to(served: Site, fleet: str) -> None:
    async with served.run.running("status", fleet, "--watch", "-o", "json") as watch:
        line = await line_of(watch, fleet, error=False)
        status = await ended(watch, signal.SIGINT)

    assert json.loads(line)["fleet"]["name"] == fleet
    assert status == Exit.OK


async def test_a_watch_on_a_terminal_is_redrawn_in_place(served: Site, fleet: str) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, **served.run.environment, "TERM": "xterm"}
    watch = await asyncio.create_subprocess_exec(
        str(PROGRAM), "status", fleet, "--watch", stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    try:
        async with asyncio.timeout(30):
            while shown.count(b"bound by") < 4:  # each page says it of workers and of cache
                shown += await asyncio.to_thread(os.read, ours, 4096)
        watch.send_signal(signal.SIGINT)
        status = await asyncio.wait_for(watch.wait(), 10)
    finally:
        if watch.returncode is None:
            watch.kill()
            await watch.wait()
        os.close(ours)

    assert b"\x1b[" in shown
    assert status == Exit.OK


async def test_a_dry_run_has_fleets_of_its_own_and_touches_nothing(served: Site) -> None:
    file = served.fleet_file("epsilon")

    async with controller(served, "--dry-run") as recording:
        started = await served.run("apply", "--dry-run", "-f", file)
        await line_of(recording, "Dry run: epsilon would go to")
        listed = await served.run("list", "--dry-run")
        live = await served.run("status", "epsilon")
        stopped = await served.run("stop", "--dry-run", "epsilon")

    assert started.out == "epsilon: started (worker-scaler-dry-run/epsilon)\n"
    assert any(line.startswith("epsilon ") for line in listed.out.splitlines())
    assert live.status == Exit.NOT_FOUND
    assert stopped == Ended(0, "epsilon is stopped; it had no workers.\n", "")
    assert await served.pids("epsilon") == ()


async def test_the_server_is_told_with_the_versions(served: Site) -> None:
    versions = document(await served.run("version", "-o", "json"))

    assert versions["problem"] is None
    assert versions["server"].count(".") >= 2


async def test_a_closed_pipe_is_no_error(served: Site) -> None:
    piped = await asyncio.create_subprocess_shell(
        f"{PROGRAM} schema | head -c 10",
        cwd=served.directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    out, err = await piped.communicate()

    assert (out, err) == (b'{\n  "$sche', b"")


async def test_workers_outlive_their_controller_however_it_ends(site: Site, served: Site) -> None:
    """The module's controller serves on; what is ended here are controllers beside it."""
    await served.run("apply", "-f", served.fleet_file("delta"))
    pids = await served.pids_once("delta", 2)
    statuses = []

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        async with controller(site) as process:
            statuses.append(await ended(process, number))
    still = [alive(pid) for pid in pids]
    await served.run("stop", "delta", "--drain")

    assert statuses == [0, 0, -signal.SIGKILL]
    assert still == [True, True]
    await come_true(lambda: not any(map(alive, pids)))
