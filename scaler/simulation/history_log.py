"""What workflow histories would tell of some sessions: the newest tasks of each, written down as they end."""

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from activities.sources.histories import EVENTS_PER_RUN
from scaler.simulation.load import Load
from scaler.simulation.scenario import MetricPath

EVENTS_PER_TASK: Final = 3
"""Scheduled, started, completed."""

TAIL_TASKS: Final = EVENTS_PER_RUN // EVENTS_PER_TASK

BEGUN_PER_READ: Final = 6
"""Followed sessions that begin from one reading to the next: somewhat more than a reading takes of the newest."""


class WorkflowTaskEntry(NamedTuple):
    """An ended workflow task; `replayed_events` is 0 where it was sticky, replay or not, or had no history yet."""

    scheduled_at: float
    waited_seconds: float
    ran_seconds: float
    replayed_events: float
    sticky: bool


class ActivityEntry(NamedTuple):
    """An ended first attempt of an activity."""

    scheduled_at: float
    waited_seconds: float
    ran_seconds: float


@dataclass(slots=True)
class RunTail:
    """The end of one session's history."""

    session: int
    began_at: float
    closed_at: float | None = None
    workflow_tasks: deque[WorkflowTaskEntry] = field(default_factory=lambda: deque(maxlen=TAIL_TASKS // 2))
    activities: deque[ActivityEntry] = field(default_factory=lambda: deque(maxlen=TAIL_TASKS // 2))


class HistoryLog:
    """The tails of every so many-th session, enough to sample from; of none where nobody reads them."""

    def __init__(self, load: Load, path: MetricPath) -> None:
        begun_per_read = load.sessions / load.seconds * path.histories.total_seconds()
        every = max(1, int(begun_per_read / BEGUN_PER_READ))
        read = path.runs_sampled > 0
        self.followed = bytearray(read and session % every == 0 for session in range(load.sessions))
        self._tails: dict[int, RunTail] = {}
        self._begun: list[RunTail] = []  # in this order
        self._closed: list[RunTail] = []

    def workflow_task(self, session: int, entry: WorkflowTaskEntry) -> None:
        """A workflow task of a followed session has ended."""
        tail = self._tails.get(session)
        if tail is None:
            tail = self._tails[session] = RunTail(session, entry.scheduled_at)
            self._begun.append(tail)
        tail.workflow_tasks.append(entry)

    def activity(self, session: int, entry: ActivityEntry) -> None:
        """A first attempt of an activity of a followed session has ended."""
        self._tails[session].activities.append(entry)

    def close(self, session: int, now: float) -> None:
        """A followed session's run has ended."""
        tail = self._tails[session]
        tail.closed_at = now
        self._closed.append(tail)

    def running(self, count: int, before: float = math.inf) -> list[RunTail]:
        """Runs that are open and began before a moment, the newest first."""
        end = bisect_left(self._begun, before, key=lambda tail: tail.began_at)
        open_ones = (self._begun[place] for place in range(end - 1, -1, -1) if self._begun[place].closed_at is None)
        return list(islice(open_ones, count))

    def closed(self, count: int, since: float) -> list[RunTail]:
        """Runs that ended after a moment, the last one first."""
        return [tail for tail in self._closed[-1 : -count - 1 : -1] if (tail.closed_at or 0.0) >= since]
