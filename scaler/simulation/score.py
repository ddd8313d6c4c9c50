"""What one run came to, in figures. Shares are weighted by tasks; minutes, hours and counts say what they count."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from statistics import fmean
from typing import Any, Final

import numpy as np

from scaler.model.observation import ExitReason, WorkerExit
from scaler.simulation.clock import elapsed
from scaler.simulation.simulated_platform import SizeChange
from scaler.simulation.tally import MINUTE, Tally, Waits

REVERSAL_SECONDS: Final = 600.0

WORST: Final = ("oom_kills", "oom_kills_after_first_decision", "max_memory_fraction")
"""Over several seeds the maximum of these counts, of all others the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The figures of one run. What concerns waiting and size is counted after the warm-up, kills and memory always."""

    oom_kills: int
    oom_kills_after_first_decision: int
    """Of these, after the first decision that was made on something seen after the first kill."""
    slo_violation_minutes: float
    """Minutes in which more tasks of a type waited too long than the objective's percentile allows."""
    slo_violation_task_share: float
    """Tasks that waited longer than their objective, of all workflow tasks and activities."""
    workflow_violation_share: float
    activity_violation_share: float
    workflow_wait_p95_seconds: float
    workflow_wait_p99_seconds: float
    activity_wait_p95_seconds: float
    activity_wait_p99_seconds: float
    turn_p95_seconds: float
    worker_hours: float
    size_changes: int
    """Changes of the worker count."""
    cache_rollouts: int
    reversals_10m: int
    """Changes of the count against the direction of the one before it, within ten minutes of that."""
    replays: int
    replay_seconds: float
    """CPU time of replays."""
    max_memory_fraction: float
    """Most memory of any worker, of its limit."""
    turns: int
    turns_answered: int
    turns_failed: int
    lost_activities: int
    lost_workflow_tasks: int
    sticky_timeouts: int
    lost_caches: int
    """Workers whose cache was lost with them, for whatever reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is kept of a run until it is scored."""

    tally: Tally
    turns: int
    exits: Sequence[WorkerExit]
    changes: Sequence[SizeChange]
    decided_on: Sequence[tuple[float, float]]  # when something was decided, and when what it rests on was seen
    worker_seconds: float
    memory_limit_bytes: float
    percentile: float
    warm_up_seconds: float


def scored(account: Account) -> Score:
    """Score one run."""
    tally, warm_up = account.tally, int(account.warm_up_seconds / MINUTE)
    kills = [elapsed(ended.at) for ended in account.exits if ended.reason is ExitReason.OOM_KILLED]
    changes = [change for change in account.changes if change.at >= account.warm_up_seconds]
    moves = [(change.at, change.after.workers - change.before.workers) for change in changes]
    moves = [move for move in moves if move[1]]
    waits = (tally.workflow, tally.activity)
    return Score(
        oom_kills=len(kills),
        oom_kills_after_first_decision=_after_first_decision(kills, account.decided_on),
        slo_violation_minutes=float(_late_minutes(waits, account.percentile, warm_up)),
        slo_violation_task_share=_late_share(waits, warm_up),
        workflow_violation_share=_late_share(waits[:1], warm_up),
        activity_violation_share=_late_share(waits[1:], warm_up),
        workflow_wait_p95_seconds=tally.workflow.percentile_seconds(95),
        workflow_wait_p99_seconds=tally.workflow.percentile_seconds(99),
        activity_wait_p95_seconds=tally.activity.percentile_seconds(95),
        activity_wait_p99_seconds=tally.activity.percentile_seconds(99),
        turn_p95_seconds=float(np.percentile(tally.turn_seconds, 95)) if tally.turn_seconds else 0.0,
        worker_hours=account.worker_seconds / 3600,
        size_changes=len(moves),
        cache_rollouts=sum(change.after.cache != change.before.cache for change in account.changes),
        reversals_10m=_reversals(moves),
        replays=tally.replays,
        replay_seconds=tally.replay_seconds,
        max_memory_fraction=tally.largest_memory_bytes / account.memory_limit_bytes,
        turns=account.turns,
        turns_answered=tally.answered,
        turns_failed=tally.failed,
        lost_activities=tally.lost_activities,
        lost_workflow_tasks=tally.lost_workflow_tasks,
        sticky_timeouts=tally.sticky_timeouts,
        lost_caches=len(account.exits),
    )


def over_seeds(scores: Sequence[Score]) -> dict[str, Any]:
    """Means over seeds, but the worst of kills and memory."""
    rows = [asdict(score) for score in scores]
    names = [each.name for each in fields(Score)]
    return {name: (max if name in WORST else fmean)([row[name] for row in rows]) for name in names}


def _after_first_decision(kills: Sequence[float], decided_on: Sequence[tuple[float, float]]) -> int:
    if not kills:
        return 0
    first = min((at for at, seen_at in decided_on if seen_at >= kills[0]), default=float("inf"))
    return sum(kill > first for kill in kills)


def _late_minutes(waits: Sequence[Waits], percentile: float, warm_up: int) -> int:
    allowed = 1 - percentile / 100
    minutes = range(warm_up, len(waits[0].started))
    return sum(any(each.late[minute] > allowed * each.started[minute] for each in waits) for minute in minutes)


def _late_share(waits: Sequence[Waits], warm_up: int) -> float:
    started = sum(sum(each.started[warm_up:]) for each in waits)
    return sum(sum(each.late[warm_up:]) for each in waits) / started if started else 0.0


def _reversals(moves: Sequence[tuple[float, int]]) -> int:
    return sum(
        (earlier > 0) != (later > 0) and at - before <= REVERSAL_SECONDS
        for (before, earlier), (at, later) in pairwise(moves)
    )
