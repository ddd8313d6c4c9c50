"""E10: how long a worker takes to start, to drain and to be replaced: `python -m …calibration.start_and_drain`.

Constants are fitted on one half of the samples and held against the other; the rolling restart is predicted from them.
"""

import asyncio
import random
from statistics import median
from typing import Any, Final

from benchmarks.calibration.fits import percentile, relative
from benchmarks.calibration.ground import READY_SECONDS, Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Rest, Session
from benchmarks.calibration.subject import Made

STARTS: Final = 10
DRAINS: Final = 10
CALLS_EACH: Final = 4
LONGEST_CALL_SECONDS: Final = 4.0
FLEET: Final = 3
SESSIONS: Final = 60
TOUCHES_PER_SECOND: Final = 10.0
BAND: Final = 0.10


async def start_and_drain(ground: Ground) -> Outcome:
    """Start and end workers one after another, then replace a fleet under load."""
    starts = [await _start(ground) for _ in range(STARTS)]
    drains = [await _drain(ground, number) for number in range(DRAINS)]
    start, idle = _half(starts, "seconds"), _half(starts, "idle_exit_seconds")
    over = median(drain["beyond_the_longest_call_seconds"] for drain in drains[: DRAINS // 2])
    rolled = await _rolled(ground)
    errors = {
        "start": relative(median(each["seconds"] for each in starts[STARTS // 2 :]), start),
        "drain": median(
            abs(relative(drain["seconds"], drain["longest_left_seconds"] + over)) for drain in drains[DRAINS // 2 :]
        ),
        "rolling_restart": relative(rolled["seconds"], FLEET * (start + idle)),
    }
    met = all(abs(error) <= BAND for error in errors.values())
    return Outcome(
        constants={
            "start_seconds": start,
            "start_seconds_scv": _scv([each["seconds"] for each in starts]),
            "start_cpu_seconds": median(each["cpu_seconds"] for each in starts),
            "first_task_after_seconds": median(each["first_task_seconds"] for each in starts),
            "idle_exit_seconds": idle,
            "drain_beyond_the_longest_call_seconds": over,
        },
        residuals=errors,
        band="start, drain and rolling restart within ±10 % of what the other half of the samples says",
        met=met,
        why_not="" if met else "see the residuals; CPU taken by others shows in starts first",
        details={"starts": starts, "drains": drains, "rolling_restart": rolled},
    )


def _half(rows: list[dict[str, float]], name: str) -> float:
    return median(row[name] for row in rows[: len(rows) // 2])


def _scv(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values) / mean**2


async def _start(ground: Ground) -> dict[str, float]:
    queue = ground.queue("start")
    clock = asyncio.get_running_loop().time
    handle = await ground.client.start_workflow(Session.run, Opening(), id=f"{queue}/0", task_queue=queue)
    worker = await ground.starting_worker(Made(queues=(queue,)))
    touched = asyncio.create_task(handle.execute_update(Session.touch, 0))
    seconds = await worker.polls(READY_SECONDS)
    cpu_seconds = worker.cpu_seconds
    await touched
    first = clock() - worker.began
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "first_task_seconds": first,
        "idle_exit_seconds": await worker.leave(),
    }


async def _drain(ground: Ground, number: int) -> dict[str, float]:
    """A worker that is asked to go while it has calls of known lengths under way."""
    queue = ground.queue("drain")
    chance = random.Random(number)  # noqa: S311 (a load is no secret)
    worker = await ground.worker(Made(queues=(queue,), activity_slots=CALLS_EACH))
    calls = [Rest(seconds=chance.uniform(1.0, LONGEST_CALL_SECONDS)) for _ in range(CALLS_EACH)]
    clock = asyncio.get_running_loop().time
    handles = [
        await ground.client.start_workflow(Session.run, Opening(), id=f"{queue}/{place}", task_queue=queue)
        for place in range(CALLS_EACH)
    ]
    began = clock()
    asked = [
        asyncio.create_task(handle.execute_update(Session.call, call))
        for handle, call in zip(handles, calls, strict=True)
    ]
    await asyncio.sleep(0.5)
    left = max(call.seconds for call in calls) - (clock() - began)
    seconds = await worker.leave()
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    return {
        "seconds": seconds,
        "longest_left_seconds": left,
        "beyond_the_longest_call_seconds": seconds - left,
        "calls_ended": float(len(worker.records())),
    }


async def _rolled(ground: Ground) -> dict[str, Any]:
    """Replace each worker by a new one that polls before the old one is asked to go."""
    queue = ground.queue("rolling")
    made = Made(queues=(queue,))
    fleet = list(await asyncio.gather(*(ground.worker(made) for _ in range(FLEET))))
    handles = [
        await ground.client.start_workflow(Session.run, Opening(steps=3), id=f"{queue}/{number}", task_queue=queue)
        for number in range(SESSIONS)
    ]
    await asyncio.gather(*(handle.execute_update(Session.touch, 0) for handle in handles))
    latencies: list[tuple[float, float]] = []
    clock = asyncio.get_running_loop().time

    async def touch(number: int) -> None:
        began = clock()
        await handles[number].execute_update(Session.touch, 0)
        latencies.append((began, clock() - began))

    async def load() -> None:
        async with asyncio.TaskGroup() as touches:
            for number in range(10_000):
                touches.create_task(touch(number % SESSIONS))
                await asyncio.sleep(1 / TOUCHES_PER_SECOND)

    loading = asyncio.create_task(load())
    await asyncio.sleep(8)
    began = clock()
    replaced = [(await _start_seconds(ground, made), await old.leave()) for old in fleet]
    ended = clock()
    await asyncio.sleep(12)
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    before = [latency for at, latency in latencies if at < began]
    during = [latency for at, latency in latencies if began <= at < ended]
    return {
        "seconds": ended - began,
        "starts_seconds": [start for start, _ in replaced],
        "leaves_seconds": [leave for _, leave in replaced],
        "touch_p95_before_seconds": percentile(before, 95),
        "touch_p95_during_seconds": percentile(during, 95),
        "touch_slowest_during_seconds": max(during),
    }


async def _start_seconds(ground: Ground, made: Made) -> float:
    worker = await ground.starting_worker(made)
    return await worker.polls(READY_SECONDS)


if __name__ == "__main__":
    run("E10", start_and_drain)
