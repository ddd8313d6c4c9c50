"""E11: when a growing worker is killed for its memory, and when it comes back: `python -m …calibration.out_of_memory`.

A real worker under the local target's own supervisor and limit takes run after run into its cache until it is killed,
several times over. At each sample the product's envelope and growth say how long it has left, and how much it will
hold with as many runs as it had when it was killed.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import Any, Final

from activities.targets.contract import TargetLook
from activities.targets.local import LocalGroup, LocalTarget
from activities.targets.supervisor.ending import end_group
from activities.targets.supervisor.protocol import Place
from activities.targets.supervisor.wanted import BackOff, Supervision
from benchmarks.calibration.fits import line
from benchmarks.calibration.ground import ROOT, Ground, command
from benchmarks.calibration.memory_sight import Sample, envelope_after, fleet, growth_after
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import MIB, scraped
from scaler.model.common import Generation, Owner, Size
from scaler.model.observation import ExitReason
from scaler.model.plan import Plan, Stamp

LIMIT_BYTES: Final = 224 * MIB
STATE_BYTES: Final = MIB
RUNS_PER_SECOND: Final = 5.0
KILLS: Final = 4
LONGEST_SECONDS: Final = 200.0
SAMPLE_SECONDS: Final = 1.0
FEWEST_SAMPLES: Final = 6
ASKED_AT: Final = (0.6, 0.7, 0.8, 0.9)
"""Parts of the limit at which the prediction is taken."""

BAND: Final = 0.15
OPTIMISM: Final = 0.05
BACK_OFF: Final = BackOff(initial_seconds=4.0, limit_seconds=300.0)
"""Shorter than the kubelet's 10 s, of the same law: three doublings fit into the experiment."""


@dataclass(slots=True)
class Life:
    """One process from its first sample to its end."""

    process_id: int
    samples: list[Sample] = field(default_factory=list)
    ended_at: float | None = None


async def out_of_memory(ground: Ground) -> Outcome:
    """Grow, be killed, come back, and again."""
    queue = ground.queue("growth")
    clock = asyncio.get_running_loop().time
    async with _group(ground, queue) as (target, port):
        load = asyncio.create_task(_grow(ground, queue))
        lives = await _watched(target, port, clock() + LONGEST_SECONDS)
        load.cancel()
        exits = (await target.look(fleet())).exits
    killed = [life for life in lives if life.ended_at is not None and len(life.samples) >= FEWEST_SAMPLES]
    kill_bytes = median(life.samples[-1][2] for life in killed)
    rows = [row for life in killed for row in _rows(life, kill_bytes)]
    kills = sum(told.reason is ExitReason.OOM_KILLED for told in exits)
    waits = _back_offs(lives)
    by_envelope = [row["time_error_by_envelope"] for row in rows]
    optimistic = max(row["memory_optimism"] for row in rows)
    met = abs(median(by_envelope)) <= BAND and optimistic <= OPTIMISM
    return Outcome(
        constants={
            "killed_at_resident_share_of_limit": kill_bytes / LIMIT_BYTES,
            "back_off_and_start_seconds": waits,
            "back_off_declared_seconds": [BACK_OFF.delay_seconds(crash + 1) for crash in range(len(waits))],
        },
        residuals={
            "time_to_kill_by_envelope": spread(by_envelope),
            "time_to_the_declared_limit_by_envelope": spread([row["time_error_to_the_limit"] for row in rows]),
            "time_to_kill_by_growth": spread([row["time_error_by_growth"] for row in rows]),
            "memory_optimism_worst_share_of_limit": optimistic,
            "memory_pessimism_worst_share_of_limit": -min(row["memory_optimism"] for row in rows),
        },
        band="time to the kill within ±15 % (median), memory never told too low by more than 5 % of the limit",
        met=met,
        why_not="" if met else "see the residuals",
        details={"predictions": rows, "kills": kills, "lives": len(lives), "limit_bytes": LIMIT_BYTES},
    )


def spread(errors: list[float]) -> dict[str, float]:
    """The median and the extremes."""
    return {"median": median(errors), "lowest": min(errors), "highest": max(errors)}


@asynccontextmanager
async def _group(ground: Ground, queue: str) -> AsyncIterator[tuple[LocalTarget, int]]:
    """One worker of a local target, ended with the experiment."""
    made = Made(queues=(queue,), cache=10_000, hygiene=True)
    line, port = command(ground.client, made, ground.folder)
    group = LocalGroup(
        command=line,
        directory=ROOT,
        memory_limit_bytes=LIMIT_BYTES,
        supervision=Supervision(back_off=BACK_OFF, ready_after_seconds=1.0),
    )
    target = LocalTarget({"calibration": group}, ground.folder / "state", _lives)
    owner, now = Owner("default", "worker-scaler/calibration"), datetime.now(UTC)
    try:
        for counter, size in enumerate((None, Size(1, made.cache)), start=1):
            stamp = Stamp(owner=owner, generation=Generation(1.0, counter), wake_from=now)
            await target.step(fleet(), Plan(size=size, until=now), stamp)
        yield target, port
    finally:
        await end_group(Place(target.directory(fleet())))


async def _lives(_: Owner) -> bool:
    return True


async def _grow(ground: Ground, queue: str) -> None:
    """New runs at a steady rate, whoever is there to take them."""
    clock = asyncio.get_running_loop().time
    began, sent = clock(), 0
    while True:
        await asyncio.sleep(began + sent / RUNS_PER_SECOND - clock())
        await ground.client.start_workflow(
            Session.run, Opening(state_bytes=STATE_BYTES), id=f"{queue}/{sent}", task_queue=queue
        )
        sent += 1


async def _watched(target: LocalTarget, port: int, until: float) -> list[Life]:
    """Sample until there were enough kills, or time is up."""
    clock = asyncio.get_running_loop().time
    lives: list[Life] = []
    while clock() < until and sum(life.ended_at is not None for life in lives) < KILLS:
        now = clock()
        look = await target.look(fleet())
        _seen(look, lives, now, await _cached(port))
        await asyncio.sleep(max(now + SAMPLE_SECONDS - clock(), 0))
    return lives


def _seen(look: TargetLook, lives: list[Life], now: float, cached: int | None) -> None:
    worker = look.workers[0] if look.workers else None
    process_id = worker.process_id if worker is not None else None
    if lives and lives[-1].ended_at is None and lives[-1].process_id != process_id:
        lives[-1].ended_at = now
    if worker is None or process_id is None:
        return
    if not lives or lives[-1].process_id != process_id:
        lives.append(Life(process_id))
    if cached is not None and worker.seen.memory_bytes is not None:
        lives[-1].samples.append((now, cached, worker.seen.memory_bytes))


async def _cached(port: int) -> int | None:
    try:
        return int((await asyncio.to_thread(scraped, port)).get("sticky_cache_size", 0))
    except OSError:
        return None


def _rows(life: Life, kill_bytes: float) -> list[dict[str, Any]]:
    """The predictions at some parts of the limit, against the kill.

    The envelope turns memory into runs, and runs come at a steady rate; growth extends the last minute's slope.
    """
    first = life.samples[0][0]
    samples = [(at - first, cached, size) for at, cached, size in life.samples]
    end, last_cached = (life.ended_at or 0.0) - first, samples[-1][1]
    rows = []
    for share in ASKED_AT:
        known = [sample for sample in samples if sample[2] <= share * LIMIT_BYTES]
        if len(known) < FEWEST_SAMPLES or end - known[-1][0] < 2 * SAMPLE_SECONDS:
            continue
        at, cached, size = known[-1]
        left = end - at
        envelope, growth = envelope_after(known, LIMIT_BYTES), growth_after(known, LIMIT_BYTES)
        rate = line((when, float(runs)) for when, runs, _ in known[-FEWEST_SAMPLES:]).slope
        by_growth = (kill_bytes - size) / growth if growth > 0 else math.inf
        rows.append(
            {
                "at_share_of_limit": share,
                "left_seconds": left,
                "time_error_by_envelope": (envelope.largest_cache(kill_bytes) - cached) / rate / left - 1,
                "time_error_to_the_limit": (envelope.largest_cache(LIMIT_BYTES) - cached) / rate / left - 1,
                "time_error_by_growth": by_growth / left - 1,
                "memory_optimism": (samples[-1][2] - envelope.predicted_bytes(last_cached)) / LIMIT_BYTES,
            }
        )
    return rows


def _back_offs(lives: list[Life]) -> list[float]:
    """From a kill until the worker that follows it could be asked for the first time."""
    return [
        later.samples[0][0] - sooner.ended_at
        for sooner, later in pairwise(lives)
        if sooner.ended_at is not None and later.samples
    ]


if __name__ == "__main__":
    run("E11", out_of_memory)
