"""The agents example on a real server, with real worker processes: turns outlive workers, and memory is real."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Replayer

from devserver import Server
from examples.agents.arrivals import Arrival, Phase, Users, arrivals
from examples.agents.conversation import Conversation
from examples.agents.load import Load, Replay
from examples.agents.messages import KIB, Agent, Answer, Opening, Turn

MIB = 1024 * KIB
QUICK = Agent(context_bytes=64 * KIB, most_calls_per_turn=1, mean_call_seconds=0.02)
THINKING = Agent(context_bytes=64 * KIB, most_calls_per_turn=1, mean_call_seconds=1.0)


@dataclass(frozen=True, kw_only=True)
class AgentsWorker:
    """A worker process of the example, and the file that says it polls."""

    process: asyncio.subprocess.Process
    ready: Path


StartWorker = Callable[..., Awaitable[AgentsWorker]]
NewReplay = Callable[..., Replay]
Begin = Callable[[Agent], Awaitable[WorkflowHandle[Conversation, int]]]


@pytest.fixture
def queue() -> str:
    return f"agents-{uuid4().hex[:8]}"


@pytest.fixture
async def start_worker(
    temporal_server: Server, namespace: str, queue: str, tmp_path: Path
) -> AsyncIterator[StartWorker]:
    """Starts workers of the test's queue and waits until they poll; kills those that are left."""
    started: list[AgentsWorker] = []

    async def start(cache: int = 100, **more: str) -> AgentsWorker:
        ready = tmp_path / f"ready-{len(started)}"
        settings = {
            "TEMPORAL_ADDRESS": temporal_server.address,
            "TEMPORAL_NAMESPACE": namespace,
            "TEMPORAL_MAX_CACHED_WORKFLOWS": str(cache),
            "TEMPORAL_SCALER_READY_FILE": str(ready),
            "AGENTS_TASK_QUEUE": queue,
            "AGENTS_HEARTBEAT_SECONDS": "1",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "examples.agents.worker",
            cwd=Path(__file__).parents[2],
            env={**os.environ, **settings, **more},
        )
        started.append(AgentsWorker(process=process, ready=ready))

        async def polls() -> bool:
            assert process.returncode is None, "the worker left before it polled"
            return ready.exists()

        await until(polls)
        return started[-1]

    yield start
    for worker in started:
        if worker.process.returncode is None:
            worker.process.kill()
            await worker.process.wait()


@pytest.fixture
def new_replay(temporal_client: Client, queue: str) -> NewReplay:
    """Makes a load on the test's queue, with a name of its own."""

    def make(agent: Agent, patience: timedelta = timedelta(seconds=90)) -> Replay:
        load = Load(name=uuid4().hex, seed=1, agent=agent, task_queue=queue, patience=patience)
        return Replay(temporal_client, load)

    return make


@pytest.fixture
def begin(temporal_client: Client, queue: str) -> Begin:
    """Opens one conversation without a load."""

    async def start(agent: Agent) -> WorkflowHandle[Conversation, int]:
        opening = Opening(agent=agent, seed="1/0")
        return await temporal_client.start_workflow(Conversation.run, opening, id=uuid4().hex, task_queue=queue)

    return start


def one_turn_each(conversations: int) -> list[Arrival]:
    """So many users who begin within a moment, and stay."""
    return [Arrival(at_seconds=number / 50, conversation=number, turn=0, last=False) for number in range(conversations)]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 (it happens in another process)
            await asyncio.sleep(0.05)


def handles(client: Client, replay: Replay, conversations: int) -> list[WorkflowHandle[Conversation, int]]:
    return [
        client.get_workflow_handle_for(Conversation.run, replay.load.workflow_id(number))
        for number in range(conversations)
    ]


async def settled_bytes(worker: AgentsWorker) -> int:
    """Resident memory once what was evicted has been collected."""
    await asyncio.sleep(3)
    return psutil.Process(worker.process.pid).memory_info().rss


async def until_all_think(conversations: list[WorkflowHandle[Conversation, int]]) -> None:
    """Wait until a worker has begun the model call of each conversation."""

    async def all_think() -> bool:
        return all([await _thinks(conversation) for conversation in conversations])

    await until(all_think)


async def _thinks(conversation: WorkflowHandle[Conversation, int]) -> bool:
    try:
        pending = (await conversation.describe()).raw_description.pending_activities
    except RPCError:  # it is just being started
        return False
    return any(call.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED for call in pending)


async def model_calls(conversation: WorkflowHandle[Conversation, int]) -> list[tuple[int, str]]:
    """Attempt and worker of each model call that ended."""
    history = await conversation.fetch_history()
    begun = (
        event.activity_task_started_event_attributes
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    )
    return [(call.attempt, call.identity) for call in begun]


async def say(conversation: WorkflowHandle[Conversation, int], number: int, *, last: bool = False) -> Answer:
    return await conversation.execute_update(Conversation.turn, Turn(number=number, last=last))


async def test_every_turn_of_a_load_is_answered(start_worker: StartWorker, new_replay: NewReplay) -> None:
    await start_worker()
    planned = list(arrivals([Phase("steady", 4, 5)], Users(mean_turns=3, mean_gap_seconds=0.5), seed=1))
    replay = new_replay(QUICK)
    await replay.run(planned)
    tally = replay.tally
    assert (tally.arrived, tally.completed, tally.unanswered) == (len(planned), len(planned), 0)
    assert (tally.latency_seconds(100) or 0) < 10


async def test_a_worker_is_ready_while_it_polls_and_leaves_in_peace(start_worker: StartWorker) -> None:
    worker = await start_worker()
    worker.process.terminate()
    assert await worker.process.wait() == 0
    assert not worker.ready.exists()


async def test_a_worker_without_the_sandbox_answers_too_and_computes_first_as_long_as_it_is_told(
    start_worker: StartWorker, new_replay: NewReplay
) -> None:
    worker = await start_worker(AGENTS_SANDBOX="off", AGENTS_START_CPU_SECONDS="1.5")
    used = psutil.Process(worker.process.pid).cpu_times()
    replay = new_replay(QUICK)
    await replay.run(one_turn_each(5))

    assert used.user + used.system >= 1.5
    assert (replay.tally.completed, replay.tally.failed) == (5, 0)


async def test_a_worker_asked_to_leave_finishes_its_model_calls_and_fails_no_turn(
    start_worker: StartWorker, new_replay: NewReplay, temporal_client: Client
) -> None:
    leaving = await start_worker()
    replay = new_replay(THINKING)
    answers = asyncio.create_task(replay.run(one_turn_each(4)))
    conversations = handles(temporal_client, replay, 4)
    await until_all_think(conversations)
    await start_worker()
    leaving.process.terminate()
    assert await leaving.process.wait() == 0
    await answers
    assert (replay.tally.completed, replay.tally.failed) == (4, 0)
    for conversation in conversations:
        ((attempt, identity),) = await model_calls(conversation)
        assert attempt == 1
        assert identity.startswith(f"{leaving.process.pid}@")


async def test_a_killed_worker_loses_no_turn(
    start_worker: StartWorker, new_replay: NewReplay, temporal_client: Client
) -> None:
    killed = await start_worker()
    replay = new_replay(THINKING)
    answers = asyncio.create_task(replay.run(one_turn_each(4)))
    conversations = handles(temporal_client, replay, 4)
    await until_all_think(conversations)
    killed.process.kill()
    await start_worker()
    await answers
    assert (replay.tally.completed, replay.tally.failed) == (4, 0)


async def test_without_workers_turns_fail_when_patience_ends_and_nothing_stays_open(
    new_replay: NewReplay, temporal_client: Client
) -> None:
    replay = new_replay(QUICK, patience=timedelta(seconds=1))
    async with asyncio.timeout(10):
        await replay.run(one_turn_each(3))
    assert list(replay.tally.faults()) == ["no answer in time"] * 3
    for conversation in handles(temporal_client, replay, 3):
        assert (await conversation.describe()).status == WorkflowExecutionStatus.TERMINATED


async def test_a_cancelled_load_ends_its_conversations(
    start_worker: StartWorker, new_replay: NewReplay, temporal_client: Client
) -> None:
    await start_worker()
    replay = new_replay(QUICK)
    never = Arrival(at_seconds=3600, conversation=0, turn=1, last=True)
    running = asyncio.create_task(replay.run([*one_turn_each(2), never]))

    async def both_are_answered() -> bool:
        return replay.tally.completed == 2

    await until(both_are_answered)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for conversation in handles(temporal_client, replay, 2):
        assert (await conversation.describe()).status == WorkflowExecutionStatus.TERMINATED


@pytest.mark.parametrize(
    "message_bytes", [pytest.param(MIB, id="one-large-object"), pytest.param(512, id="many-small-objects")]
)
async def test_a_cached_conversation_costs_about_its_transcript(
    message_bytes: int, start_worker: StartWorker, new_replay: NewReplay
) -> None:
    worker = await start_worker()
    empty = await settled_bytes(worker)
    agent = Agent(context_bytes=MIB, bytes_per_turn=0, bytes_per_message=message_bytes, mean_call_seconds=0)
    await new_replay(agent).run(one_turn_each(30))
    assert 0.9 * MIB < (await settled_bytes(worker) - empty) / 30 < 1.8 * MIB


async def test_evicted_conversations_give_their_memory_back(start_worker: StartWorker, new_replay: NewReplay) -> None:
    """Without memory hygiene some sixty of them would still be there."""
    worker = await start_worker(cache=10)
    empty = await settled_bytes(worker)
    agent = Agent(context_bytes=MIB, bytes_per_turn=0, bytes_per_message=MIB, mean_call_seconds=0)
    await new_replay(agent).run(one_turn_each(70))
    assert await settled_bytes(worker) - empty < 25 * MIB


async def test_a_finished_conversation_replays_and_its_history_is_small(
    start_worker: StartWorker, begin: Begin
) -> None:
    await start_worker()
    conversation = await begin(Agent(context_bytes=MIB, mean_call_seconds=0))
    answers = [await say(conversation, number, last=number == 2) for number in range(3)]
    assert await conversation.result() == 3
    assert answers[-1].transcript_bytes == MIB + 3 * 16 * KIB
    history = await conversation.fetch_history()
    assert sum(event.ByteSize() for event in history.events) < 16 * KIB
    await Replayer(workflows=[Conversation]).replay_workflow(history)


async def test_a_long_history_goes_on_in_a_new_run_that_remembers_all(
    start_worker: StartWorker, begin: Begin, temporal_client: Client
) -> None:
    await start_worker()
    first_run = await begin(Agent(context_bytes=MIB, mean_call_seconds=0, events_per_run=30))
    conversation = temporal_client.get_workflow_handle(first_run.id)
    answers = [await say(conversation, number) for number in range(6)]
    assert answers[-1].transcript_bytes == MIB + 6 * 16 * KIB
    assert (await conversation.describe()).run_id != first_run.first_execution_run_id
    again = await say(conversation, 0)
    assert (again.model_calls, again.transcript_bytes) == (0, answers[-1].transcript_bytes)
    await say(conversation, 6, last=True)
    assert await conversation.result() == 7


async def test_a_conversation_ends_when_its_user_has_been_silent_for_long(
    start_worker: StartWorker, begin: Begin
) -> None:
    await start_worker()
    conversation = await begin(Agent(context_bytes=KIB, mean_call_seconds=0, idle_seconds=2))
    await say(conversation, 0)
    await asyncio.sleep(1.5)
    await say(conversation, 1)
    answered = asyncio.get_running_loop().time()
    assert await conversation.result() == 2
    assert asyncio.get_running_loop().time() - answered > 1.5
