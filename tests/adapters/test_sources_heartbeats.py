"""What real workers say of themselves: slots, caches and work, for as long as they are alive and no longer."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import ListWorkersRequest
from temporalio.client import Client
from temporalio.worker import ResourceBasedSlotConfig, ResourceBasedTunerConfig, WorkerTuner

from activities.sources.gate import Gate
from activities.sources.heartbeats import BEATS_MISSED, Heartbeat, HeartbeatSource, WorkerQueue
from tests.support.looks import CountedBudget, new_queue, seen_once
from tests.support.small_worker import Fork, Steps, Talk, connected, working

Beats = tuple[Heartbeat, ...]


@pytest.fixture(scope="module")
async def beating(temporal_client: Client) -> Client:
    """A client whose workers beat every second."""
    return await connected(temporal_client.service_client.config.target_host, temporal_client.namespace)


@pytest.fixture
def source(temporal_client: Client) -> HeartbeatSource:
    return HeartbeatSource(temporal_client, Gate(CountedBudget()))


async def beats_once(
    source: HeartbeatSource, client: Client, queue: str, count: int = 1, seconds: float = 15.0
) -> Beats:
    """The heartbeats of a queue's workers once there are so many."""

    async def look() -> Beats:
        return (await source.read(WorkerQueue(client.namespace, queue))).value or ()

    return await seen_once(look, lambda beats: len(beats) == count, seconds)


@asynccontextmanager
async def worker_process(client: Client, queue: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own."""
    where = (client.service_client.config.target_host, client.namespace, queue)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.small_worker", *where)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_tells_its_slots_its_cache_and_when_it_began(beating: Client, source: HeartbeatSource) -> None:
    queue, before = new_queue("tells"), datetime.now(UTC)
    async with working(beating, queue, max_cached_workflows=11, max_concurrent_workflow_tasks=13):
        for number in range(3):
            await beating.start_workflow(Fork.run, args=[9.0, 9.0], id=f"{queue}-{number}", task_queue=queue)

        async def look() -> Beats:
            return (await source.read(WorkerQueue(beating.namespace, queue))).value or ()

        beats = await seen_once(look, lambda beats: bool(beats and beats[0].activity and beats[0].activity.used == 6))

    (beat,) = beats
    assert beat.activity is not None
    assert beat.workflow is not None
    assert (beat.activity.used, beat.activity.total) == (6, 7)
    assert beat.workflow.total == 13
    assert beat.cached == 3
    assert beat.sdk == "temporal-python"
    assert beat.interval_seconds == pytest.approx(1, abs=0.3)
    assert before <= beat.started_at <= beat.at <= datetime.now(UTC)
    assert beat.queue == queue


async def test_a_worker_that_beat_once_is_alive_until_others_would_have_come(temporal_client: Client) -> None:
    """Its first beat names none before it; taken for one of many a second, it would be forgotten at once."""
    slow = await connected(temporal_client.service_client.config.target_host, temporal_client.namespace, 2.0)
    queue, source = new_queue("first"), HeartbeatSource(temporal_client, Gate(CountedBudget()))
    async with working(slow, queue):
        (first,) = await beats_once(source, slow, queue)

        async def look() -> Beats:
            return (await source.read(WorkerQueue(slow.namespace, queue))).value or ()

        (second,) = await seen_once(look, lambda beats: any(beat.at > first.at for beat in beats))

    assert first.interval_seconds == pytest.approx(2, abs=0.4)
    assert first.fresh(first.at + timedelta(seconds=5))
    assert second.interval_seconds == pytest.approx(2, abs=0.4)
    assert second.at - first.at == pytest.approx(timedelta(seconds=2), abs=timedelta(seconds=0.4))
    assert second.fresh(second.at + timedelta(seconds=5))
    assert not second.fresh(second.at + timedelta(seconds=8))


async def test_counters_become_rates_between_two_beats(beating: Client, source: HeartbeatSource) -> None:
    queue = new_queue("rates")
    async with working(beating, queue):
        first = await beats_once(source, beating, queue)
        chain = asyncio.create_task(beating.execute_workflow(Steps.run, args=[80, 0.02], id=queue, task_queue=queue))

        async def look() -> Beats:
            return (await source.read(WorkerQueue(beating.namespace, queue))).value or ()

        later = await seen_once(look, lambda beats: bool(beats and (beats[0].cache_hits_per_second or 0) > 1))
        await chain

    assert (first[0].cache_hits_per_second, first[0].cache_misses_per_second) == (None, None)
    (beat,) = later
    assert beat.cache_misses_per_second == 0
    assert beat.activity is not None
    assert beat.activity.tasks_per_second is not None
    assert beat.activity.tasks_per_second > 1


async def test_a_cache_that_is_too_small_shows_as_misses(beating: Client, source: HeartbeatSource) -> None:
    queue, runs = new_queue("misses"), 12
    async with working(beating, queue, max_cached_workflows=6):
        talks = [
            await beating.start_workflow(Talk.run, 1000, id=f"{queue}-{number}", task_queue=queue)
            for number in range(runs)
        ]

        async def talk() -> None:
            while True:
                for each in talks:
                    await each.signal(Talk.say, "again")
                    await asyncio.sleep(0.05)

        async def look() -> Beats:
            return (await source.read(WorkerQueue(beating.namespace, queue))).value or ()

        talking = asyncio.create_task(talk())
        try:
            beats = await seen_once(look, lambda beats: bool(beats and (beats[0].cache_misses_per_second or 0) > 1))
        finally:
            talking.cancel()

    assert beats[0].cached is not None
    assert beats[0].cached <= 6


async def test_a_killed_worker_is_gone_after_three_beats_though_the_server_calls_it_running(
    beating: Client, source: HeartbeatSource
) -> None:
    queue = new_queue("killed")
    async with worker_process(beating, queue) as process:
        (beat,) = await beats_once(source, beating, queue, seconds=30)
        process.kill()
        killed_at = datetime.now(UTC)
        await beats_once(source, beating, queue, count=0)
        listed = await beating.workflow_service.list_workers(
            ListWorkersRequest(namespace=beating.namespace, query=f"TaskQueue = '{queue}' AND WorkerStatus = 'Running'")
        )

    assert beat.process_id == process.pid
    assert len(listed.workers_info) == 1
    assert datetime.now(UTC) - killed_at < timedelta(seconds=BEATS_MISSED + 3)


async def test_a_worker_that_shuts_down_is_gone_at_once(beating: Client, source: HeartbeatSource) -> None:
    queue = new_queue("leaves")
    async with working(beating, queue):
        await beats_once(source, beating, queue)
    left = asyncio.get_running_loop().time()
    await beats_once(source, beating, queue, count=0)

    assert asyncio.get_running_loop().time() - left < 3  # it would be fresh for three seconds


def written(began: datetime, beat_at: datetime) -> WorkerHeartbeat:
    """A first beat: whether it comes at once depends on chance in the SDK, so it is written by hand."""
    beat = WorkerHeartbeat(worker_instance_key="w", task_queue="q")
    beat.start_time.FromDatetime(began)
    beat.heartbeat_time.FromDatetime(beat_at)
    return beat


async def test_a_beat_from_before_all_has_begun_is_no_beat(source: HeartbeatSource) -> None:
    """It tells of no slots where there are some."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    early = source._read(written(began, began + timedelta(milliseconds=1)))
    in_time = source._read(written(began, began + timedelta(seconds=60)))

    assert early is None
    assert in_time is not None
    assert in_time.interval_seconds == 60


async def test_a_worker_of_activities_alone_has_no_cache(beating: Client, source: HeartbeatSource) -> None:
    queue = new_queue("activities")
    async with working(beating, queue, workflows=[]):
        (beat,) = await beats_once(source, beating, queue)

    assert (beat.workflow, beat.cached, beat.cache_hits_per_second) == (None, None, None)
    assert beat.activity is not None


async def test_slots_that_depend_on_resources_are_unknown_and_not_none_free(
    beating: Client, source: HeartbeatSource
) -> None:
    queue, config = new_queue("resources"), ResourceBasedTunerConfig(0.8, 0.8)
    slots = ResourceBasedSlotConfig(minimum_slots=5, maximum_slots=50)
    tuner = WorkerTuner.create_resource_based(
        target_memory_usage=config.target_memory_usage,
        target_cpu_usage=config.target_cpu_usage,
        workflow_config=slots,
        activity_config=slots,
    )
    async with working(beating, queue, tuner=tuner, max_concurrent_activities=None):
        (beat,) = await beats_once(source, beating, queue)

    assert beat.activity is not None
    assert (beat.activity.used, beat.activity.total) == (0, None)


async def test_the_workers_of_many_queues_are_read_with_one_call(beating: Client, temporal_client: Client) -> None:
    """Also where a name has to be quoted: a query that matches nothing is no error."""
    budget = CountedBudget()
    source = HeartbeatSource(temporal_client, Gate(budget))
    odd, plain, idle = new_queue('it\'s "odd"'), new_queue("plain"), [new_queue("idle") for _ in range(30)]
    names = [odd, plain, *idle]
    async with working(beating, odd), working(beating, plain), working(beating, new_queue("it")):
        await asyncio.sleep(1.5)
        kept = await asyncio.gather(*(source.read(WorkerQueue(beating.namespace, name)) for name in names))

    assert budget.calls == 1
    assert [tuple(beat.queue for beat in each.value or ()) for each in kept] == [(odd,), (plain,), *[()] * 30]
    assert {each.fault for each in kept} == {None}


async def test_what_the_processes_of_a_queue_run_on_others_is_read_with_the_same_call(
    beating: Client, temporal_client: Client
) -> None:
    """Where they run is known after the first reading."""
    source = HeartbeatSource(temporal_client, Gate(CountedBudget()))
    declared, other = new_queue("declared"), new_queue("other")
    key = WorkerQueue(beating.namespace, declared)
    async with working(beating, declared), working(beating, other):
        await beating.start_workflow(Fork.run, args=[9.0, 9.0], id=other, task_queue=other)
        await beats_once(source, beating, declared)

        async def look() -> Beats:
            await source.read(key)
            return tuple(beat for beat in source.elsewhere(key) if beat.queue == other)

        found = await seen_once(look, lambda beats: bool(beats and beats[0].activity and beats[0].activity.used == 2))
        (own,) = (await source.read(key)).value or ()

    assert own.queue == declared
    assert {beat.process_id for beat in found} == {own.process_id}
