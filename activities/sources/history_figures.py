"""Figures from sampled histories: waits, service times, the cost of replays, how soon runs are used again. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import timedelta
from statistics import fmean

from activities.sources.samples import Samples
from scaler.learn.nearest_rank import nearest_rank
from scaler.learn.replay_cost import sticky_tasks
from scaler.model.common import Quality, TaskType
from scaler.model.observation import GAP_EDGES_SECONDS, ReplaySeen, TaskTimesSeen

LATENCY_WINDOW = timedelta(minutes=2)
SERVICE_WINDOW = timedelta(minutes=15)
FEWEST_WAITS = 5
"""With fewer recent tasks a percentile is an anecdote."""

LONGEST_PERCENTILE = 99.5
"""Of service times; the very longest of thousands says nothing of the others."""


def task_times(samples: Iterable[Samples], queue: str, task_type: TaskType, percentile: float) -> TaskTimesSeen:
    """Waits of the last minutes, service times of the last quarter of an hour."""
    tasks = [task for each in samples for task in each.tasks(queue, task_type)]
    newest = max((task.scheduled_at for task in tasks), default=None)
    if newest is None:
        return TaskTimesSeen(queue=queue, task_type=task_type)
    recent = [task for task in tasks if newest - task.scheduled_at <= LATENCY_WINDOW]
    waits = sorted(task.waited_seconds for task in recent if task.waited_seconds is not None)
    ran = [task.ran_seconds for task in tasks if newest - task.scheduled_at <= SERVICE_WINDOW]
    mean = fmean(ran)
    variance = fmean((each - mean) ** 2 for each in ran)
    return TaskTimesSeen(
        at=newest,
        quality=Quality.FRESH if len(recent) >= FEWEST_WAITS else Quality.STALE,
        queue=queue,
        task_type=task_type,
        samples=len(ran),
        schedule_to_start_seconds=nearest_rank(waits, percentile),
        service_mean_seconds=mean,
        service_scv=variance / mean**2 if mean > 0 else None,
        longest_seconds=nearest_rank(ran, LONGEST_PERCENTILE),
    )


def replay_seen(samples: Sequence[Samples]) -> ReplaySeen:
    """What replays cost, and how soon runs are used again."""
    tasks = [task for each in samples for task in each.workflow_tasks]
    if not tasks:
        return ReplaySeen()
    newest = max(task.scheduled_at for task in tasks)
    recent = [task for task in tasks if newest - task.scheduled_at <= SERVICE_WINDOW]
    sticky = [task for task in recent if task.sticky]
    replayed = [task for task in recent if task.replayed_events]
    told = sticky_tasks((task.gap_seconds, task.ran_seconds) for task in sticky if task.gap_seconds is not None)
    runs = [run for each in samples for run in each.runs.values()]
    silences = (run.silence_seconds for run in runs)
    return ReplaySeen(
        at=newest,
        quality=Quality.FRESH,
        sticky_samples=len(sticky),
        sticky_seconds=fmean(task.ran_seconds for task in sticky) if sticky else None,
        hit_samples=told.hit_samples,
        hit_seconds=told.hit_seconds,
        slow_samples=told.slow_samples,
        slow_seconds=told.slow_seconds,
        normal_samples=len(replayed),
        normal_seconds=fmean(task.ran_seconds for task in replayed) if replayed else None,
        events=fmean(task.replayed_events for task in replayed) if replayed else None,
        gaps=_in_buckets(gap for run in runs for gap in run.sample.gaps_seconds),
        silences=_in_buckets(silence for silence in silences if silence is not None),
        closed=sum(run.sample.closed for run in runs),
    )


def _in_buckets(times_seconds: Iterable[float]) -> tuple[int, ...]:
    counts = [0] * (len(GAP_EDGES_SECONDS) + 1)
    for time_seconds in times_seconds:
        counts[bisect_left(GAP_EDGES_SECONDS, time_seconds)] += 1
    return tuple(counts)
