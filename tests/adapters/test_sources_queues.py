"""What the statistics of a real server tell of task queues: by type, with a time, and never a zero for a silence."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.taskqueue.v1 import PollerInfo, RateLimit, TaskQueueStats
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse, UpdateTaskQueueConfigRequest
from temporalio.client import Client

from activities.sources.gate import Gate
from activities.sources.queues import API_TYPES, PHANTOM_AFTER, QueueKey, QueueReading, QueueSource
from devserver import Server
from scaler.model.common import Quality, TaskType
from tests.support.looks import CountedBudget, new_queue, seen_once
from tests.support.small_worker import Fork, Steps, working

FILED_SECONDS = 0.5
"""Until tasks are where they are counted; whoever looks sooner is told the same for five seconds."""


def keys(client: Client, queue: str) -> tuple[QueueKey, QueueKey]:
    """Of its workflow tasks and of its activities."""
    workflow, activity = (QueueKey(client.namespace, queue, each) for each in (TaskType.WORKFLOW, TaskType.ACTIVITY))
    return workflow, activity


@pytest.fixture
def source(temporal_client: Client) -> QueueSource:
    return QueueSource(temporal_client, Gate(CountedBudget()))


async def test_tasks_that_wait_are_counted_by_type_with_the_age_of_the_oldest(
    temporal_client: Client, source: QueueSource
) -> None:
    workflows, activities = keys(temporal_client, new_queue("waiting"))
    began = datetime.now(UTC)
    for number in range(7):
        await temporal_client.start_workflow(
            "Steps", args=[1, 0.0], id=f"{workflows.queue}-{number}", task_queue=workflows.queue
        )

    await asyncio.sleep(FILED_SECONDS)
    waiting = (await seen_once(lambda: source.read(workflows), lambda reading: reading.seen.backlog_tasks == 7)).seen
    other = (await source.read(activities)).seen

    assert waiting.backlog_age_seconds is not None
    assert 0 < waiting.backlog_age_seconds <= (datetime.now(UTC) - began).total_seconds() + 0.1
    assert (waiting.quality, waiting.rate_limited) == (Quality.FRESH, False)
    assert waiting.at is not None
    assert began <= waiting.at <= datetime.now(UTC)
    assert waiting.arrivals_per_second is not None
    assert waiting.arrivals_per_second > 0
    assert waiting.dispatches_per_second == 0
    assert (other.backlog_tasks, other.backlog_age_seconds, other.quality) == (0, 0, Quality.FRESH)


async def test_activities_wait_apart_from_workflow_tasks(temporal_client: Client, source: QueueSource) -> None:
    workflows, activities = keys(temporal_client, new_queue("apart"))
    async with working(temporal_client, workflows.queue, activities=[]):
        for number in range(3):
            await temporal_client.start_workflow(
                Fork.run, args=[1.0, 1.0], id=f"{workflows.queue}-{number}", task_queue=workflows.queue
            )
        await asyncio.sleep(2 * FILED_SECONDS)
        waiting = await seen_once(lambda: source.read(activities), lambda reading: reading.seen.backlog_tasks == 6)
        other = await source.read(workflows)

    assert waiting.pollers == {}
    assert other.seen.backlog_tasks == 0
    assert len(other.pollers) == 1


async def test_eager_and_sticky_tasks_are_in_no_rate(temporal_client: Client, source: QueueSource) -> None:
    """What is done without a queue is seen by heartbeats alone."""
    workflows, activities = keys(temporal_client, new_queue("blind"))
    async with working(temporal_client, workflows.queue):
        await temporal_client.execute_workflow(
            Steps.run, args=[40, 0.0], id=workflows.queue, task_queue=workflows.queue
        )
        first = await seen_once(
            lambda: source.read(workflows), lambda reading: bool(reading.seen.arrivals_per_second), seconds=10
        )
        blind = await source.read(activities)

    assert first.seen.arrivals_per_second is not None
    assert first.seen.arrivals_per_second < 2  # one task of forty-one
    assert blind.seen.arrivals_per_second is not None
    assert blind.seen.arrivals_per_second < 2


async def test_a_queue_that_nobody_ever_used_is_known_to_be_empty(temporal_client: Client, source: QueueSource) -> None:
    reading = await source.read(keys(temporal_client, new_queue("unused"))[0])

    assert (reading.seen.backlog_tasks, reading.seen.arrivals_per_second) == (0, 0)
    assert (reading.seen.quality, reading.fault, reading.pollers) == (Quality.FRESH, None, {})


async def test_a_queue_that_is_held_back_says_so(temporal_client: Client, source: QueueSource) -> None:
    _, activities = keys(temporal_client, new_queue("limited"))
    limit = UpdateTaskQueueConfigRequest.RateLimitUpdate(rate_limit=RateLimit(requests_per_second=1), reason="test")
    await temporal_client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=temporal_client.namespace,
            task_queue=activities.queue,
            task_queue_type=API_TYPES[TaskType.ACTIVITY],
            update_queue_rate_limit=limit,
        )
    )
    async with working(temporal_client, activities.queue, disable_eager_activity_execution=True):
        for number in range(10):
            await temporal_client.start_workflow(
                Fork.run, args=[0.0, 0.0], id=f"{activities.queue}-{number}", task_queue=activities.queue
            )
        held = await seen_once(lambda: source.read(activities), lambda reading: bool(reading.seen.rate_limited))

    assert held.seen.backlog_tasks


async def test_a_server_that_is_gone_leaves_the_last_reading_and_one_that_is_back_knows_the_backlog(
    own_server: Server,
) -> None:
    assert own_server.program is not None
    client = await Client.connect(own_server.address, namespace=own_server.namespace)
    source = QueueSource(client, Gate(CountedBudget()))
    workflows, _ = keys(client, new_queue("survivor"))
    for number in range(3):
        await client.start_workflow("Steps", args=[1, 0.0], id=f"waits-{number}", task_queue=workflows.queue)
    await asyncio.sleep(FILED_SECONDS)
    before = await seen_once(lambda: source.read(workflows), lambda reading: reading.seen.backlog_tasks == 3)

    await own_server.program.kill()
    silent = await seen_once(lambda: source.read(workflows), lambda reading: reading.fault is not None)
    never_read = await source.read(QueueKey(client.namespace, "another", TaskType.ACTIVITY))
    await own_server.program.start()
    back = await seen_once(lambda: source.read(workflows), lambda reading: reading.fault is None)
    again = await seen_once(lambda: source.read(workflows), lambda reading: reading.seen.backlog_tasks == 3)

    assert silent.seen.backlog_tasks == 3
    assert before.fault is None
    assert silent.seen.at is not None
    assert (never_read.seen.backlog_tasks, never_read.seen.quality) == (None, Quality.MISSING)
    assert never_read.fault is not None
    assert back.seen.at is not None
    assert back.seen.at > silent.seen.at
    assert again.seen.quality is Quality.FRESH


async def test_many_readers_of_one_queue_ask_the_server_once(temporal_client: Client) -> None:
    budget = CountedBudget()
    source = QueueSource(temporal_client, Gate(budget))
    workflows, _ = keys(temporal_client, new_queue("shared"))

    readings = await asyncio.gather(*(source.read(workflows) for _ in range(50)))

    assert budget.calls == 1
    assert {reading.seen.quality for reading in readings} == {Quality.FRESH}


async def test_many_queues_are_read_within_the_budget_and_each_in_its_turn(temporal_client: Client) -> None:
    budget = CountedBudget(calls_per_second=20)
    source = QueueSource(temporal_client, Gate(budget))
    queues = [keys(temporal_client, new_queue("many"))[0] for _ in range(40)]
    readings: dict[QueueKey, QueueReading] = {}

    async def watch(key: QueueKey) -> None:
        for _ in range(6):
            readings[key] = await source.read(key)
            await asyncio.sleep(0.5)

    began = asyncio.get_running_loop().time()
    await asyncio.gather(*map(watch, queues))
    seconds = asyncio.get_running_loop().time() - began

    assert budget.calls <= 20 * (seconds + 1)
    assert {reading.seen.quality for reading in readings.values()} == {Quality.FRESH}
    assert source.round_time == timedelta(seconds=40 / (0.7 * 20))


def answer(count: int, *, polled_at: datetime | None = None) -> DescribeTaskQueueResponse:
    """A count without an oldest task and without movement."""
    polled = Timestamp()
    polled.FromDatetime(polled_at or datetime(2026, 1, 1, tzinfo=UTC))
    return DescribeTaskQueueResponse(
        stats=TaskQueueStats(approximate_backlog_count=count),
        pollers=[PollerInfo(identity="1@host", last_access_time=polled)],
    )


async def test_a_backlog_that_nobody_can_have_is_a_miscount_after_a_while(source: QueueSource) -> None:
    """Servers of 1.31 count so for ever; the pinned one does not, so the answer is written by hand."""
    key, now = QueueKey("any", "phantom", TaskType.WORKFLOW), datetime(2026, 1, 1, tzinfo=UTC)
    first = source._reading(key, answer(5), now)
    soon = source._reading(key, answer(5), now + PHANTOM_AFTER / 2)
    later = source._reading(key, answer(5), now + PHANTOM_AFTER)
    moved = source._reading(key, answer(0), now + PHANTOM_AFTER * 2)
    anew = source._reading(key, answer(5), now + PHANTOM_AFTER * 3)

    assert [reading.seen.backlog_tasks for reading in (first, soon, later, moved, anew)] == [5, 5, 0, 0, 5]
    assert later.fault is not None
    assert "miscount" in later.fault.message
    assert (first.fault, anew.fault) == (None, None)


async def test_where_nobody_polls_a_still_backlog_is_no_miscount(source: QueueSource) -> None:
    key, now = QueueKey("any", "deserted", TaskType.WORKFLOW), datetime(2026, 1, 1, tzinfo=UTC)
    long_ago = now - timedelta(minutes=4)
    source._reading(key, answer(5, polled_at=long_ago), now)
    later = source._reading(key, answer(5, polled_at=long_ago), now + 2 * PHANTOM_AFTER)

    assert (later.seen.backlog_tasks, later.fault, later.pollers) == (5, None, {})


async def test_a_starved_low_priority_does_not_make_the_queue_late(source: QueueSource) -> None:
    def waiting(count: int, seconds: int) -> TaskQueueStats:
        return TaskQueueStats(approximate_backlog_count=count, approximate_backlog_age=Duration(seconds=seconds))

    stats = {1: waiting(0, 0), 3: waiting(4, 2), 5: waiting(100, 3600)}
    answered = DescribeTaskQueueResponse(stats=waiting(104, 3600), stats_by_priority_key=stats)
    seen = source._reading(QueueKey("any", "fair", TaskType.ACTIVITY), answered, datetime.now(UTC)).seen

    assert (seen.backlog_tasks, seen.backlog_age_seconds) == (104, 2)


async def test_a_server_without_statistics_leaves_them_missing(source: QueueSource) -> None:
    key = QueueKey("any", "old", TaskType.ACTIVITY)
    reading = source._reading(key, DescribeTaskQueueResponse(), datetime.now(UTC))

    assert (reading.seen.backlog_tasks, reading.seen.quality) == (None, Quality.MISSING)
    assert reading.fault is not None
