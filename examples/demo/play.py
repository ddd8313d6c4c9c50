"""Plays a load on a stage and records what happens."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.protocol import Operation, Request
from examples.agents.arrivals import Arrival, arrivals
from examples.agents.load import Load, Replay
from examples.agents.messages import Agent
from examples.demo.recorder import Recorder, Watched
from examples.demo.recording import Recording, Wait
from examples.demo.scenes import AGENT, USERS, Scene
from examples.demo.stage import Stage, hand_over
from examples.demo.waits import read_waits, runs
from scaler.model.observation import WorkerState

LAST_ANSWERS_SECONDS = 15.0
"""How long turns that are under way when the load ends may take; none should be cut off."""

HANDED_OVER_AFTER = 0.06
"""Part of the whole time for which the number of workers is left as it was set by hand."""

READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What is played: every turn of it follows from the seed."""

    scenes: Sequence[Scene]
    turns: Sequence[Arrival]
    agent: Agent
    seed: int

    @property
    def conversations(self) -> int:
        """How many there are."""
        return 1 + max((turn.conversation for turn in self.turns), default=-1)


async def play(stage: Stage, scenes: Sequence[Scene], seed: int, shown: Callable[[Recorder], None]) -> Recording:
    """Replay the scenes against the stage's fleet; return when the last turn is answered."""
    turns = tuple(arrivals([scene.phase for scene in scenes], USERS, seed))
    piece = Piece(scenes=scenes, turns=turns, agent=AGENT, seed=seed)
    recording = await replayed(stage, piece, shown, hand_over_at(stage, HANDED_OVER_AFTER * scenes[-1].ends))
    await keep_history(stage, recording)
    return recording


async def replayed(
    stage: Watched, piece: Piece, shown: Callable[[Recorder], None], beside: Coroutine[Any, Any, None]
) -> Recording:
    """Replay a piece and record it, while something else runs beside it that ends with the last answer."""
    queue = stage.cast.fleet.task_queues[0].name
    load = Load(name=f"demo-{secrets.token_hex(3)}", seed=piece.seed, agent=piece.agent, task_queue=queue)
    replay = Replay(stage.client, load)
    began = datetime.now(UTC)
    recorder = Recorder(stage, piece.scenes, replay.tally)
    async with asyncio.TaskGroup() as others:
        watching = others.create_task(recorder.run(shown))
        also = others.create_task(beside)
        with suppress(TimeoutError):
            async with asyncio.timeout(piece.scenes[-1].ends + LAST_ANSWERS_SECONDS):
                await replay.run(piece.turns)
        watching.cancel()
        also.cancel()
    await recorder.sample()
    recording = recorder.recording
    recording.turn_latency_p95_seconds = replay.tally.latency_seconds(95)
    recording.answers = [
        Wait(at_seconds=outcome.at_seconds, seconds=outcome.latency_seconds)
        for outcome in replay.tally.outcomes
        if outcome.fault is None
    ]
    await read_waits(stage.client, map(load.workflow_id, range(piece.conversations)), began, recording)
    return recording


async def keep_history(stage: Stage, recording: Recording) -> None:
    """Keep the history of the fleet's workflow beside the other files."""
    fleet_runs = await runs(stage.client, stage.workflows.workflow_id(stage.cast.fleet.name))
    recording.history_events = sum(len(run.events) for run in fleet_runs)
    (stage.folder / "fleet-history.json").write_text(fleet_runs[0].to_json(), encoding="utf-8")


async def until_ready(stage: Watched, workers: int) -> None:
    """Wait until the first workers serve."""
    async with asyncio.timeout(READY_SECONDS):
        while await _ready(stage) < workers:  # noqa: ASYNC110 (their supervisor has no event here)
            await asyncio.sleep(0.1)


async def _ready(stage: Watched) -> int:
    with suppress(NoSupervisor):
        look = (await ask(stage.place, Request(operation=Operation.LOOK))).look
        return sum(worker.seen.state is WorkerState.READY for worker in look.workers)
    return 0


async def hand_over_at(stage: Stage, seconds: float) -> None:
    """Open the declaration so long after the load began."""
    await asyncio.sleep(seconds)
    await hand_over(stage)
