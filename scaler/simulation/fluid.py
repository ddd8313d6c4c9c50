"""A worker's workflow tasks in steps: short ones are a fluid, long replays share what CPU the short ones leave.

How it deviates from processor sharing: in a step the short tasks come first. They take milliseconds, so that a long
replay hardly notices, and what has to wait for a slot is the same.
"""

import heapq
import math
from collections import deque
from typing import Final

from scaler.simulation.worker import Build, Done, Worker
from scaler.size.queueing import waiting_probability

LEVEL_SECONDS: Final = 20.0
"""Time constant of the load level that the formula for short waits is fed with."""

HIGHEST_UTILISATION: Final = 0.98
"""The formula's end; beyond, tasks wait visibly."""

NEGLIGIBLE: Final = 1e-6

ZOMBIE: Final = -1
"""The turn of a replay that the server has given up: its worker goes on with it and does not know."""


class SteppedWorker(Worker):
    """A worker whose CPU is given out step by step."""

    __slots__ = (
        "_order",
        "_since",
        "_virtual",
        "crowded",
        "gone",
        "load_per_second",
        "replaying",
        "short_seconds",
        "sticky",
        "tasks_per_second",
        "told",
        "unusual",
        "unusual_seconds",
        "usual",
    )

    def __init__(self, build: Build, number: int, cache: int) -> None:
        super().__init__(build, number, cache)
        self.gone = False
        self.crowded = False  # it runs as many workflow tasks as it can
        self.short_seconds = 0.0  # work of short tasks before it
        self.usual = 0  # tasks whose run was in the cache and that found a free slot
        self.told = 0  # how many of them were counted by `learn`
        self.unusual = 0  # other short tasks since then
        self.unusual_seconds = 0.0
        self.load_per_second = 0.0
        self.tasks_per_second = 0.0
        self.replaying: list[list[float]] = []  # heap of virtual end, order, turn, start
        self.sticky: deque[tuple[float, int]] = deque()  # since when, and which turn
        self._virtual = 0.0
        self._order = 0
        self._since = math.inf  # no replay that anybody waits for began before

    @property
    def short_task_seconds(self) -> float:
        """Mean work of a short task, as far as it is known."""
        return self.load_per_second / self.tasks_per_second if self.tasks_per_second > NEGLIGIBLE else 0.0

    def running(self, step_seconds: float) -> int:
        """Workflow tasks that occupy a slot; of the short ones what is more than a step's work, or the load's mean."""
        short, over = self.short_task_seconds, self.short_seconds - step_seconds * self.build.workflow_cores
        if over > 0 and short > 0:
            queued = math.ceil(over / short)
        else:
            utilisation = min(self.load_per_second / self.build.workflow_cores, HIGHEST_UTILISATION)
            queued = int(utilisation / (1 - utilisation))
        return min(self.concurrency, len(self.replaying) + queued)

    @property
    def idle(self) -> bool:
        """Whether nothing runs on it."""
        return not self.busy and not self.replaying and self.short_seconds <= 0

    def take_short(self, seconds: float) -> None:
        """A short task begins that is not as usual."""
        self.short_seconds += seconds
        self.unusual_seconds += seconds
        self.unusual += 1

    def take_replay(self, turn: int, seconds: float, now: float) -> None:
        """A replay begins that lasts for more than a step."""
        self._order += 1
        self._since = min(self._since, now)
        heapq.heappush(self.replaying, [self._virtual + seconds, self._order, turn, now])
        self.crowded = len(self.replaying) >= self.concurrency

    def work(self, step_seconds: float) -> list[int]:
        """One step of CPU time; the turns whose replay has ended in it."""
        cores = self.build.workflow_cores
        left = cores * step_seconds
        short = min(self.short_seconds, left)
        self.short_seconds -= short
        left = min(left - short, len(self.replaying) * step_seconds)
        ended = []
        while self.replaying and left > 0:
            to_first_end = (self.replaying[0][0] - self._virtual) * len(self.replaying)
            if to_first_end > left:
                self._virtual += left / len(self.replaying)
                break
            left -= to_first_end
            end, _, turn, _ = heapq.heappop(self.replaying)
            self._virtual = end
            ended.append(int(turn))
        short_ones = self.short_seconds / max(self.short_task_seconds, self.build.task_cpu_seconds)
        self.crowded = len(self.replaying) + short_ones >= self.concurrency
        return ended

    def given_up(self, now: float, after_seconds: float) -> list[int]:
        """The turns whose replay has lasted for so long that the server waits no more; the worker goes on with it."""
        if now - self._since < after_seconds:
            return []
        awaited = [entry for entry in self.replaying if entry[2] != ZOMBIE]
        self._since = min((entry[3] for entry in awaited if now - entry[3] < after_seconds), default=math.inf)
        given_up = []
        for entry in awaited:
            if now - entry[3] >= after_seconds:
                given_up.append(int(entry[2]))
                entry[2] = ZOMBIE
        return given_up

    def learn(self, seconds: float) -> int:
        """So many seconds are over; how many short tasks began in them."""
        usual = self.usual - self.told
        came, came_seconds = usual + self.unusual, usual * self.build.task_cpu_seconds + self.unusual_seconds
        weight = 1 - math.exp(-seconds / LEVEL_SECONDS)
        self.load_per_second += weight * (came_seconds / seconds - self.load_per_second)
        self.tasks_per_second += weight * (came / seconds - self.tasks_per_second)
        self.told, self.unusual, self.unusual_seconds = self.usual, 0, 0.0
        return came

    def done(self) -> Done:
        """Its counters, with the usual tasks: those are in none of the others."""
        counted, usual = super().done(), self.usual
        return counted._replace(
            workflow_tasks=counted.workflow_tasks + usual,
            hits=counted.hits + usual,
            cpu_seconds=counted.cpu_seconds + usual * self.build.task_cpu_seconds,
        )

    def late_share(self, objective_seconds: float) -> float:
        """Which part of the short tasks that found their worker with room still waited for longer than that.

        Where `slots` tasks at most share the cores, one more has to wait with probability
        ErlangC · utilisation ** (slots - cores), and slots come free as fast as spare capacity allows: an M/M/c queue
        and, since processor sharing does not mind how long tasks are, any other. The replays hold their slots.
        """
        cores, slots = self.build.workflow_cores, self.concurrency - len(self.replaying)
        utilisation = min(self.load_per_second / cores, HIGHEST_UTILISATION)
        if utilisation <= 0 or slots < 1:
            return 0.0
        beyond = utilisation ** max(slots - cores, 0.0)
        if beyond < NEGLIGIBLE:
            return 0.0
        waits = waiting_probability(max(1, round(cores)), utilisation * max(1, round(cores))) * beyond
        spare_per_second = (1 - utilisation) * cores / max(self.short_task_seconds, NEGLIGIBLE)
        return float(waits * math.exp(-spare_per_second * objective_seconds))
