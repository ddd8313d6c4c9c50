"""What the histories of real runs tell of waits, service times and replays: times and sizes, and never a payload."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import ListWorkersRequest
from temporalio.client import Client

from activities.sources.gate import Gate
from activities.sources.histories import HistoryReading, HistorySource
from activities.sources.signals import ConnectionSignals
from scaler.model.common import Quality
from scaler.model.observation import GAP_EDGES_SECONDS
from tests.support.local_fleet import fleet
from tests.support.looks import CountedBudget, new_queue, seen_once
from tests.support.small_worker import Fan, Fork, Steps, Talk, connected, working

CANARY = "canary-7f3a91"


@pytest.fixture
def budget() -> CountedBudget:
    return CountedBudget()


@pytest.fixture
async def source(temporal_client: Client, budget: CountedBudget) -> AsyncIterator[HistorySource]:
    opened = HistorySource(temporal_client, Gate(budget))
    yield opened
    await asyncio.gather(*opened._sampling.values())


def on(queue: str, **changes: Any) -> Any:
    """A fleet of this queue."""
    return fleet(task_queues=[{"name": queue}], **changes)


async def sampled(source: HistorySource, client: Client, queue: str, *more: str) -> HistoryReading:
    """What is told after the queues' runs were read once more; the server may have had enough of lists for a moment."""
    declared = fleet(task_queues=[{"name": each} for each in (queue, *more)])

    async def look() -> HistoryReading:
        for each in (queue, *more):
            if (samples := source._samples.get((client.namespace, each))) is not None:
                samples.read_at = None  # as if the interval were over
        source.read(client.namespace, declared)
        await asyncio.gather(*source._sampling.values())
        return source.read(client.namespace, declared)

    return await seen_once(look, lambda reading: not any("limit" in fault.message for fault in reading.faults))


async def visible(client: Client, queue: str, count: int, status: str = "Completed") -> None:
    """Wait until so many runs of the queue are listed as what they are."""
    query = f"TaskQueue = '{queue}' AND ExecutionStatus = '{status}'"

    async def runs() -> int:
        return len([run async for run in client.list_workflows(query)])

    await seen_once(runs, lambda found: found >= count)


async def test_service_times_and_waits_are_those_of_the_work(temporal_client: Client, source: HistorySource) -> None:
    queue, began = new_queue("times"), datetime.now(UTC)
    async with working(temporal_client, queue, disable_eager_activity_execution=True, max_concurrent_activities=2):
        runs = (
            temporal_client.execute_workflow(Steps.run, args=[2, 0.3], id=f"{queue}-{number}", task_queue=queue)
            for number in range(6)
        )
        await asyncio.gather(*runs)
    await visible(temporal_client, queue, 6)
    reading = await sampled(source, temporal_client, queue)
    workflow, activity = reading.task_times

    assert (workflow.quality, activity.quality) == (Quality.FRESH, Quality.FRESH)
    assert activity.at is not None
    assert began <= activity.at <= datetime.now(UTC)
    assert activity.service_mean_seconds == pytest.approx(0.35, abs=0.1)
    assert activity.schedule_to_start_seconds is not None
    assert activity.schedule_to_start_seconds > 0.4  # twelve of them, two at a time
    assert workflow.schedule_to_start_seconds is not None
    assert workflow.samples > activity.samples > 5
    assert reading.faults == ()


async def test_eager_activities_tell_their_length_and_no_wait(temporal_client: Client, source: HistorySource) -> None:
    queue = new_queue("eager")
    async with working(temporal_client, queue):
        await temporal_client.execute_workflow(Steps.run, args=[6, 0.1], id=queue, task_queue=queue)
    await visible(temporal_client, queue, 1)
    _, activity = (await sampled(source, temporal_client, queue)).task_times

    assert activity.samples == 6
    assert activity.service_mean_seconds == pytest.approx(0.12, abs=0.06)
    assert activity.schedule_to_start_seconds is None


async def test_replays_are_told_apart_from_cached_tasks_with_their_length(
    temporal_client: Client, source: HistorySource
) -> None:
    """A worker that left took its cache along: the next task of each run, though meant for it, is done by another."""
    queue, runs = new_queue("replays"), 4
    talks = [
        await temporal_client.start_workflow(Talk.run, 20, id=f"{queue}-{number}", task_queue=queue)
        for number in range(runs)
    ]
    async with working(temporal_client, queue):
        for _ in range(4):
            await asyncio.gather(*(talk.signal(Talk.say, "words") for talk in talks))
            await asyncio.sleep(0.3)
    address = temporal_client.service_client.config.target_host
    other = await Client.connect(address, namespace=temporal_client.namespace, identity="another")
    async with working(other, queue):
        await asyncio.gather(*(talk.signal(Talk.say, "again") for talk in talks))
        await asyncio.sleep(0.5)
        await visible(temporal_client, queue, runs, "Running")
        reading = await sampled(source, temporal_client, queue)
    replay = reading.replay

    assert replay.sticky_samples >= 3 * runs
    assert replay.normal_samples == runs  # the first task of a run had nothing to replay
    assert replay.sticky_seconds is not None
    assert replay.normal_seconds is not None
    assert replay.events is not None
    assert 15 <= replay.events <= 25
    assert 4 * runs <= sum(replay.gaps) <= 5 * runs  # the first words may have come before the first task
    assert (sum(replay.silences), replay.closed) == (runs, 0)
    assert sum(replay.gaps[: GAP_EDGES_SECONDS.index(1.0) + 1]) >= 3 * runs
    for talk in talks:
        await talk.terminate()


async def test_a_run_that_was_evicted_comes_back_in_a_task_like_any_sticky_one(
    temporal_client: Client, source: HistorySource
) -> None:
    """More runs than the cache holds, used in turn: each is evicted before it is used again, and none looks it."""
    queue, runs, rounds = new_queue("evicted"), 8, 5
    beating = await connected(temporal_client.service_client.config.target_host, temporal_client.namespace)
    async with working(beating, queue, max_cached_workflows=6):
        talks = [
            await temporal_client.start_workflow(Talk.run, 100, id=f"{queue}-{number}", task_queue=queue)
            for number in range(runs)
        ]
        for _ in range(rounds):
            for talk in talks:
                await talk.signal(Talk.say, "words")
                await asyncio.sleep(0.1)
        await visible(temporal_client, queue, runs, "Running")
        replay = (await sampled(source, temporal_client, queue)).replay
        missed = await seen_once(lambda: misses(temporal_client, queue), lambda count: count >= runs * (rounds - 2))
    for talk in talks:
        await talk.terminate()

    assert missed <= runs * rounds
    assert (replay.normal_samples, replay.normal_seconds) == (0, None)
    assert replay.sticky_samples == sum(replay.gaps) > 2 * rounds


async def misses(client: Client, queue: str) -> int:
    """Tasks that the queue's workers count as sticky without having had the run."""
    request = ListWorkersRequest(namespace=client.namespace, query=f"TaskQueue = '{queue}'")
    answer = await client.workflow_service.list_workers(request)
    return sum(info.worker_heartbeat.total_sticky_cache_miss for info in answer.workers_info)


async def test_runs_that_end_have_left_the_cache(temporal_client: Client, source: HistorySource) -> None:
    queue = new_queue("closed")
    async with working(temporal_client, queue):
        for number in range(3):
            await temporal_client.execute_workflow(Steps.run, args=[1, 0.0], id=f"{queue}-{number}", task_queue=queue)
    await visible(temporal_client, queue, 3)
    replay = (await sampled(source, temporal_client, queue)).replay

    assert (replay.closed, sum(replay.silences)) == (3, 0)


async def test_a_long_activity_counts_once_it_ends_and_only_once(
    temporal_client: Client, source: HistorySource
) -> None:
    """It was scheduled before the newest task that an earlier reading saw; to skip it would call all tasks short."""
    queue = new_queue("long")
    async with working(temporal_client, queue):
        fork = await temporal_client.start_workflow(Fork.run, args=[1.5, 0.1], id=queue, task_queue=queue)
        await visible(temporal_client, queue, 1, "Running")
        await asyncio.sleep(0.5)
        early = (await sampled(source, temporal_client, queue)).task_times[1]
        await asyncio.sleep(1.5)
        late = (await sampled(source, temporal_client, queue)).task_times[1]
        again = (await sampled(source, temporal_client, queue)).task_times[1]
        await fork.terminate()

    assert (early.samples, late.samples, again.samples) == (1, 2, 2)
    assert late.service_mean_seconds == pytest.approx(0.8, abs=0.2)


async def test_activities_that_have_begun_and_not_ended_are_counted_with_the_age_of_the_oldest(
    temporal_client: Client, source: HistorySource
) -> None:
    """Two slots: of six at once two have begun; those that wait occupy nothing."""
    queue = new_queue("begun")
    async with working(temporal_client, queue, max_concurrent_activities=2):
        fan = await temporal_client.start_workflow(Fan.run, args=[6, 4.0], id=queue, task_queue=queue)
        await visible(temporal_client, queue, 1, "Running")
        await asyncio.sleep(2)
        early = (await sampled(source, temporal_client, queue)).task_times[1]
        await fan.terminate()
        await visible(temporal_client, queue, 1, "Terminated")
        late = (await sampled(source, temporal_client, queue)).task_times[1]

    assert early.under_way is not None
    assert early.under_way.tasks == 2
    assert 1 < early.under_way.oldest_seconds < 4.5
    assert late.under_way is not None


async def test_a_queue_of_activities_alone_of_which_none_was_seen_proves_nobody_idle(
    temporal_client: Client, source: HistorySource
) -> None:
    """Workflows of another queue may have scheduled what runs there."""
    queue = new_queue("alone")
    declared = fleet(task_queues=[{"name": queue, "types": ["activity"]}])
    source.read(temporal_client.namespace, declared)
    await asyncio.gather(*source._sampling.values())

    [activity] = source.read(temporal_client.namespace, declared).task_times
    assert activity.under_way is None


async def test_of_hundreds_of_activities_at_once_lengths_are_told(
    temporal_client: Client, source: HistorySource
) -> None:
    """All of them were scheduled further back than is read."""
    queue = new_queue("fan")
    async with working(temporal_client, queue, max_concurrent_activities=50):
        fan = await temporal_client.start_workflow(Fan.run, args=[200, 0.2], id=queue, task_queue=queue)
        await visible(temporal_client, queue, 1, "Running")

        async def look() -> HistoryReading:
            return await sampled(source, temporal_client, queue)

        reading = await seen_once(look, lambda found: found.task_times[1].samples >= 5)
        await fan.terminate()

    activity = reading.task_times[1]
    assert activity.service_mean_seconds is not None
    assert activity.service_mean_seconds > 0.15
    assert activity.longest_seconds is not None


async def test_tasks_belong_to_their_own_queue(temporal_client: Client, source: HistorySource) -> None:
    slow, quick = new_queue("slow"), new_queue("it's quick")
    async with working(temporal_client, slow), working(temporal_client, quick):
        await temporal_client.execute_workflow(Steps.run, args=[2, 0.5], id=slow, task_queue=slow)
        await temporal_client.execute_workflow(Steps.run, args=[4, 0.0], id=quick, task_queue=quick)
    await visible(temporal_client, slow, 1)
    await visible(temporal_client, quick.replace("'", "''"), 1)
    reading = await sampled(source, temporal_client, slow, quick)
    times = {(each.queue, each.task_type.value): each for each in reading.task_times}

    assert reading.faults == ()
    assert (times[slow, "activity"].samples, times[quick, "activity"].samples) == (2, 4)
    assert (times[slow, "workflow"].samples, times[quick, "workflow"].samples) == (3, 5)


async def test_payloads_reach_neither_memory_nor_log(
    temporal_client: Client, source: HistorySource, caplog: pytest.LogCaptureFixture
) -> None:
    queue = new_queue("secret")
    caplog.set_level(logging.DEBUG)
    async with working(temporal_client, queue):
        talk = await temporal_client.start_workflow(
            Talk.run, 2, id=queue, task_queue=queue, memo={"note": CANARY}, static_summary=CANARY
        )
        await talk.signal(Talk.say, CANARY)
        told = await temporal_client.execute_workflow(
            Steps.run, args=[3, 0.0, CANARY], id=f"{queue}-2", task_queue=queue
        )
        await visible(temporal_client, queue, 1, "Running")
        await visible(temporal_client, queue, 1)
    caplog.clear()  # the worker's own SDK logs what it likes
    reading = await sampled(source, temporal_client, queue)
    await talk.terminate()
    held = _all_that_it_holds(source)

    assert told == CANARY
    assert reading.faults == ()
    assert reading.task_times[1].samples == 3
    assert CANARY not in repr(reading)
    assert talk.first_execution_run_id is not None
    assert talk.first_execution_run_id in held
    assert CANARY not in held
    assert CANARY not in caplog.text


def _all_that_it_holds(source: HistorySource) -> str:
    """Everything that can be reached from what the source keeps, in words."""
    seen: dict[int, Any] = {}
    left: list[Any] = [source._samples, source._sampling]
    while left:
        one = left.pop()
        if id(one) not in seen and not isinstance(one, type):
            seen[id(one)] = one
            left += gc.get_referents(one)
    return " ".join(repr(one) for one in seen.values() if isinstance(one, Message) or not gc.is_tracked(one))


async def test_sampling_keeps_to_its_part_of_the_budget_and_delays_nothing_else(temporal_client: Client) -> None:
    budget = CountedBudget(calls_per_second=20)
    signals = ConnectionSignals(temporal_client, Gate(budget))
    queues = [new_queue("share") for _ in range(12)]
    async with working(temporal_client, queues[0]):
        for number in range(8):
            await temporal_client.start_workflow(Talk.run, 9, id=f"{queues[0]}-{number}", task_queue=queues[number % 2])
        await visible(temporal_client, queues[0], 4, "Running")
        declared = fleet(task_queues=[{"name": queue} for queue in queues])
        loop = asyncio.get_running_loop()
        began = loop.time()
        first = await signals.read(declared)
        took, sampling = loop.time() - began, signals._histories._gate.budget
        await asyncio.sleep(2)
        rounds = budget.calls

    assert {seen.quality for seen in first.queues} == {Quality.FRESH}
    assert took < 4  # 24 queues and types and their heartbeats at 20 a second
    assert rounds <= 20 * (loop.time() - began + 1)
    assert sampling.sampling_time(12 * 13).total_seconds() == pytest.approx(26)


async def test_a_fleet_that_wants_no_sampling_gets_none(temporal_client: Client, source: HistorySource) -> None:
    declared = on(new_queue("off"), signals={"histories": "off"})

    assert source.read(temporal_client.namespace, declared) == HistoryReading()
    assert source._samples == {}
