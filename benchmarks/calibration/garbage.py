"""E3: what a cache leaves in memory that is filled, turned over and filled again: `python -m …calibration.garbage`.

With and without the memory hygiene of the example (a collection every two seconds, and malloc_trim). Each fill pushes
all runs of the fill before out of the cache.
"""

import asyncio
from typing import Any, Final

from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import MIB, WorkerProcess

CACHE: Final = 40
STATES: Final = {"1 object of 512 KiB": 512 * 1024, "512 objects of 1 KiB": 1024}
STATE_BYTES: Final = 512 * 1024
FILLS: Final = 5
SETTLE_SECONDS: Final = 6.0
AT_ONCE: Final = 4
BAND: Final = 0.10


async def garbage(ground: Ground) -> Outcome:
    """Five fills for each shape of state, with and without hygiene."""
    rows = await asyncio.gather(
        *(
            _turned_over(ground, shape, object_bytes, hygiene=hygiene)
            for shape, object_bytes in STATES.items()
            for hygiene in (True, False)
        )
    )
    worst = max(abs(row["repeats_within"]) for row in rows)
    return Outcome(
        constants={
            f"{row['shape']}, {'with' if row['hygiene'] else 'without'} hygiene": {
                "kept_of_one_more_cache": row["kept_of_one_more_cache"],
                "uncollected_runs_at_peak": row["uncollected_runs_at_peak"],
            }
            for row in rows
        },
        residuals={"worst_difference_between_late_fills": worst},
        band="memory after a fill within ±10 % from the third fill on",
        met=worst <= BAND,
        why_not="" if worst <= BAND else "memory does not settle: see the rows",
        details={"rows": rows, "cache": CACHE, "state_bytes": STATE_BYTES},
    )


async def _turned_over(ground: Ground, shape: str, object_bytes: int, *, hygiene: bool) -> dict[str, Any]:
    queue = ground.queue("garbage")
    worker = await ground.worker(Made(queues=(queue,), cache=CACHE, hygiene=hygiene))
    await _fill(ground, queue, range(CACHE), Opening(object_bytes=object_bytes))
    await asyncio.sleep(SETTLE_SECONDS)
    base, peaks, settled = worker.resident_bytes, [], []
    for fill in range(1, FILLS + 1):
        opening = Opening(state_bytes=STATE_BYTES, object_bytes=object_bytes)
        filling = asyncio.create_task(_fill(ground, queue, range(fill * CACHE, (fill + 1) * CACHE), opening))
        peaks.append(await _peak(worker, filling))
        await asyncio.sleep(SETTLE_SECONDS)
        settled.append(worker.resident_bytes)
    await worker.kill()
    full = settled[0] - base
    return {
        "shape": shape,
        "hygiene": hygiene,
        "base_mib": base / MIB,
        "settled_mib": [size / MIB for size in settled],
        "peak_mib": [size / MIB for size in peaks],
        "kept_of_one_more_cache": (settled[-1] - settled[0]) / full,
        "uncollected_runs_at_peak": (max(peaks) - base) / (full / CACHE) - CACHE,
        "repeats_within": max(settled[2:]) / min(settled[2:]) - 1,
    }


async def _peak(worker: WorkerProcess, filling: asyncio.Task[None]) -> int:
    highest = worker.resident_bytes
    while not filling.done():
        highest = max(highest, worker.resident_bytes)
        await asyncio.sleep(0.05)
    await filling
    return highest


async def _fill(ground: Ground, queue: str, numbers: range, opening: Opening) -> None:
    lines = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with lines:
            handle = await ground.client.start_workflow(Session.run, opening, id=f"{queue}/{number}", task_queue=queue)
            await handle.execute_update(Session.touch, 0)

    await asyncio.gather(*map(one, numbers))


if __name__ == "__main__":
    run("E3", garbage)
