"""E2: memory of a cached run against the length of its history: `python -m benchmarks.calibration.memory_by_history`.

Both as the run grew in its cache, and after it came back by a replay on a fresh worker. One after another: with many
long replays at a time each holds the others up, and workflow tasks fail.
"""

import asyncio
from typing import Any, Final

from benchmarks.calibration.fits import relative_line
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made

STEPS_AND_RUNS: Final = ((2, 60), (30, 20), (120, 8), (240, 4), (240, 12))
"""The longest twice: what a replay leaves in a worker once is not what each run costs."""

EVENTS_PER_STEP: Final = 6
EVENTS_AROUND: Final = 8
PAYLOAD_BYTES: Final = 1024
WARM_UP_RUNS: Final = 10
SETTLE_SECONDS: Final = 3.0
BAND: Final = 0.10


async def memory_by_history(ground: Ground) -> Outcome:
    """Fill one worker for each length, then lose it and replay."""
    rows = list(await asyncio.gather(*(_row(ground, *each) for each in STEPS_AND_RUNS)))
    grown = relative_line((row["events"], row["grown_bytes"]) for row in rows)
    replayed = relative_line((row["events"], row["replayed_bytes"]) for row in rows)
    few, many = rows[-2:]
    each = (many["replayed_bytes"] * many["runs"] - few["replayed_bytes"] * few["runs"]) / (many["runs"] - few["runs"])
    worst = max(abs(grown.at(row["events"]) / row["grown_bytes"] - 1) for row in rows)
    return Outcome(
        constants={
            "grown": {"base_bytes": grown.intercept, "bytes_per_event": grown.slope},
            "replayed": {"base_bytes": replayed.intercept, "bytes_per_event": replayed.slope},
            "replayed_longest": {"each_bytes": each, "once_bytes": few["runs"] * (few["replayed_bytes"] - each)},
        },
        residuals={"worst_relative_residual": worst},
        band="bytes per run = m0 + m1 · events within ±10 % at each length",
        met=worst <= BAND,
        why_not="" if worst <= BAND else "see the rows",
        details={"rows": rows, "payload_bytes": PAYLOAD_BYTES},
    )


async def _row(ground: Ground, steps: int, runs: int) -> dict[str, Any]:
    queue = ground.queue("history")
    worker = await ground.worker(Made(queues=(queue,)))
    await _begin(ground, queue, range(WARM_UP_RUNS), 1)
    await asyncio.sleep(SETTLE_SECONDS)
    empty = worker.resident_bytes
    await _begin(ground, queue, range(WARM_UP_RUNS, WARM_UP_RUNS + runs), steps)
    await asyncio.sleep(SETTLE_SECONDS)
    grown = worker.resident_bytes - empty
    await worker.leave()
    fresh = await ground.worker(Made(queues=(queue,)))
    await _touch(ground, queue, range(WARM_UP_RUNS))
    await asyncio.sleep(SETTLE_SECONDS)
    empty = fresh.resident_bytes
    await _touch(ground, queue, range(WARM_UP_RUNS, WARM_UP_RUNS + runs))
    await asyncio.sleep(SETTLE_SECONDS)
    replayed = fresh.resident_bytes - empty
    await fresh.kill()
    return {
        "events": steps * EVENTS_PER_STEP + EVENTS_AROUND,
        "runs": runs,
        "grown_bytes": grown / runs,
        "replayed_bytes": replayed / runs,
    }


async def _begin(ground: Ground, queue: str, numbers: range, steps: int) -> None:
    for number in numbers:
        await ground.client.start_workflow(
            Session.run,
            Opening(steps=steps, payload_bytes=PAYLOAD_BYTES),
            id=f"{queue}/{number}",
            task_queue=queue,
        )
    await _touch(ground, queue, numbers)


async def _touch(ground: Ground, queue: str, numbers: range) -> None:
    for number in numbers:
        begun = ground.client.get_workflow_handle(f"{queue}/{number}")
        await begun.execute_update(Session.touch, 0)


if __name__ == "__main__":
    run("E2", memory_by_history)
