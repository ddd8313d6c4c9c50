"""A real Temporal server for the tests that ask for one; other tests neither start nor build it.

`TEMPORAL_SCALER_TEST_ADDRESS` names one to use instead of the pinned build. `--hypothesis-profile=quick` looks for
counter-examples less thoroughly.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.client import Client

from devserver import (
    PINNED_BUILD,
    Machine,
    Progress,
    Server,
    ServerRequest,
    Source,
    TemporalServerError,
    find_server,
    provide,
)
from devserver.readiness import open_namespace
from devserver.stock_server import SERVER

ADDRESS = os.environ.get("TEMPORAL_SCALER_TEST_ADDRESS")
USED_SERVER = pytest.StashKey[Server]()

settings.register_profile("thorough", max_examples=150, deadline=None)
settings.register_profile("quick", max_examples=25, deadline=None)
settings.load_profile("thorough")


def pytest_configure() -> None:
    """A shell has its background jobs ignore Ctrl-C, and what they start inherits that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"temporal server: {f'at {ADDRESS}' if ADDRESS else f'{SERVER.version}, the pinned build'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if (server := config.stash.get(USED_SERVER, None)) is not None:
        log = "" if server.log_path is None else f", log in {server.log_path}"
        terminalreporter.write_line(f"Temporal server {server.version} at {server.address}{log}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Build the server before the first test: here progress is seen, and no test's timeout runs out."""
    wanted = {fixture for item in session.items for fixture in getattr(item, "fixturenames", ())}
    needed = not wanted.isdisjoint({"temporal_server", "pinned_build"})
    if ADDRESS is not None or session.config.option.collectonly or not needed:
        return
    web_ui = "pinned_build" in wanted
    try:
        asyncio.run(find_server(PINNED_BUILD, Machine.of_user(), Progress(), web_ui=web_ui))
    except TemporalServerError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERRUPTED)


@pytest.fixture(scope="session")
def pinned_build() -> tuple[Source, ...]:
    """Where a server comes from that is the same on every machine."""
    if ADDRESS is not None:
        pytest.skip("starts servers of its own from the pinned build, but an address was given")
    return PINNED_BUILD


@pytest.fixture(scope="session")
async def temporal_server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Server]:
    """The server of this test run."""
    wanted = ServerRequest(
        folder=tmp_path_factory.mktemp("temporal"),
        sources=PINNED_BUILD,
        web_ui=False,
        existing=None if ADDRESS is None else {"target_host": ADDRESS},
    )
    async with provide(wanted) as server:
        request.config.stash[USED_SERVER] = server
        yield server


@pytest.fixture(scope="module")
async def temporal_client(temporal_server: Server) -> AsyncIterator[Client]:
    """A client of a namespace that only this test module uses; registering one takes milliseconds."""
    client = await Client.connect(temporal_server.address, namespace=f"test-{uuid4().hex[:12]}")
    await open_namespace(client)
    yield client
    if ADDRESS is not None:
        await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=client.namespace))


@pytest.fixture(scope="module")
def namespace(temporal_client: Client) -> str:
    """The namespace of this test module."""
    return temporal_client.namespace


@pytest.fixture
async def own_server(tmp_path: Path, pinned_build: tuple[Source, ...]) -> AsyncIterator[Server]:
    """A server for one test, which may kill it and start it again; its files are in `tmp_path`."""
    request = ServerRequest(folder=tmp_path, namespace="tests", sources=pinned_build, web_ui=False)
    async with provide(request) as server:
        yield server
