"""Plays a load on a stage and records what happens."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.protocol import Operation, Request
from examples.agents.arrivals import arrivals
from examples.agents.load import Load, Replay
from scaler.cli.demo.cast import TASK_QUEUE
from scaler.cli.demo.recorder import Recorder
from scaler.cli.demo.recording import Recording
from scaler.cli.demo.scenes import AGENT, USERS, Scene
from scaler.cli.demo.stage import Stage, hand_over
from scaler.cli.demo.waits import read_waits, runs
from scaler.model.observation import WorkerState

LAST_ANSWERS_SECONDS = 15.0
"""How long turns that are under way when the load ends may take; none should be cut off."""

HANDED_OVER_AFTER = 0.06
"""Part of the whole time for which the number of workers is left as it was set by hand."""

READY_SECONDS = 30.0


async def play(stage: Stage, scenes: Sequence[Scene], seed: int, shown: Callable[[Recorder], None]) -> Recording:
    """Replay the scenes against the stage's fleet; return when the last turn is answered."""
    load = Load(name=f"demo-{secrets.token_hex(3)}", seed=seed, agent=AGENT, task_queue=TASK_QUEUE)
    replay = Replay(stage.client, load)
    began = datetime.now(UTC)
    recorder = Recorder(stage, scenes, replay.tally)
    turns = list(arrivals([scene.phase for scene in scenes], USERS, seed))
    async with asyncio.TaskGroup() as beside:
        watching = beside.create_task(recorder.run(shown))
        handing = beside.create_task(_hand_over_at(stage, HANDED_OVER_AFTER * scenes[-1].ends))
        with suppress(TimeoutError):
            async with asyncio.timeout(scenes[-1].ends + LAST_ANSWERS_SECONDS):
                await replay.run(turns)
        watching.cancel()
        handing.cancel()
    await recorder.sample()
    recording = recorder.recording
    recording.turn_latency_p95_seconds = replay.tally.latency_seconds(95)
    conversations = 1 + max((turn.conversation for turn in turns), default=-1)
    await read_waits(stage.client, map(load.workflow_id, range(conversations)), began, recording)
    fleet_runs = await runs(stage.client, stage.workflows.workflow_id(stage.cast.fleet.name))
    recording.history_events = sum(len(run.events) for run in fleet_runs)
    (stage.folder / "fleet-history.json").write_text(fleet_runs[0].to_json(), encoding="utf-8")
    return recording


async def until_ready(stage: Stage) -> None:
    """Wait until the first workers serve."""
    async with asyncio.timeout(READY_SECONDS):
        while await _ready(stage) < stage.cast.fleet.workers.min:  # noqa: ASYNC110 (their supervisor has no event here)
            await asyncio.sleep(0.1)


async def _ready(stage: Stage) -> int:
    with suppress(NoSupervisor):
        look = (await ask(stage.place, Request(operation=Operation.LOOK))).look
        return sum(worker.seen.state is WorkerState.READY for worker in look.workers)
    return 0


async def _hand_over_at(stage: Stage, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await hand_over(stage)
