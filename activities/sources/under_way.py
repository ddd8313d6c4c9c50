"""Activities that have begun and not ended, from sampled runs of a queue: how many, and since when. Pure.

No history tells that an activity has begun before it ends; the server does, of each run that is asked about. Not all
runs are: what the others run is taken to be like what the sampled ones run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo

from scaler.model.observation import UnderWay

RUNNING = (
    PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED,
)
"""States in which a worker has it; one that waits for its next attempt occupies no slot."""

WATCHED_RUNS = 3
"""Runs with the oldest activities are read again each time: whether these go on is what others wait for."""


@dataclass(frozen=True, slots=True)
class Started:
    """An activity that a worker has; servers before 1.28 name no queue."""

    queue: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """An open run as it was when it was read, and whether it was chosen for what it runs."""

    read_at: datetime
    started: tuple[Started, ...] = ()
    watched: bool = False


def started(pending: Iterable[PendingActivityInfo], read_at: datetime) -> tuple[Started, ...]:
    """Those of a run's pending activities that a worker has."""
    return tuple(
        Started(each.activity_options.task_queue.name, min(each.last_started_time.ToDatetime(read_at.tzinfo), read_at))
        for each in pending
        if each.state in RUNNING
    )


def estimated(queue: str, runs: Sequence[OpenRun], open_runs: int) -> UnderWay | None:
    """How many activities of a queue are under way in all open runs; None where no open run was read.

    Args:
        queue: The activities' queue.
        runs: Open runs that were read lately.
        open_runs: How many there are.

    """
    if not runs and open_runs:
        return None
    watched = [run for run in runs if run.watched]
    others = [run for run in runs if not run.watched]
    part = max((open_runs - len(watched)) / len(others), 1.0) if others else 1.0
    tasks = _tasks(queue, watched) + part * _tasks(queue, others)
    return UnderWay(round(tasks), max((_oldest(queue, run).total_seconds() for run in runs), default=0.0))


def _tasks(queue: str, runs: Iterable[OpenRun]) -> int:
    return sum(each.queue == queue for run in runs for each in run.started)


def _oldest(queue: str, run: OpenRun) -> timedelta:
    return max((run.read_at - each.at for each in run.started if each.queue == queue), default=timedelta(0))
