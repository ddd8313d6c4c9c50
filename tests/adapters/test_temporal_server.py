"""The Temporal server that tests and the demo run on: had without downloads, usable at once, robust."""

import asyncio
import os
import socket
import urllib.request
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from devserver import Machine, Server, ServerRequest, Source, TemporalServerError, provide
from devserver.stock_server import SERVER
from tests.support.bare_machine import Written, machine, started_on


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
        with pytest.raises(RPCError, match="exceeds maximum allowed length"):
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


async def test_the_web_ui_shows_the_server(tmp_path: Path, pinned_build: tuple[Source, ...]) -> None:
    request = ServerRequest(folder=tmp_path, namespace="shown", sources=pinned_build)

    async with provide(request, Written().progress) as server:
        assert server.ui_url is not None
        page = await _get(f"{server.ui_url}/namespaces/shown/workflows")
        namespaces = await _get(f"{server.ui_url}/api/v1/namespaces")

    assert b"<html" in page
    assert b'"shown"' in namespaces


async def _get(url: str) -> bytes:
    def read() -> bytes:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own server
            return bytes(response.read())

    return await asyncio.to_thread(read)


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
