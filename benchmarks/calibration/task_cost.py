"""E4: what a workflow task costs with every run cached, by slots: `python -m benchmarks.calibration.task_cost`.

As many clients as slots touch runs of their own, one touch after another; CPU time is the worker's alone.
"""

import asyncio
from statistics import fmean
from typing import Any, Final

from benchmarks.calibration.fits import line
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import WorkerProcess

SLOTS: Final = (1, 2, 4, 8)
SECONDS: Final = 12.0
CALLS: Final = 40
BAND: Final = 0.10


async def task_cost(ground: Ground) -> Outcome:
    """Closed loops at each number of slots, then turns with an activity."""
    rows = [await _touched(ground, slots) for slots in SLOTS]
    turn = await _turns(ground)
    cpu = [row["cpu_seconds_per_task"] for row in rows]
    mean = fmean(cpu)
    worst = max(abs(each / mean - 1) for each in cpu)
    fitted = line((row["slots"], row["tasks_per_second"]) for row in rows)
    met = worst <= BAND
    return Outcome(
        constants={
            "cpu_seconds_per_task": mean,
            "cpu_seconds_per_turn_with_one_activity": turn,
            "cores_used_at_most": max(row["cores_used"] for row in rows),
            "tasks_per_second_at_most": max(row["tasks_per_second"] for row in rows),
            "tasks_per_second_and_slot": fitted.slope,
        },
        residuals={"worst_cpu_per_task_against_the_mean": worst},
        band="CPU time of a task within ±10 % at every number of slots",
        met=met,
        why_not="" if met else "see the rows",
        details={"rows": rows},
    )


async def _touched(ground: Ground, slots: int) -> dict[str, Any]:
    queue = ground.queue("tasks")
    # One slot can't be asked for: idle polls of both queues hold one each. Fewer clients than slots stand for it.
    worker = await ground.worker(Made(queues=(queue,), hygiene=False))
    handles = [
        await ground.client.start_workflow(Session.run, Opening(), id=f"{queue}/{number}", task_queue=queue)
        for number in range(slots)
    ]
    await asyncio.gather(*(handle.execute_update(Session.touch, 0) for handle in handles))
    clock = asyncio.get_running_loop().time
    began, cpu, done = clock(), worker.cpu_seconds, 0

    async def touch(handle: Any) -> None:
        nonlocal done
        while clock() < began + SECONDS:
            await handle.execute_update(Session.touch, 0)
            done += 1

    await asyncio.gather(*map(touch, handles))
    seconds, used = clock() - began, worker.cpu_seconds - cpu
    await worker.kill()
    return {
        "slots": slots,
        "tasks_per_second": done / seconds,
        "cpu_seconds_per_task": used / done,
        "cores_used": used / seconds,
        "seconds_per_task": seconds * slots / done,
    }


async def _turns(ground: Ground) -> float:
    """CPU seconds of a turn: an update, an activity, and the workflow tasks around it."""
    queue = ground.queue("turns")
    worker: WorkerProcess = await ground.worker(Made(queues=(queue,), hygiene=False))
    handle = await ground.client.start_workflow(Session.run, Opening(), id=f"{queue}/0", task_queue=queue)
    await handle.execute_update(Session.touch, 0)
    cpu = worker.cpu_seconds
    await ground.client.execute_workflow(
        Session.run, Opening(steps=CALLS, listens=False), id=f"{queue}/1", task_queue=queue
    )
    return (worker.cpu_seconds - cpu) / CALLS


if __name__ == "__main__":
    run("E4", task_cost)
