"""E1: resident memory against runs cached, for three sizes of state: `python -m benchmarks.calibration.memory_per_run`.

And what the product makes of the same samples: the envelope of `scaler.learn.footprint` at a cache twice the
largest seen.
"""

import asyncio
from typing import Final

from benchmarks.calibration.fits import line
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.memory_sight import envelope_after
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import MIB

STATES: Final = {"0": 0, "64 KiB": 64 * 1024, "512 KiB": 512 * 1024}
CACHED: Final = (0, 25, 50, 100, 200, 300)
LIMIT_BYTES: Final = 1024 * MIB
SETTLE_SECONDS: Final = 5.0
AT_ONCE: Final = 8

LEAST_R_SQUARED: Final = 0.98
LARGEST_RESIDUAL: Final = 0.05


async def memory_per_run(ground: Ground) -> Outcome:
    """Fill three caches step by step."""
    rows = {name: await _filled(ground, state_bytes) for name, state_bytes in STATES.items()}
    fits = {name: _fit(points, STATES[name]) for name, points in rows.items()}
    met = all(
        fit["r_squared"] >= LEAST_R_SQUARED and fit["worst_residual_bytes"] <= LARGEST_RESIDUAL * LIMIT_BYTES
        for fit in fits.values()
    )
    return Outcome(
        constants={
            name: {key: fit[key] for key in ("base_bytes", "bytes_per_run", "overhead_per_run_bytes")}
            for name, fit in fits.items()
        },
        residuals={
            name: {key: fit[key] for key in fit if key not in ("base_bytes", "bytes_per_run", "overhead_per_run_bytes")}
            for name, fit in fits.items()
        },
        band="R² ≥ 0.98 and no residual beyond 5 % of a limit of 1 GiB",
        met=met,
        why_not="" if met else "see R² and residuals of each size",
        details={name: [{"cached": cached, "bytes": size} for cached, size in points] for name, points in rows.items()},
    )


async def _filled(ground: Ground, state_bytes: int) -> list[tuple[int, int]]:
    queue = ground.queue("memory")
    worker = await ground.worker(Made(queues=(queue,)))
    await asyncio.sleep(1)
    empty = worker.resident_bytes
    points = [(0, empty)]
    started = 0
    for cached in CACHED[1:]:
        await _start(ground, queue, range(started, cached), state_bytes)
        started = cached
        await asyncio.sleep(SETTLE_SECONDS)
        points.append((cached, worker.resident_bytes))
    await worker.kill()
    return points


async def _start(ground: Ground, queue: str, numbers: range, state_bytes: int) -> None:
    lines = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with lines:
            handle = await ground.client.start_workflow(
                Session.run, Opening(state_bytes=state_bytes), id=f"{queue}/{number}", task_queue=queue
            )
            await handle.execute_update(Session.touch, 0)

    await asyncio.gather(*map(one, numbers))


def _fit(points: list[tuple[int, int]], state_bytes: int) -> dict[str, float]:
    """The line leaves the empty worker out: a first run costs more than a run. The envelope sees all but the last."""
    fitted = line([(float(cached), float(size)) for cached, size in points[1:]])
    seen = envelope_after([(at, cached, size) for at, (cached, size) in enumerate(points[:-1])], LIMIT_BYTES)
    last_cached, last_bytes = points[-1]
    return {
        "base_bytes": fitted.intercept,
        "bytes_per_run": fitted.slope,
        "overhead_per_run_bytes": fitted.slope - state_bytes,
        "r_squared": fitted.r_squared,
        "worst_residual_bytes": fitted.worst_residual,
        "first_runs_bytes": fitted.intercept - points[0][1],
        "envelope_error_at_the_last": seen.predicted_bytes(last_cached) / last_bytes - 1,
    }


if __name__ == "__main__":
    run("E1", memory_per_run)
