"""E5: what a replay costs, by length of history and size of payloads: `python -m benchmarks.calibration.replay_cost`.

Runs with long histories are built by one worker and then touched one after another on a worker whose cache holds
fewer: every first touch is a replay, the touch right after it is not. Times are the server's own, from the histories.
"""

import asyncio
import math
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from temporalio.client import WorkflowHandle

from activities.sources.history_events import WorkflowTaskSample, sampled
from benchmarks.calibration.fits import line, relative_line
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import WorkerProcess

STEPS: Final = (3, 12, 40, 120, 360)
PAYLOADS: Final = {"100 B": 100, "4 KiB": 4096}
RUNS_EACH: Final = 2
CACHE: Final = 10
ROUNDS: Final = 4
BAND: Final = 0.15

Handle = WorkflowHandle[Session, int]


@dataclass(frozen=True, slots=True)
class Long:
    """A run with a history of its own."""

    handle: Handle
    payload: str
    steps: int


async def replay_cost(ground: Ground) -> Outcome:
    """Build histories, lose the cache, and touch."""
    queue = ground.queue("replay")
    builder = await ground.worker(Made(queues=(queue,)))
    runs = await _built(ground, queue)
    await builder.leave()
    worker = await ground.worker(Made(queues=(queue,), cache=CACHE, hygiene=False))
    cpu_seconds = await _touched(runs, worker)
    rows = [await _row(runs[place], cpu_seconds[place]) for place in range(len(runs))]
    cells = [_cell(rows, payload, steps) for payload in PAYLOADS for steps in STEPS]
    fits = {payload: _fit([cell for cell in cells if cell["payload"] == payload]) for payload in PAYLOADS}
    worst = max(fit["worst_relative_residual"] for fit in fits.values())
    called_sticky = sum(row["evicted_told_as_sticky"] for row in rows) / sum(row["evicted"] for row in rows)
    hit = median(cell["hit_seconds"] for cell in cells)
    return Outcome(
        constants={
            "hit_seconds": hit,
            **{f"replay, payloads of {payload}": fit for payload, fit in fits.items()},
            "evicted_replays_told_as_sticky_share": called_sticky,
        },
        residuals={"worst_relative_residual": worst},
        band="replay = r0 + r1 · events within ±15 % at each length of history",
        met=worst <= BAND,
        why_not="" if worst <= BAND else "see the worst residual: replay time is not a straight line in events",
        details={"cells": cells},
    )


async def _built(ground: Ground, queue: str) -> list[Long]:
    """Of each length and payload some, so ordered that neighbours differ."""
    wanted = [(payload, steps, number) for number in range(RUNS_EACH) for payload in PAYLOADS for steps in STEPS]
    runs = [
        Long(
            await ground.client.start_workflow(
                Session.run,
                Opening(steps=steps, payload_bytes=PAYLOADS[payload]),
                id=f"{queue}/{payload}/{steps}/{number}",
                task_queue=queue,
            ),
            payload,
            steps,
        )
        for payload, steps, number in wanted
    ]
    await asyncio.gather(*(each.handle.execute_update(Session.touch, 0) for each in runs))
    return runs


async def _touched(runs: list[Long], worker: WorkerProcess) -> list[list[float]]:
    """The CPU seconds of each run's touches; those that find it cached alternate with those that do not."""
    used: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for place, each in enumerate(runs):
            for _ in range(2):
                before = worker.cpu_seconds
                await each.handle.execute_update(Session.touch, 0)
                used[place].append(worker.cpu_seconds - before)
    return used


async def _row(each: Long, cpu_seconds: list[float]) -> dict[str, Any]:
    history = await each.handle.fetch_history()
    tasks = sorted(sampled(history.events).workflow_tasks, key=_scheduled)[-2 * ROUNDS :]
    replays, hits = tasks[::2], tasks[1::2]
    evicted = replays[1:]
    return {
        "payload": each.payload,
        "steps": each.steps,
        "events": len(history.events) - 5 * ROUNDS,
        "lost_seconds": replays[0].ran_seconds,
        "evicted_seconds": [task.ran_seconds for task in evicted],
        "hit_seconds": [task.ran_seconds for task in hits],
        "replay_cpu_seconds": cpu_seconds[::2],
        "evicted": len(evicted),
        "evicted_told_as_sticky": sum(task.sticky for task in evicted),
    }


def _scheduled(task: WorkflowTaskSample) -> float:
    return task.scheduled_at.timestamp()


def _cell(rows: list[dict[str, Any]], payload: str, steps: int) -> dict[str, Any]:
    own = [row for row in rows if row["payload"] == payload and row["steps"] == steps]
    hits = [seconds for row in own for seconds in row["hit_seconds"]]
    evicted = [seconds for row in own for seconds in row["evicted_seconds"]]
    return {
        "payload": payload,
        "events": median(row["events"] for row in own),
        "hit_seconds": median(hits),
        "evicted_seconds": median(evicted),
        "lost_seconds": median(row["lost_seconds"] for row in own),
        "replay_seconds": median(evicted) - median(hits),
        "replay_cpu_seconds": median(seconds for row in own for seconds in row["replay_cpu_seconds"]),
    }


def _fit(cells: list[dict[str, Any]]) -> dict[str, float]:
    points = [(cell["events"], cell["replay_seconds"]) for cell in cells]
    fitted = relative_line(points)
    power = line((math.log(events), math.log(seconds)) for events, seconds in points)
    return {
        "r0_seconds": fitted.intercept,
        "r1_seconds_per_event": fitted.slope,
        "worst_relative_residual": max(abs(fitted.at(events) / seconds - 1) for events, seconds in points),
        "exponent_between_shortest_and_longest": power.slope,
    }


if __name__ == "__main__":
    run("E5", replay_cost)
