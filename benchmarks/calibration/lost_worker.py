"""E7: one of four workers is killed: `python -m benchmarks.calibration.lost_worker`.

What it costs the runs that it had cached, what the SDK's counters say of the replays that follow, and for how long
their tasks wait, against the simulator's sticky timeout.
"""

import asyncio
from statistics import median
from typing import Any, Final

from benchmarks.calibration.fits import percentile
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import WorkerProcess
from scaler.simulation.world import STICKY_TIMEOUT_SECONDS

WORKERS: Final = 4
SESSIONS: Final = 100
STEPS: Final = 10
TOUCHES_PER_SECOND: Final = 12.0
BEFORE_SECONDS: Final = 20.0
AFTER_SECONDS: Final = 40.0
BAND: Final = 0.20


async def lost_worker(ground: Ground) -> Outcome:
    """Kill, and look at who waited."""
    queue = ground.queue("lost")
    made = Made(queues=(queue,))
    fleet = list(await asyncio.gather(*(ground.worker(made) for _ in range(WORKERS))))
    handles = [
        await ground.client.start_workflow(Session.run, Opening(steps=STEPS), id=f"{queue}/{number}", task_queue=queue)
        for number in range(SESSIONS)
    ]
    await asyncio.gather(*(handle.execute_update(Session.touch, 0) for handle in handles))
    victim, others = fleet[0], fleet[1:]
    clock = asyncio.get_running_loop().time
    touches: list[tuple[int, float, float]] = []

    async def touch(number: int) -> None:
        began = clock()
        await handles[number].execute_update(Session.touch, 0)
        touches.append((number, began, clock() - began))

    async def load(seconds: float) -> None:
        async with asyncio.TaskGroup() as pending:
            for number in range(int(seconds * TOUCHES_PER_SECOND)):
                pending.create_task(touch(number % SESSIONS))
                await asyncio.sleep(1 / TOUCHES_PER_SECOND)

    await load(BEFORE_SECONDS)
    held = (await victim.counters())["sticky_cache_size"]
    before = await _counted(others)
    killed_at = clock()
    await victim.kill()
    await load(AFTER_SECONDS)
    after = await _counted(others)
    counted = {name: after[name] - before[name] for name in after}
    lost = [await _first_after(handle, victim) for handle in handles]
    replays = sum(each is not None for each in lost)
    waits = [each for each in lost if each is not None]
    late = [latency for _, began, latency in touches if began >= killed_at]
    calm = [latency for _, began, latency in touches if began < killed_at]
    slowest = max(waits)
    error = slowest / STICKY_TIMEOUT_SECONDS - 1
    unseen = counted["misses"] < replays / 2
    met = unseen and abs(error) <= BAND
    return Outcome(
        constants={
            "runs_lost_with_the_worker": held,
            "replays_in_the_histories": replays,
            "counted_misses": counted["misses"],
            "counted_replay_latencies": counted["replay_latencies"],
            "tasks_done_meanwhile": counted["tasks"],
            "longest_schedule_to_start_seconds": slowest,
            "median_schedule_to_start_of_lost_runs_seconds": median(waits),
        },
        residuals={"longest_wait_against_the_sticky_timeout": error},
        band="misses under-count the replays; the longest wait within ±20 % of the sticky timeout of 10 s",
        met=met,
        why_not="" if met else "see the counters and the residual",
        details={
            "touch_p95_before_seconds": percentile(calm, 95),
            "touch_p95_after_seconds": percentile(late, 95),
            "touch_slowest_after_seconds": max(late),
            "counted": counted,
        },
    )


async def _counted(workers: list[WorkerProcess]) -> dict[str, float]:
    counters = [await worker.counters() for worker in workers]
    names = {
        "misses": "sticky_cache_miss",
        "hits": "sticky_cache_hit",
        "replay_latencies": "workflow_task_replay_latency_count",
        "replay_milliseconds": "workflow_task_replay_latency_sum",
        "tasks": "workflow_task_execution_latency_count",
    }
    return {told: sum(each.get(name, 0.0) for each in counters) for told, name in names.items()}


async def _first_after(handle: Any, victim: WorkerProcess) -> float | None:
    """How long the first task waited that another worker did for a run of the victim's; None for other runs.

    A task that its worker did not take in time counts from when it was scheduled the first time.
    """
    history = await handle.fetch_history()
    owner = f"{victim.process.pid}@"
    identities = [
        event.workflow_task_completed_event_attributes.identity
        for event in history.events
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    if not any(identity.startswith(owner) for identity in identities):
        return None
    last_of_victim = max(place for place, identity in enumerate(identities) if identity.startswith(owner))
    if last_of_victim == len(identities) - 1:
        return None
    return _waited(history, last_of_victim + 1)


def _waited(history: Any, place: int) -> float:
    """From when the task was first scheduled, whichever queue it was then in, until it was done by whoever did it."""
    completed = [event for event in history.events if event.HasField("workflow_task_completed_event_attributes")]
    before, after = completed[place - 1], completed[place]
    between = [
        event
        for event in history.events
        if before.event_id < event.event_id < after.event_id
        and event.HasField("workflow_task_scheduled_event_attributes")
    ]
    started = next(
        event
        for event in history.events
        if event.event_id == after.workflow_task_completed_event_attributes.started_event_id
    )
    first = between[0].event_time.ToMicroseconds()
    return float(started.event_time.ToMicroseconds() - first) / 1e6


if __name__ == "__main__":
    run("E7", lost_worker)
