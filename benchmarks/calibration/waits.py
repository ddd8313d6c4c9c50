"""E8: how long activities wait for a slot, against the waiting formula: `python -m benchmarks.calibration.waits`.

Three figures for each utilisation and distribution of service times. *Measured*: schedule-to-start as the server
stamps it. *Exact*: what a first-come-first-served queue makes of the very same arrivals and service times, so that
chance is the same on both sides. *Formula*: `scaler.size.queueing`, against a long exact run, where chance is small.
"""

import asyncio
import math
import random
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from statistics import fmean, median
from typing import Any, Final

from benchmarks.calibration.fits import fifo_waits, percentile, relative
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Rest, rest
from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import WorkerProcess
from scaler.size.queueing import Stream, wait_seconds, waiting_probability

WORKERS: Final = 2
SLOTS_EACH: Final = 4
SERVERS: Final = WORKERS * SLOTS_EACH
SERVICE_SECONDS: Final = 1.6
"""Long, so that the rates of five queues at once leave a small machine idle: waits are to be queueing alone."""

UTILISATIONS: Final = (0.5, 0.7, 0.8, 0.9, 0.95)
SERVICE_SCV: Final = {"deterministic": 0.0, "exponential": 1.0, "lognormal": 4.0}
WAVE_SECONDS: Final = 45.0
SATURATED_SECONDS: Final = 8.0
SATURATED_SERVICE_SECONDS: Final = 0.4
LONG_RUN_TASKS: Final = 300_000

MEAN_BAND: Final = 0.15
TAIL_BAND: Final = 0.20
TAIL_BAND_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Cell:
    """One queue under load."""

    kind: str
    utilisation: float
    overhead_seconds: float

    @property
    def arrivals_per_second(self) -> float:
        """So many that the slots are as busy as they are to be."""
        return self.utilisation * SERVERS / (SERVICE_SECONDS + self.overhead_seconds)

    def service_seconds(self, chance: random.Random) -> float:
        """One draw."""
        scv = SERVICE_SCV[self.kind]
        if scv == 0:
            return SERVICE_SECONDS
        if scv == 1:
            return chance.expovariate(1 / SERVICE_SECONDS)
        sigma2 = math.log(1 + scv)
        return SERVICE_SECONDS * chance.lognormvariate(-sigma2 / 2, sigma2**0.5)


async def waits(ground: Ground) -> Outcome:
    """Load fifteen queues, five at a time."""
    extra = await _slot_overhead_seconds(ground)
    rows = []
    for kind in SERVICE_SCV:
        rows += await _wave(ground, [Cell(kind, each, extra) for each in UTILISATIONS])
    return summarised(rows, extra)


def summarised(rows: list[dict[str, Any]], overhead_seconds: float) -> Outcome:
    """What the cells say together; means and tails apart, for the order of service moves only the tails."""
    means = [inside(row["exact_mean"], row["measured_mean"], MEAN_BAND) for row in rows]
    tails = [inside(row["exact_p95"], row["measured_p95"], TAIL_BAND) for row in rows]
    formula = [row["formula_inside_band"] for row in rows]
    met = all(means) and all(tails) and all(formula)
    return Outcome(
        constants={
            "slot_overhead_seconds": overhead_seconds,
            "median_extra_wait_seconds": median(row["measured_mean"] - row["exact_mean"] for row in rows),
        },
        residuals={
            "server_means_inside_band": f"{sum(means)} of {len(rows)}",
            "server_tails_inside_band": f"{sum(tails)} of {len(rows)}",
            "server_tails_outside_band": [
                f"{_name(row)}: {row['measured_p95']:.3f} s instead of {row['exact_p95']:.3f} s"
                for row, is_inside in zip(rows, tails, strict=True)
                if not is_inside
            ],
            "formula_inside_band": f"{sum(formula)} of {len(rows)}",
            "formula_outside_band": [
                f"{_name(row)}: {row['formula_p95'] / row['long_p95']:.2f}"
                for row in rows
                if not row["formula_inside_band"]
            ],
        },
        band="mean ±15 %, p95 ±20 %, or 50 ms: the server against an exact queue, and the formula against a long one",
        met=met,
        why_not=""
        if met
        else "Tails of a few hundred tasks go both ways against a queue in order, further with a standing backlog. "
        "The formula is on the safe side where service times vary much.",
        details={"cells": rows, "servers": SERVERS, "service_seconds": SERVICE_SECONDS},
    )


def _name(row: dict[str, Any]) -> str:
    return f"{row['kind']} {row['utilisation']}"


async def _workers(ground: Ground, queues: tuple[str, ...]) -> list[WorkerProcess]:
    made = Made(queues=queues, activity_slots=SLOTS_EACH, workflows=False)
    return list(await asyncio.gather(*(ground.worker(made) for _ in range(WORKERS))))


async def _slot_overhead_seconds(ground: Ground) -> float:
    """By how much longer than it runs an activity occupies its slot: from the rate with a backlog."""
    queue = ground.queue("saturated")
    workers = await _workers(ground, (queue,))
    tasks = int(SATURATED_SECONDS / SATURATED_SERVICE_SECONDS * SERVERS)
    await asyncio.gather(*(_start(ground, queue, number, SATURATED_SERVICE_SECONDS) for number in range(tasks)))
    records = await _ended(workers, tasks)
    started = sorted(record["started"] for record in records)[SERVERS:-SERVERS]
    per_second = (len(started) - 1) / (started[-1] - started[0])
    return float(SERVERS / per_second - SATURATED_SERVICE_SECONDS)


async def _wave(ground: Ground, cells: list[Cell]) -> list[dict[str, Any]]:
    queues = {ground.queue(f"{cell.kind}-{cell.utilisation}"): cell for cell in cells}
    workers = await _workers(ground, tuple(queues))
    sent = await asyncio.gather(*(_load(ground, queue, cell) for queue, cell in queues.items()))
    records = await _ended(workers, sum(sent))
    return [_row(cell, [record for record in records if record["queue"] == queue]) for queue, cell in queues.items()]


async def _load(ground: Ground, queue: str, cell: Cell) -> int:
    """Send activities at random times, whatever becomes of them."""
    chance = random.Random(f"{cell.kind}/{cell.utilisation}")  # noqa: S311 (a load is no secret)
    clock = asyncio.get_running_loop().time
    began, at, sent = clock(), 0.0, 0
    async with asyncio.TaskGroup() as calls:
        while (at := at + chance.expovariate(cell.arrivals_per_second)) < WAVE_SECONDS:
            await asyncio.sleep(began + at - clock())
            calls.create_task(_start(ground, queue, sent, cell.service_seconds(chance)))
            sent += 1
    return sent


async def _start(ground: Ground, queue: str, number: int, seconds: float) -> None:
    await ground.client.start_activity(
        rest,
        Rest(seconds=seconds),
        id=f"{queue}/{number}",
        task_queue=queue,
        start_to_close_timeout=timedelta(seconds=120),
    )


async def _ended(workers: list[WorkerProcess], tasks: int) -> list[dict[str, Any]]:
    """What the workers wrote down, once all is done; they leave."""
    async with asyncio.timeout(60):
        while sum(len(worker.records()) for worker in workers) < tasks:  # noqa: ASYNC110 (other processes write them)
            await asyncio.sleep(0.5)
    await asyncio.gather(*(worker.leave() for worker in workers))
    return [record for worker in workers for record in worker.records()]


def _row(cell: Cell, records: list[dict[str, Any]]) -> dict[str, Any]:
    records.sort(key=lambda record: record["scheduled"])
    measured = [record["started"] - record["scheduled"] for record in records]
    arrivals = [record["scheduled"] for record in records]
    exact = fifo_waits(arrivals, [record["seconds"] + cell.overhead_seconds for record in records], SERVERS)
    long_mean, long_tail = _long_run(cell)
    stream = Stream(
        arrivals_per_second=cell.arrivals_per_second,
        service_seconds=SERVICE_SECONDS + cell.overhead_seconds,
        variability=(1 + SERVICE_SCV[cell.kind]) / 2,
    )
    formula_mean, formula_tail = mean_wait_seconds(SERVERS, stream), wait_seconds(SERVERS, stream, 95)
    return {
        "kind": cell.kind,
        "utilisation": cell.utilisation,
        "tasks": len(records),
        "measured_mean": fmean(measured),
        "exact_mean": fmean(exact),
        "measured_p95": percentile(measured, 95),
        "exact_p95": percentile(exact, 95),
        "long_mean": long_mean,
        "formula_mean": formula_mean,
        "long_p95": long_tail,
        "formula_p95": formula_tail,
        "formula_inside_band": inside(long_mean, formula_mean, MEAN_BAND)
        and inside(long_tail, formula_tail, TAIL_BAND),
    }


def mean_wait_seconds(servers: int, stream: Stream) -> float:
    """The mean that belongs to the formula's percentiles: its tail is exponential."""
    spare_per_second = (servers - stream.erlangs) / stream.service_seconds
    return waiting_probability(servers, stream.erlangs) * stream.variability / spare_per_second


def inside(truth: float, told: float, band: float) -> bool:
    """Within so many per cent, or within 50 ms."""
    return abs(relative(truth, told)) <= band or abs(told - truth) <= TAIL_BAND_SECONDS


def _long_run(cell: Cell) -> tuple[float, float]:
    chance = random.Random(f"long/{cell.kind}/{cell.utilisation}")  # noqa: S311 (a load is no secret)
    gaps = (chance.expovariate(cell.arrivals_per_second) for _ in range(LONG_RUN_TASKS))
    holds = [cell.service_seconds(chance) + cell.overhead_seconds for _ in range(LONG_RUN_TASKS)]
    found = fifo_waits(list(accumulate(gaps)), holds, SERVERS)
    return fmean(found), percentile(found, 95)


if __name__ == "__main__":
    run("E8", waits)
