"""A real server that refuses, a line that goes dead: what is read then is missing or old, and the calls back off."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from activities.sources.contract import Signals
from activities.sources.gate import Gate, SourceUnavailable
from activities.sources.signals import ConnectionSignals
from devserver import Server, ServerRequest, Source, provide
from scaler.model.common import Quality
from tests.support.line import Line, line_to
from tests.support.local_fleet import fleet
from tests.support.looks import CountedBudget, new_queue, seen_once

CALLS_ALLOWED = 10


@pytest.fixture(scope="module")
async def strict_server(
    tmp_path_factory: pytest.TempPathFactory, pinned_build: tuple[Source, ...]
) -> AsyncIterator[Server]:
    """A server that allows few calls a second."""
    request = ServerRequest(
        folder=tmp_path_factory.mktemp("strict"),
        namespace="strict",
        sources=pinned_build,
        web_ui=False,
        dynamic_config={
            "frontend.namespaceRPS": CALLS_ALLOWED,
            "frontend.namespaceBurstRatio": 1.0,
            "frontend.namespaceRPS.visibility": CALLS_ALLOWED,
        },
    )
    async with provide(request) as server:
        yield server


@pytest.fixture
async def strict(strict_server: Server) -> Client:
    return await Client.connect(strict_server.address, namespace=strict_server.namespace)


async def test_a_server_over_its_limit_is_left_alone_and_asked_again_later(strict: Client) -> None:
    budget = CountedBudget(calls_per_second=1000)
    signals, queues = ConnectionSignals(strict, Gate(budget)), [new_queue("over") for _ in range(60)]
    declared = fleet(task_queues=[{"name": queue} for queue in queues], signals={"histories": "off"})
    seen = await signals.read(declared)
    refused = [fault for fault in seen.faults if "RESOURCE_EXHAUSTED" in fault.message]
    calls = budget.calls
    closed = await signals.read(declared)

    assert refused
    assert {each.backlog_tasks for each in seen.queues} == {0, None}
    assert {each.quality for each in seen.queues if each.backlog_tasks is None} == {Quality.MISSING}
    assert len(closed.faults) >= len(seen.faults) > 0
    assert budget.calls - calls < len(queues)  # what is not allowed is not sent

    one = fleet(task_queues=[{"name": queues[0]}], signals={"histories": "off"})
    healed = await seen_once(lambda: signals.read(one), lambda seen: not seen.faults, seconds=20)
    assert {each.quality for each in healed.queues} == {Quality.FRESH}


async def test_many_refusals_at_once_are_one(strict: Client) -> None:
    gate = Gate(CountedBudget(calls_per_second=1000))
    queue = TaskQueue(name=new_queue("refused"))
    request = DescribeTaskQueueRequest(namespace=strict.namespace, task_queue=queue, report_stats=True)

    async def call() -> str:
        try:
            await gate.call(strict.workflow_service.describe_task_queue, request)
        except SourceUnavailable as error:
            return str(error)
        return ""

    await seen_once(call, lambda said: not said)
    said: list[str] = []
    while not any("RESOURCE_EXHAUSTED" in each for each in said):
        said = await asyncio.gather(*(call() for _ in range(100)))

    assert sum("RESOURCE_EXHAUSTED" in each for each in said) > 1
    assert 0 < gate._server.left_seconds <= 1  # each on its own would have doubled the wait
    assert "asking again in" in await call()


async def test_lists_that_are_refused_do_not_stop_the_statistics(strict: Client) -> None:
    """Servers allow far fewer lists a second than other calls, and users make some of their own."""
    gate = Gate(CountedBudget(calls_per_second=1000))
    lists = ListWorkflowExecutionsRequest(namespace=strict.namespace, page_size=1)

    async def list_some() -> str:
        try:
            await gate.call_for_sampling(strict.workflow_service.list_workflow_executions, lists)
        except SourceUnavailable as error:
            return str(error)
        return ""

    async def describe() -> str:
        request = DescribeNamespaceRequest(namespace=strict.namespace)
        try:
            await gate.call(strict.workflow_service.describe_namespace, request)
        except SourceUnavailable as error:
            return str(error)
        return ""

    said: list[str] = []
    while not any("RESOURCE_EXHAUSTED" in each for each in said):
        said = await asyncio.gather(*(list_some() for _ in range(50)))

    assert "sampling is over its limit" in await list_some()
    assert await seen_once(describe, lambda said: not said) == ""


async def test_a_dead_line_is_missing_in_time_and_heals(temporal_client: Client) -> None:
    queue = new_queue("line")
    async with line_to(temporal_client.service_client.config.target_host) as line:
        signals = await _over(line, temporal_client.namespace)
        declared = fleet(task_queues=[{"name": queue}], signals={"histories": "off"})
        before = await signals.read(declared)

        line.die()
        unread_queue = fleet(task_queues=[{"name": new_queue("unread")}])
        reading = asyncio.create_task(signals.read(unread_queue))
        loop, slowest, dead = asyncio.get_running_loop(), 0.0, before
        while not any("no answer" in fault.message for fault in dead.faults):
            began = loop.time()
            dead = await signals.read(declared)
            slowest = max(slowest, loop.time() - began)
            await asyncio.sleep(0.1)
        unread = await reading

        line.revive()
        healed = await seen_once(lambda: signals.read(declared), lambda seen: not seen.faults)

    assert slowest < 4  # a tick that waited for the server would be late with everything else
    assert before.queues[0].at is not None
    assert dead.queues[0].at is not None
    assert dead.queues[0].at >= before.queues[0].at
    assert dead.queues[0].backlog_tasks is not None
    assert (unread.queues[0].backlog_tasks, unread.queues[0].quality) == (None, Quality.MISSING)
    assert unread.heartbeats == ()
    assert healed.queues[0].at is not None
    assert healed.queues[0].at > dead.queues[0].at


async def test_a_server_that_nobody_reaches_ends_no_tick() -> None:
    nowhere = await Client.connect("127.0.0.1:9", namespace="any", lazy=True)
    signals = ConnectionSignals(nowhere, Gate(CountedBudget()))
    seen: Signals = await signals.read(fleet(task_queues=[{"name": "any"}]))

    assert {each.quality for each in seen.queues} == {Quality.MISSING}
    assert seen.faults
    assert seen.heartbeats == ()


async def _over(line: Line, namespace: str) -> ConnectionSignals:
    client = await Client.connect(line.address, namespace=namespace)
    return ConnectionSignals(client, Gate(CountedBudget()))
