"""What sampled histories tell: task times, the cost of replays, and how soon runs are used again.

The same figures as `activities.sources.histories` computes (a test holds the two together), from the same choice of
runs, in arrays: the production source keeps moments and is asked a few times a minute, not two hundred times a second.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from activities.sources.history_figures import FEWEST_WAITS, LATENCY_WINDOW, LONGEST_PERCENTILE, SERVICE_WINDOW
from activities.sources.samples import KEPT_RUNS, KEPT_TASKS
from scaler.learn.replay_cost import sticky_tasks
from scaler.model.common import Quality, TaskType
from scaler.model.observation import GAP_EDGES_SECONDS, ReplaySeen, TaskTimesSeen
from scaler.simulation.catalogue import QUEUE
from scaler.simulation.clock import moment
from scaler.simulation.history_log import HistoryLog, RunTail
from scaler.simulation.scenario import MetricPath, SignalName
from scaler.simulation.visibility import Darkness

CLOSED_SHARE: Final = 0.3
NEWEST_SHARE: Final = 0.4
"""Of the runs of one reading; the rest began before a random moment. See `_QUERIES` of the production source."""

_LATENCY_SECONDS: Final = LATENCY_WINDOW.total_seconds()
_SERVICE_SECONDS: Final = SERVICE_WINDOW.total_seconds()
_EDGES: Final = np.array(GAP_EDGES_SECONDS)

Floats = NDArray[np.float64]


class _Kept:
    """The newest rows of figures."""

    def __init__(self, columns: int) -> None:
        self._rows = np.zeros((KEPT_TASKS, columns))
        self._count = 0

    def add(self, rows: list[tuple[float, ...]]) -> None:
        for row in rows[-KEPT_TASKS:]:
            self._rows[self._count % KEPT_TASKS] = row
            self._count += 1

    @property
    def rows(self) -> Floats:
        return self._rows[: min(self._count, KEPT_TASKS)]


@dataclass(frozen=True, slots=True)
class _Run:
    """What is kept of one run as it was when it was read: gaps in buckets, how long it was silent, whether over."""

    gaps: Floats
    silence_seconds: float
    closed: bool


class Histories:
    """Samples of the runs that a log follows."""

    def __init__(self, log: HistoryLog, path: MetricPath, percentile: float, rng: np.random.Generator) -> None:
        self._log = log
        self._path = path
        self._percentile = percentile
        self._rng = rng
        self._darkness = Darkness(path.blackouts)
        self._read_at = -math.inf
        self._workflow_tasks = _Kept(6)
        self._activities = _Kept(3)
        self._known_until: OrderedDict[int, float] = OrderedDict()
        self._runs: OrderedDict[int, _Run] = OrderedDict()
        self._task_times: tuple[TaskTimesSeen, ...] = ()
        self._replay = ReplaySeen()

    @property
    def task_times(self) -> tuple[TaskTimesSeen, ...]:
        """Waits of the last minutes, service times of the last quarter of an hour."""
        return self._task_times

    @property
    def replay(self) -> ReplaySeen:
        """What a replay costs, and how soon runs are used again."""
        return self._replay

    def sample(self, now: float) -> None:
        """Read some runs if that is due."""
        due = now - self._read_at >= self._path.histories.total_seconds()
        if not due or not self._path.runs_sampled or self._darkness.hides(SignalName.HISTORIES, now):
            return
        self._read_at = now
        for tail in self._chosen(now):
            self._add(tail, now)
        self._task_times = self._times()
        self._replay = self._replay_seen()

    def _chosen(self, now: float) -> list[RunTail]:
        count = self._path.runs_sampled
        closed, newest = round(CLOSED_SHARE * count), round(NEWEST_SHARE * count)
        before = now - float(self._rng.exponential(_SERVICE_SECONDS))
        tails = [
            *self._log.closed(closed, now - _LATENCY_SECONDS),
            *self._log.running(newest),
            *self._log.running(count - closed - newest, before),
        ]
        return list({tail.session: tail for tail in tails}.values())

    def _add(self, tail: RunTail, now: float) -> None:
        known_until = self._known_until.pop(tail.session, -math.inf)
        scheduled = [task.scheduled_at for task in tail.workflow_tasks]
        gaps = np.diff(scheduled)
        placed = zip(tail.workflow_tasks, (math.nan, *gaps), strict=True)
        self._workflow_tasks.add([(*task, gap) for task, gap in placed if task.scheduled_at > known_until])
        self._activities.add([task for task in tail.activities if task.scheduled_at > known_until])
        newest_at = max(scheduled, default=known_until)
        self._known_until[tail.session] = newest_at
        self._runs.pop(tail.session, None)
        self._runs[tail.session] = _Run(_in_buckets(gaps), now - newest_at, tail.closed_at is not None)
        while len(self._runs) > KEPT_RUNS:
            session, _ = self._runs.popitem(last=False)
            del self._known_until[session]

    def _times(self) -> tuple[TaskTimesSeen, ...]:
        return (
            _task_times(TaskType.WORKFLOW, self._workflow_tasks.rows, self._percentile),
            _task_times(TaskType.ACTIVITY, self._activities.rows, self._percentile),
        )

    def _replay_seen(self) -> ReplaySeen:
        tasks = self._workflow_tasks.rows
        if not len(tasks):
            return ReplaySeen()
        newest = float(tasks[:, 0].max())
        recent = tasks[newest - tasks[:, 0] <= _SERVICE_SECONDS]
        ran, events, sticky = recent[:, 2], recent[:, 3], recent[:, 4] > 0
        replayed = events > 0
        told = sticky_tasks(recent[sticky & ~np.isnan(recent[:, 5])][:, (5, 2)].tolist())
        runs = self._runs.values()
        silences = np.array([run.silence_seconds for run in runs if not run.closed])
        return ReplaySeen(
            at=moment(newest),
            quality=Quality.FRESH,
            sticky_samples=int(sticky.sum()),
            sticky_seconds=float(ran[sticky].mean()) if sticky.any() else None,
            hit_samples=told.hit_samples,
            hit_seconds=told.hit_seconds,
            slow_samples=told.slow_samples,
            slow_seconds=told.slow_seconds,
            normal_samples=int(replayed.sum()),
            normal_seconds=float(ran[replayed].mean()) if replayed.any() else None,
            events=float(events[replayed].mean()) if replayed.any() else None,
            gaps=_counts(np.sum([run.gaps for run in runs], axis=0)),
            silences=_counts(_in_buckets(silences)),
            closed=sum(run.closed for run in runs),
        )


def _task_times(task_type: TaskType, rows: Floats, percentile: float) -> TaskTimesSeen:
    if not len(rows):
        return TaskTimesSeen(queue=QUEUE, task_type=task_type)
    newest = float(rows[:, 0].max())
    ages = newest - rows[:, 0]
    waits = np.sort(rows[ages <= _LATENCY_SECONDS, 1])
    ran = rows[ages <= _SERVICE_SECONDS, 2]
    mean = float(ran.mean())
    return TaskTimesSeen(
        at=moment(newest),
        quality=Quality.FRESH if len(waits) >= FEWEST_WAITS else Quality.STALE,
        queue=QUEUE,
        task_type=task_type,
        samples=len(ran),
        schedule_to_start_seconds=float(waits[min(len(waits) - 1, math.ceil(len(waits) * percentile / 100) - 1)]),
        service_mean_seconds=mean,
        service_scv=float(ran.var()) / mean**2 if mean > 0 else None,
        longest_seconds=float(np.sort(ran)[min(len(ran) - 1, math.ceil(len(ran) * LONGEST_PERCENTILE / 100) - 1)]),
    )


def _in_buckets(times_seconds: Floats) -> Floats:
    return np.bincount(np.searchsorted(_EDGES, times_seconds, side="left"), minlength=len(_EDGES) + 1).astype(float)


def _counts(buckets: Floats) -> tuple[int, ...]:
    return tuple(buckets.astype(int).tolist())
