"""E5b: what histories tell of replays after evictions: `python -m benchmarks.calibration.replay_told`.

One worker, a cache that holds fewer runs than are used, and no worker that ever leaves: every replay hides among the
sticky tasks. What the product makes of the histories and of the share of misses is held against what is known here of
every single task, because an LRU that is used by one task at a time is exact.
"""

import random
from collections import OrderedDict
from collections.abc import Sequence
from statistics import fmean
from typing import Any, Final

from temporalio.client import WorkflowHandle

from activities.sources.history_events import WorkflowTaskSample, sampled
from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Opening, Session
from benchmarks.calibration.subject import Made
from scaler.learn.replay_cost import sticky_tasks, task_cost
from scaler.model.observation import ReplaySeen

RUNS: Final = 60
STEPS: Final = 12
CACHE: Final = 25
TOUCHES: Final = 600
AGAIN: Final = 0.7
"""Part of the touches that go to one of the runs used last; the others go to any."""

NEAR: Final = 8
BAND: Final = 0.3

Handle = WorkflowHandle[Session, int]


async def replay_told(ground: Ground) -> Outcome:
    """Build runs, touch them at random, and read their histories."""
    queue = ground.queue("told")
    worker = await ground.worker(Made(queues=(queue,), cache=CACHE))
    handles = [
        await ground.client.start_workflow(
            Session.run, Opening(steps=STEPS, payload_bytes=100), id=f"{queue}/{number}", task_queue=queue
        )
        for number in range(RUNS)
    ]
    for handle in handles:
        await handle.execute_update(Session.touch, 0)
    before = await worker.counters()
    order = _order(random.Random(1))  # noqa: S311 (no secret)
    for place in order:
        await handles[place].execute_update(Session.touch, 0)
    counted = await worker.counters()
    hits, misses = (counted[name] - before.get(name, 0.0) for name in ("sticky_cache_hit", "sticky_cache_miss"))
    tasks = [await _touches(handle, order.count(place)) for place, handle in enumerate(handles)]
    return _outcome(order, tasks, misses / (hits + misses))


def _order(chance: random.Random) -> list[int]:
    """Which run is touched, one after another."""
    used: list[int] = list(range(RUNS))
    for _ in range(TOUCHES):
        used.append(chance.choice(used[-NEAR:]) if chance.random() < AGAIN else chance.randrange(RUNS))
    return used[RUNS:]


async def _touches(handle: Handle, count: int) -> Sequence[WorkflowTaskSample]:
    """The workflow tasks of a run's last touches."""
    events = (await handle.fetch_history()).events
    tasks = sorted(sampled(events).workflow_tasks, key=lambda task: task.scheduled_at)
    return tasks[len(tasks) - count :]


def _outcome(order: Sequence[int], tasks: Sequence[Sequence[WorkflowTaskSample]], missed: float) -> Outcome:
    found = _found(order)
    every = [(task, each) for own, hit in zip(tasks, found, strict=True) for task, each in zip(own, hit, strict=True)]
    hit_seconds = fmean(task.ran_seconds for task, hit in every if hit)
    true_seconds = fmean(task.ran_seconds for task, hit in every if not hit) - hit_seconds
    sticky = [task for task, _ in every if task.sticky]
    told = sticky_tasks((task.gap_seconds, task.ran_seconds) for task in sticky if task.gap_seconds is not None)
    mean_seconds = fmean(task.ran_seconds for task in sticky)
    cost = task_cost(
        ReplaySeen(
            sticky_samples=len(sticky),
            sticky_seconds=mean_seconds,
            hit_samples=told.hit_samples,
            hit_seconds=told.hit_seconds,
            slow_samples=told.slow_samples,
            slow_seconds=told.slow_seconds,
        ),
        missed,
    )
    error = cost.replay_seconds / true_seconds - 1 if cost.replay_seconds is not None else -1.0
    return Outcome(
        constants={"replay_seconds": true_seconds, "hit_seconds": hit_seconds, "miss_share": missed},
        residuals={"replay_told_error": error, "hit_told_error": (cost.hit_seconds or 0.0) / hit_seconds - 1},
        band="a replay's cost is told within ±30 %",
        met=abs(error) <= BAND,
        why_not="" if abs(error) <= BAND else "see the error",
        details=_details(every, told.slow_samples, (mean_seconds - hit_seconds) / missed),
    )


def _details(every: Sequence[tuple[WorkflowTaskSample, bool]], slow_samples: int, by_mean: float) -> dict[str, Any]:
    return {
        "tasks": len(every),
        "misses_of_an_exact_lru": sum(not hit for _, hit in every),
        "not_sticky": sum(not task.sticky for task, _ in every),
        "slow_tasks_told": slow_samples,
        "replay_seconds_by_mean_and_share": by_mean,
    }


def _found(order: Sequence[int]) -> list[list[bool]]:
    """Of each run's touches, whether it was cached; the first round left the last runs in the cache."""
    cache: OrderedDict[int, None] = OrderedDict.fromkeys(range(RUNS - CACHE, RUNS))
    found: list[list[bool]] = [[] for _ in range(RUNS)]
    for place in order:
        found[place].append(place in cache)
        cache[place] = None
        cache.move_to_end(place)
        if len(cache) > CACHE:
            cache.popitem(last=False)
    return found


if __name__ == "__main__":
    run("E5b", replay_told)
