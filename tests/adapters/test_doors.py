"""What anybody may put on a server does nothing to the fleets of others: memos, names of queues, namespaces."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.check_target import Serving, TargetChecker
from activities.neighbours import Neighbours
from activities.requests import CheckTarget, Verdict
from activities.running_fleets import RunningFleets
from activities.sources.gate import Gate
from activities.sources.heartbeats import HeartbeatSource, WorkerQueue
from activities.sources.histories import HistorySource
from activities.sources.signals import ConnectionSignals, SignalSource
from scaler.cli.composition import parts_of
from scaler.cli.configuration import Configuration, ConnectionConfiguration
from scaler.cli.options import Connection
from scaler.door import Submission
from scaler.fleet import TargetKind
from tests.support.local_fleet import fleet
from tests.support.looks import CountedBudget, new_queue, seen_once
from tests.support.paper_target import PaperTarget
from tests.support.small_worker import connected, working

LISTED_SECONDS = 2.0


def declared(name: str, **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": name,
        "target": {"kind": "local", "name": name},
        "task_queues": [{"name": name}],
        "workers": {"min": 0, "max": 2},
    }
    return plain | changes


@pytest.fixture
def checked(temporal_client: Client) -> Callable[..., Any]:
    """What becomes of a submitted fleet."""
    signals = SignalSource({None: ConnectionSignals(temporal_client, Gate(CountedBudget()))})
    serving = Serving(task_queue="worker-scaler")
    neighbours = Neighbours(RunningFleets(temporal_client, serving.task_queue))
    checker = TargetChecker(neighbours, {TargetKind.LOCAL: PaperTarget()}, serving, signals)

    async def check(name: str, **changes: Any) -> Verdict:
        submission = Submission(payloads=1, json=json.dumps(declared(name, **changes)))
        return await checker.check_target(CheckTarget(submission=submission, workflow_id=f"worker-scaler/{name}"))

    return check


@pytest.fixture
async def foreign(temporal_client: Client) -> AsyncIterator[None]:
    """Workflows of the fleets' type that are no fleets, with memos of any kind."""
    claims = {"name": "beta", "target": {"kind": "local", "name": "beta"}, "task_queues": [{"name": "beta"}]}
    memos: dict[str, Any] = {
        "someone/elses": "mine",
        "worker-scaler/odd": ["no", "object"],
        "worker-scaler/false": claims | {"temporal": {}},
        "elsewhere/beta": claims | {"temporal": {}},
    }
    handles = [
        await temporal_client.start_workflow("ScaleFleet", id=name, task_queue="nobody", memo={"fleet": memo})
        for name, memo in memos.items()
    ]
    await asyncio.sleep(LISTED_SECONDS)
    yield
    for handle in handles:
        await handle.terminate()


@pytest.mark.usefixtures("foreign")
async def test_memos_of_strangers_keep_no_fleet_out(checked: Callable[..., Any]) -> None:
    verdict = await checked("beta")

    assert verdict.problems == ()
    assert verdict.fleet is not None
    assert verdict.claims.target.startswith("local/")
    assert verdict.claims.place.endswith(f"/{verdict.claims.place.rpartition('/')[2]}")


async def test_a_connection_or_a_namespace_that_is_not_there_is_refused(checked: Callable[..., Any]) -> None:
    unknown = await checked("a", temporal={"connection": "typo"})
    missing = await checked("b", temporal={"namespace": "does-not-exist"})

    assert [problem.path for problem in unknown.problems] == [("temporal", "connection")]
    assert "found 'typo'" in unknown.problems[0].message
    assert [problem.path for problem in missing.problems] == [("temporal", "namespace")]
    assert "does not exist" in missing.problems[0].message


async def test_a_namespace_that_is_not_there_blinds_nobody_else(temporal_client: Client) -> None:
    queue = new_queue("sighted")
    beating = await connected(temporal_client.service_client.config.target_host, temporal_client.namespace)
    source = HeartbeatSource(temporal_client, Gate(CountedBudget()))
    good, bad = WorkerQueue(temporal_client.namespace, queue), WorkerQueue("does-not-exist", queue)

    async def both() -> tuple[int, str | None, str | None]:
        mine, theirs = await asyncio.gather(source.read(good), source.read(bad))
        return len(mine.value or ()), mine.fault, theirs.fault

    async with working(beating, queue):
        await seen_once(both, lambda seen: seen[0] == 1)
        later = []
        for _ in range(8):
            await asyncio.sleep(0.5)
            later.append(await both())

    assert [(beats, fault) for beats, fault, _ in later] == [(1, None)] * 8
    assert all(fault is not None for _, _, fault in later)


async def test_a_queues_name_reads_no_others_histories(temporal_client: Client) -> None:
    """The server's parser reads backslashes as escapes, so one before a quote would end the name."""
    queue = new_queue("secret")
    payroll = [
        await temporal_client.start_workflow("Payroll", id=f"{queue}-{number}", task_queue=queue) for number in range(3)
    ]
    await asyncio.sleep(LISTED_SECONDS)
    source = HistorySource(temporal_client, Gate(CountedBudget(calls_per_second=20)))
    namespace = temporal_client.namespace
    found = {
        name: [run.workflow_id for run in await source._runs(namespace, name)]
        for name in (queue, '\\\' OR WorkflowType = "Payroll" -- ', "a\\b", "O'Hara")
    }
    for each in payroll:
        await each.terminate()

    assert set(found.pop(queue)) == {each.id for each in payroll}
    assert list(found.values()) == [[], [], []]


async def test_a_named_connection_that_can_not_be_reached_keeps_no_controller_from_starting(
    temporal_client: Client, tmp_path: Path
) -> None:
    dead = ConnectionConfiguration(address="127.0.0.1:1")
    configuration = Configuration(connections={"dead": dead}, state_directory=tmp_path)
    own = Connection(address=temporal_client.service_client.config.target_host, namespace=temporal_client.namespace)

    parts = await parts_of(configuration, own, dry_run=False)
    alive = await parts.signals.read(fleet())
    silent = await parts.signals.read(fleet(temporal={"connection": "dead"}))

    assert parts.cluster
    assert alive.faults == ()
    assert {fault.source.split()[0] for fault in silent.faults} >= {"task", "worker"}
