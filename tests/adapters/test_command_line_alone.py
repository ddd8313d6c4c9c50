"""What the command line says and does while no controller serves, and how a controller leaves."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import psutil
import pytest
from temporalio.client import Client

from scaler.cli.exits import Exit
from tests.support.command_line import ended, line_of
from tests.support.controller import Site, controller
from tests.support.local_fleet import alive


@pytest.fixture
async def site(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Site]:
    made = Site.made(tmp_path_factory.mktemp("site"), temporal_client)
    try:
        yield made
    finally:
        await made.end()


async def test_without_a_controller_nobody_waits_for_a_minute(site: Site) -> None:
    """The first test of this file: a controller that has just left still counts as one that polls."""
    began = time.monotonic()
    started = await site.run("apply", "-f", site.fleet_file("delta"))
    changed = await site.run("apply", "-f", site.fleet_file("delta", workers={"min": 1, "max": 3}))
    rehearsed = await site.run("apply", "-f", site.fleet_file("epsilon"), "--dry-run")
    seconds = time.monotonic() - began

    nobody = f"no controller polls worker-scaler in namespace {site.namespace}"
    assert started.err.splitlines()[0] == f"fleet delta was started but gave no answer within 5s: {nobody}"
    assert changed.err.splitlines()[0] == f"fleet delta gave no answer within 5s: {nobody}"
    assert "Start one with: temporal-scaler run --dry-run." in rehearsed.err
    assert {started.status, changed.status, rehearsed.status} == {Exit.UNCONFIRMED}
    assert seconds < 3 * 20


async def test_a_fleet_waits_for_its_controller_and_the_command_line_says_so(site: Site) -> None:
    quick = ("--command-timeout", "2s")
    started = await site.run("apply", "-f", site.fleet_file("alpha"), *quick)
    listed = await site.run("list", *quick)
    shown = await site.run("status", "alpha", *quick)
    resumed = await site.run("resume", "alpha", *quick)

    assert started.status == Exit.UNCONFIRMED
    nobody = f"no controller polls worker-scaler in namespace {site.namespace}"
    assert started.err.splitlines() == [
        f"fleet alpha was started but gave no answer within 2s: {nobody}",
        "Start one with: temporal-scaler run. The fleet's workers are as they were.",
    ]
    assert listed.status == Exit.OK
    assert "alpha  no answer" in listed.out
    assert shown.status == resumed.status == Exit.UNCONFIRMED
    assert resumed.err.endswith("workers are as they were. What was asked may still come into force.\n")

    async with controller(site):
        applied = await site.run("apply", "-f", site.fleet_file("alpha"))
        await site.pids_once("alpha", 2)
        drained = await site.run("stop", "alpha", "--drain")
    assert applied.out == "alpha: applied (worker-scaler/alpha)\n"
    assert drained.status == Exit.OK


async def test_ctrl_c_while_it_waits_is_an_interruption_and_no_verdict_on_the_fleet(site: Site) -> None:
    async with site.run.running("apply", "-f", site.fleet_file("epsilon"), "--command-timeout", "50s") as process:
        await asyncio.sleep(3)
        status = await ended(process, signal.SIGINT)
        said = await process.stderr.read() if process.stderr is not None else b"no stream"

    assert status == Exit.INTERRUPTED
    assert said.decode() == ""


async def test_ctrl_c_leaves_the_workers_serving_for_the_next_controller(site: Site) -> None:
    async with controller(site) as first:
        await site.run("apply", "-f", site.fleet_file("beta"))
        log = await line_of(first, "Fleet beta is served here; output of its workers: ")
        pids = await site.pids_once("beta", 2)
        status = await ended(first, signal.SIGINT)
    served_on = [alive(pid) for pid in pids]

    async with controller(site):
        found = await site.run("status", "beta", "-o", "json")
        same = await site.pids("beta")
        drained = await site.run("stop", "beta", "--drain")

    assert log.strip().endswith(f"state/{site.namespace}/beta/logs")
    assert status == Exit.OK
    assert served_on == [True, True]
    assert found.status == Exit.OK
    assert same == pids
    assert drained.status == Exit.OK
    assert [alive(pid) for pid in pids] == [False, False]


async def test_a_second_signal_ends_a_controller_that_waits(site: Site) -> None:
    """Its watch waits for a supervisor that was stopped, so it can't leave at once."""
    async with controller(site) as process:
        await site.run("apply", "-f", site.fleet_file("gamma"))
        await site.pids_once("gamma", 2)
        supervisor = await site.group("gamma").supervisor()
        supervisor.suspend()
        try:
            await asyncio.sleep(2)  # a sample begins every second
            process.send_signal(signal.SIGTERM)
            await line_of(process, "SIGTERM: leaving; once more ends it at once")
            await asyncio.sleep(0.5)
            waiting = process.returncode is None
            began = time.monotonic()
            status = await ended(process, signal.SIGTERM)
            seconds = time.monotonic() - began
        finally:
            supervisor.resume()
    async with controller(site):
        await site.run("stop", "gamma", "--drain")

    assert waiting
    assert status == 128 + signal.SIGTERM
    assert seconds < 2


async def test_a_controller_without_a_configuration_names_all_places(site: Site) -> None:
    (site.directory / "temporal-scaler.yaml").rename(site.directory / "elsewhere.yaml")

    lost = await site.run("run")
    wrong = site.directory / "wrong.yaml"
    wrong.write_text("targets:\n  lokal: {}\n")
    refused = await site.run("run", "--configuration", str(wrong))
    async with controller(site, "--configuration", "elsewhere.yaml"):
        pass

    assert lost.status == Exit.REFUSED
    assert lost.err.startswith("no configuration: there is neither ")
    assert refused.status == Exit.REFUSED
    assert refused.err.splitlines()[-1] == f"{wrong}:2: targets.lokal: no such key; allowed here: local"


async def test_a_namespace_that_does_not_exist_is_told(site: Site) -> None:
    for command in (("list",), ("run",), ("status", "alpha")):
        answer = await site.run(*command, "--namespace", "no-such-namespace")

        assert answer.status == Exit.UNREACHABLE
        assert "has no namespace no-such-namespace" in answer.err
        assert answer.err.splitlines()[-1].startswith("Check --namespace or TEMPORAL_NAMESPACE")


async def test_a_controller_without_a_server_ends_with_the_remedy(site: Site) -> None:
    answer = await site.run("run", "--address", "127.0.0.1:1")

    assert answer.status == Exit.UNREACHABLE
    assert answer.err.splitlines()[-2:] == [
        "no Temporal server at 127.0.0.1:1: nothing listens there",
        "The address is from --address; check it, and the TLS settings.",
    ]


async def test_a_server_without_encryption_is_told_from_one_that_is_not_there(site: Site) -> None:
    answer = await site.run("list", "--tls")

    assert answer.status == Exit.UNREACHABLE
    assert answer.err.splitlines()[0].endswith(": it does not speak TLS")


async def test_nothing_is_left_behind(site: Site) -> None:
    """Also of the tests before: their processes would be children of nobody, in their directories."""
    await asyncio.sleep(0.1)
    left = [
        process.info["pid"]
        for process in psutil.process_iter(["pid", "cmdline"])
        if any(site.namespace in part for part in process.info["cmdline"] or ())
    ]

    assert left == []
