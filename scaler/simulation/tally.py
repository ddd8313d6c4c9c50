"""Counts what became of every task while a world runs: how long it waited, and whether that was too long."""

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

MINUTE: Final = 60.0

WAIT_EDGES_SECONDS: Final[tuple[float, ...]] = tuple(0.001 * 10 ** (step / 10) for step in range(71))
"""Upper edges of the wait histogram: ten buckets per decade from 1 ms to 10 000 s; one more is open."""


@dataclass(slots=True)
class Waits:
    """Schedule-to-start times of one task type, by the minute in which a task was scheduled; the last has all later.

    Counts are weights: the stepped world knows only with which probability a task was late.
    """

    objective_seconds: float
    minutes: int
    started: list[float] = field(init=False)
    late: list[float] = field(init=False)
    count: int = 0
    total_seconds: float = 0.0  # of all waits
    histogram: list[float] = field(default_factory=lambda: [0.0] * (len(WAIT_EDGES_SECONDS) + 1))

    def __post_init__(self) -> None:
        self.started = [0.0] * (self.minutes + 1)
        self.late = [0.0] * (self.minutes + 1)

    def add(self, scheduled_at: float, waited_seconds: float) -> None:
        """One task was started."""
        minute = min(int(scheduled_at / MINUTE), self.minutes)
        self.started[minute] += 1
        self.count += 1
        self.total_seconds += waited_seconds
        if waited_seconds > self.objective_seconds:
            self.late[minute] += 1
        self.histogram[bisect_left(WAIT_EDGES_SECONDS, waited_seconds)] += 1

    def add_many(self, scheduled_at: float, waited_seconds: float, count: int, late_share: float = 0.0) -> None:
        """So many tasks were started after about the same wait, and a part of them late."""
        minute = min(int(scheduled_at / MINUTE), self.minutes)
        self.started[minute] += count
        self.count += count
        self.total_seconds += count * waited_seconds
        self.late[minute] += count * late_share
        self.histogram[bisect_left(WAIT_EDGES_SECONDS, waited_seconds)] += count

    def add_unstarted(self, scheduled_at: float, waited_seconds: float) -> None:
        """A task still waits at the end: it is late if it is already; else nobody knows, and it does not count."""
        if waited_seconds > self.objective_seconds:
            self.add(scheduled_at, waited_seconds)

    def percentile_seconds(self, percentile: float) -> float:
        """An upper bound of the wait's percentile, exact to a bucket; 0 where no task was started."""
        wanted = sum(self.histogram) * percentile / 100
        if wanted == 0:
            return 0.0
        bucket = bisect_left(list(accumulate(self.histogram)), wanted)
        return WAIT_EDGES_SECONDS[bucket] if bucket < len(WAIT_EDGES_SECONDS) else math.inf


@dataclass(slots=True)
class Tally:
    """Everything that is counted while a world runs."""

    workflow: Waits
    activity: Waits
    answered: int = 0  # turns
    failed: int = 0
    turn_seconds: list[float] = field(default_factory=list)  # from a turn's arrival to its answer
    replays: int = 0
    replay_seconds: float = 0.0  # CPU time
    lost_workflow_tasks: int = 0  # died with their worker, or ran into their timeout
    lost_activities: int = 0
    sticky_timeouts: int = 0
    largest_memory_bytes: float = 0.0  # of any worker at any time
