"""A controller for each test module: the real workflow and the real activities over targets on paper."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from devserver import Server
from scaler.fleet import TargetKind
from tests.support.paper_target import PaperTarget
from tests.support.served_fleets import connected, controller_of


@pytest.fixture(scope="module")
async def client(temporal_server: Server, namespace: str) -> Client:
    """Speaks as the controller does."""
    return await connected(temporal_server.address, namespace)


@pytest.fixture(scope="module")
def paper() -> PaperTarget:
    """The workers of all fleets of a module."""
    return PaperTarget()


@pytest.fixture(scope="module")
async def served(client: Client, paper: PaperTarget) -> AsyncIterator[Client]:
    """The client while a controller serves the module's fleets."""
    async with controller_of(client, {TargetKind.LOCAL: paper}):
        yield client
