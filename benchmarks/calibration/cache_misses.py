"""E6: how often a run is in no cache, against the cache curve, for recorded conversations.

`python -m benchmarks.calibration.cache_misses FOLDER` with `mooncake_conversation_sessions.csv.gz` in the folder. One
session in twelve is taken, for caches so much smaller: what is sampled by key keeps the curve (SHARDS, FAST'15).
The accesses come in the trace's order but as fast as they are served, which an LRU cache does not notice.
"""

import asyncio
import csv
import gzip
import random
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from benchmarks.calibration.fits import lru_misses
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from scaler.learn.cache_use import cache_use
from scaler.model.observation import GAP_EDGES_SECONDS, ReplaySeen
from scaler.size.miss_ratio import miss_ratio

TRACE: Final = "mooncake_conversation_sessions.csv.gz"
ONE_SESSION_IN: Final = 12
BUCKET_SECONDS: Final = 3.0  # what the trace's times are rounded to
SIZES: Final = ((2, 20), (2, 28), (2, 40), (2, 56), (2, 80), (2, 160), (1, 40), (4, 40), (1, 80), (4, 80))
"""How many workers, and all their caches together."""

AT_ONCE: Final = 5
SAMPLED_RUNS: Final = 200

MEAN_BAND: Final = 0.03
WORST_BAND: Final = 0.08
SAME_BAND: Final = 0.05


@dataclass(frozen=True, slots=True)
class Access:
    """One turn of one session."""

    at_seconds: float
    session: int


def accesses(rows: Iterable[dict[str, str]]) -> list[Access]:
    """The sampled sessions' turns in order, spread evenly over the seconds that they were rounded to."""
    chance = random.Random(1)  # noqa: S311 (a load is no secret)
    taken = (
        Access(float(row["t_s"]) + chance.uniform(0, BUCKET_SECONDS), int(row["session_id"]))
        for row in rows
        if int(row["session_id"]) % ONE_SESSION_IN == 0
    )
    return sorted(taken, key=lambda access: access.at_seconds)


def replay_seen(known: Sequence[Access], sessions: frozenset[int]) -> ReplaySeen:
    """What the histories of these sessions would tell at the end."""
    times: dict[int, list[float]] = {}
    for access in known:
        if access.session in sessions:
            times.setdefault(access.session, []).append(access.at_seconds)
    end = known[-1].at_seconds
    gaps = Counter(_bucket(later - sooner) for own in times.values() for sooner, later in pairwise(own))
    silences = Counter(_bucket(end - own[-1]) for own in times.values())
    buckets = range(len(GAP_EDGES_SECONDS) + 1)
    return ReplaySeen(
        gaps=tuple(gaps[bucket] for bucket in buckets), silences=tuple(silences[bucket] for bucket in buckets)
    )


def _bucket(seconds: float) -> int:
    return bisect_left(GAP_EDGES_SECONDS, seconds)


async def cache_misses(ground: Ground) -> Outcome:
    """Play the same accesses to fleets of different sizes."""
    with gzip.open(Path(sys.argv[1]) / TRACE, "rt", encoding="ascii") as file:
        known = accesses(csv.DictReader(file))
    sessions = sorted({access.session for access in known})
    few = frozenset(random.Random(2).sample(sessions, SAMPLED_RUNS))  # noqa: S311 (no secret either)
    per_second = len(known) / (known[-1].at_seconds - known[0].at_seconds)
    uses = cache_use(replay_seen(known, frozenset(sessions))), cache_use(replay_seen(known, few))
    rows = []
    for workers, together in SIZES:
        played = await _played(ground, known, workers, together // workers)
        predicted, from_few = (miss_ratio(use, per_second, together) or 0.0 for use in uses)
        exact = lru_misses((access.session for access in known), [together // workers] * workers) / len(known)
        rows.append(
            {
                "workers": workers,
                "cache": together // workers,
                "together": together,
                "measured": played["misses"] / len(known),
                "predicted": predicted,
                "predicted_from_sampled_runs": from_few,
                "exact_lru": exact,
                **played,
            }
        )
    return _outcome(rows, known)


async def _played(ground: Ground, known: list[Access], workers: int, cache: int) -> dict[str, float]:
    queue = ground.queue(f"caches-{workers}x{cache}")
    made = Made(queues=(queue,), cache=cache, hygiene=False)
    fleet = await asyncio.gather(*(ground.worker(made) for _ in range(workers)))
    clock = asyncio.get_running_loop().time
    began = clock()
    await _play(ground, queue, known)
    seconds = clock() - began
    counted = [await worker.counters() for worker in fleet]
    await asyncio.gather(*(worker.kill() for worker in fleet))
    return {
        "misses": sum(each.get("sticky_cache_miss", 0.0) for each in counted),
        "hits": sum(each.get("sticky_cache_hit", 0.0) for each in counted),
        "replays": sum(each.get("workflow_task_replay_latency_count", 0.0) for each in counted),
        "seconds": seconds,
    }


async def _play(ground: Ground, queue: str, known: list[Access]) -> None:
    """A few at a time, and those of one session one after another."""
    lines = asyncio.Semaphore(AT_ONCE)
    before: dict[int, asyncio.Task[None]] = {}

    async def play(session: int, sooner: asyncio.Task[None] | None) -> None:
        try:
            if sooner is None:
                await _begin(ground, queue, session)
                return
            await sooner
            begun = ground.client.get_workflow_handle(f"{queue}/{session}")
            await begun.execute_update(Session.touch, 0)
        finally:
            lines.release()

    for access in known:
        await lines.acquire()
        before[access.session] = asyncio.create_task(play(access.session, before.get(access.session)))
    await asyncio.gather(*before.values())


async def _begin(ground: Ground, queue: str, session: int) -> None:
    """Start a run and wait for its first task: sent ahead, first tasks would queue up behind those of cached runs."""
    start = WithStartWorkflowOperation(
        Session.run,
        Opening(),
        id=f"{queue}/{session}",
        task_queue=queue,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
    await ground.client.execute_update_with_start_workflow(Session.touch, 0, start_workflow_operation=start)


def _outcome(rows: list[dict[str, Any]], known: list[Access]) -> Outcome:
    errors = [abs(row["predicted"] - row["measured"]) for row in rows]
    of_few = [abs(row["predicted_from_sampled_runs"] - row["measured"]) for row in rows]
    of_lru = [abs(row["exact_lru"] - row["measured"]) for row in rows]
    spreads = {
        together: max(same) - min(same)
        for together in {row["together"] for row in rows}
        if len(same := [row["measured"] for row in rows if row["together"] == together]) > 1
    }
    met = fmean(errors) <= MEAN_BAND and max(errors) <= WORST_BAND and max(spreads.values()) <= SAME_BAND
    return Outcome(
        constants={
            "mean_error": fmean(errors),
            "worst_error": max(errors),
            "worst_difference_at_the_same_workers_times_cache": max(spreads.values()),
        },
        residuals={
            "bias": fmean(row["predicted"] - row["measured"] for row in rows),
            "mean_error_from_sampled_runs": fmean(of_few),
            "mean_error_of_an_exact_lru": fmean(of_lru),
            "spreads": spreads,
        },
        band="mean error ≤ 0.03, worst ≤ 0.08, and ≤ 0.05 between fleets of the same workers × cache",
        met=met,
        why_not="" if met else "see the cells",
        details={
            "cells": rows,
            "accesses": len(known),
            "sessions": len({access.session for access in known}),
            "sampled_runs": SAMPLED_RUNS,
        },
    )


if __name__ == "__main__":
    run("E6", cache_misses)
