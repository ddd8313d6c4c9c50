"""What every simulated world has in common: turns of sessions, a platform of workers, and two task queues.

A turn is a chain of workflow tasks with activities between them; a session has one turn at a time. How time passes
is what the worlds differ in: `events` knows every moment, `steps` counts in steps and is faster.
"""

from abc import ABC, abstractmethod
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Generic, TypeVar

from scaler.model.common import TaskType
from scaler.model.observation import ExitReason
from scaler.simulation.draws import Stream, generator
from scaler.simulation.history_log import HistoryLog
from scaler.simulation.load import Load
from scaler.simulation.scenario import Scenario
from scaler.simulation.simulated_platform import Platform
from scaler.simulation.tally import MINUTE, Tally, Waits
from scaler.simulation.worker import Build, Worker

STICKY_TIMEOUT_SECONDS: Final = 10.0
"""How long a workflow task waits in a sticky queue; Python's default (temporal.md §3.4)."""

POLLER_GONE_SECONDS: Final = 10.0
"""For how long after its last poll the server takes a worker that was killed for alive (temporal.md §3.4)."""

WORKFLOW_TASK_TIMEOUT_SECONDS: Final = 10.0

WARM_FRACTION: Final = 0.6
"""Caches are found filled up to this part of the memory limit at most."""

NOBODY: Final = -1
"""From here down, the runs of sessions that nobody comes back to."""

Kind = TypeVar("Kind", bound=Worker)


@dataclass(slots=True)
class QueueFigures:
    """What the server knows of one task queue and type: sticky workflow tasks are in none of it."""

    added: int = 0  # since the start
    dispatched: int = 0
    unmatched: int = 0  # added when no poll was waiting
    waiting: int = 0
    oldest_at: float | None = None  # when the one that waits longest was scheduled
    rate_limited: bool = False


class World(ABC, Generic[Kind]):
    """A fleet at work. Times are seconds from the start.

    Args:
        scenario: What is declared.
        load: What comes from outside.
        seed: For what only happens inside: start-up times.

    """

    def __init__(self, scenario: Scenario, load: Load, seed: int) -> None:
        workload = scenario.workload
        self.now = 0.0
        self.scenario, self.load = scenario, load
        self.tally = _tally(scenario, load)
        self.log = HistoryLog(load, scenario.metrics)
        self.platform: Platform[Kind] = Platform(scenario, self.make, generator(seed, Stream.PLATFORM))
        self.build = Build.of(scenario.platform, workload)
        self._limit = float(scenario.platform.memory.limit)
        self._task_cpu = workload.workflow_task_cpu.total_seconds()
        self._tasks = workload.turn.workflow_tasks
        self._activities = workload.turn.activities
        self._groups = _groups(self._tasks, self._activities)
        self._closes = workload.sessions.closes
        replay = workload.replay
        self._replay_first = replay.cpu.total_seconds()
        self._replay_event = replay.per_event.total_seconds()
        self._events_of_task = workload.turn.events / self._tasks
        self._at: list[float] = load.at.tolist()
        self._session: list[int] = load.session.tolist()
        self._last: list[bool] = load.last.tolist()
        self._events: list[int] = load.events.tolist()
        self._state_bytes: list[float] = load.state_bytes.tolist()
        count = len(load)
        self._stage = [0] * count  # the workflow task of its chain that a turn has come to
        self._left = [0] * count  # activities that have to end before the next one
        self._attempts: defaultdict[int, int] = defaultdict(int)  # of activities that were lost
        self._over = bytearray(count)  # turns that were answered or have failed
        self._home: list[Kind | None] = [None] * load.sessions  # whose sticky queue a session's tasks go to
        self._turn_of: list[int] = [-1] * load.sessions  # the turn that a session is at
        self._pending: defaultdict[int, deque[int]] = defaultdict(deque)  # turns that wait for their session
        self.platform.begin(self, scenario.start.workers)
        if scenario.start.warm:
            self._warm_up()

    @abstractmethod
    def make(self, number: int, cache: int) -> Kind:
        """A worker of this world's kind."""

    @abstractmethod
    def advance(self, to: float) -> None:
        """Let time pass."""

    @abstractmethod
    def figures(self, task_type: TaskType) -> QueueFigures:
        """What the server knows of a queue now."""

    @abstractmethod
    def workflow_slots_used(self, worker: Kind) -> int:
        """Workflow tasks that a worker runs now."""

    @abstractmethod
    def opened(self, worker: Kind) -> None:
        """See `Floor`."""

    @abstractmethod
    def closed(self, worker: Kind) -> None:
        """See `Floor`."""

    @abstractmethod
    def lost(self, worker: Kind) -> None:
        """See `Floor`."""

    @abstractmethod
    def finish(self) -> None:
        """Count the tasks that still wait at the end."""

    @abstractmethod
    def _schedule_workflow_task(self, turn: int) -> None:
        """A turn's next workflow task comes to be."""

    def _warm_up(self) -> None:
        """Fill the caches as those of a fleet that has been running: idle runs, and the open sessions on top.

        Idle runs are sessions that nobody comes back to; they are there where runs do not close.
        """
        workers = self.platform.workers
        sessions, sizes = self.load.open_sessions.tolist(), self.load.open_bytes.tolist()
        mean_bytes = sum(sizes) / len(sizes) if sizes else 0.0
        if not workers or not mean_bytes:
            return
        room = (WARM_FRACTION * self._limit - self.build.memory.base) / mean_bytes
        places = min(self.platform.cache, int(room))
        for worker in workers if not self._closes else ():
            for idle in range(places):
                worker.load(NOBODY - idle, mean_bytes)
        for place, (session, size_bytes) in enumerate(zip(sessions, sizes, strict=True)):
            worker = workers[place % len(workers)]
            if len(worker.runs) >= places:
                worker.forget(next(iter(worker.runs)))
            worker.load(session, size_bytes)
            self._home[session] = worker

    def _begin_turn(self, turn: int) -> None:
        """A turn has arrived; while its session is at another, it waits."""
        session = self._session[turn]
        if self._turn_of[session] >= 0:
            self._pending[session].append(turn)
            return
        self._turn_of[session] = turn
        self._schedule_workflow_task(turn)

    def _end_turn(self, turn: int, *, answered: bool) -> None:
        """A turn is over, and its session takes up the next."""
        session = self._session[turn]
        self._over[turn] = 1
        if answered:
            self.tally.answered += 1
            self.tally.turn_seconds.append(self.now - self._at[turn])
        else:
            self.tally.failed += 1
        if self._closes and self._last[turn]:
            self._close_run(session)
        self._turn_of[session] = -1
        if self._pending and (pending := self._pending.get(session)):
            following = pending.popleft()
            self._turn_of[session] = following
            self._schedule_workflow_task(following)

    def _close_run(self, session: int) -> None:
        home = self._home[session]
        if home is not None:
            home.evict(session)
        if self.log.followed[session]:
            self.log.close(session, self.now)

    def _replay_seconds(self, turn: int) -> float:
        """CPU time to replay a turn's run up to its present workflow task; a new run has nothing to replay."""
        events = self._history_events(turn)
        return self._replay_first + self._replay_event * events if events else 0.0

    def _history_events(self, turn: int) -> float:
        """Length of the history of a turn's run at its present workflow task."""
        return self._events[turn] + self._stage[turn] * self._events_of_task

    def _count_replay(self, worker: Kind, seconds: float) -> None:
        if seconds:
            worker.replays += 1
            worker.replay_seconds += seconds
            self.tally.replays += 1
            self.tally.replay_seconds += seconds

    def _kill_if_full(self, worker: Kind) -> bool:
        """Kill a worker that is over its memory limit; whether it was."""
        memory = worker.memory_bytes()
        self.tally.largest_memory_bytes = max(self.tally.largest_memory_bytes, memory)
        if memory <= self._limit:
            return False
        self.platform.kill(worker, ExitReason.OOM_KILLED, self.now)
        return True

    def _lost_activity(self, task: int) -> bool:
        """An activity died with its worker; whether it will be tried again. With the last attempt its turn fails."""
        self.tally.lost_activities += 1
        self._attempts[task] += 1
        turn = task // self._activities
        if self._over[turn]:
            return False
        if self._attempts[task] < self.scenario.workload.activity.attempts:
            return True
        self._end_turn(turn, answered=False)
        return False


def _groups(tasks: int, activities: int) -> tuple[tuple[int, int], ...]:
    """Which activities run between a turn's workflow tasks: first and one past the last, spread evenly."""
    gaps = tasks - 1
    edges = [round(activities * place / gaps) for place in range(gaps + 1)] if gaps else []
    return tuple(pairwise(edges))


def _tally(scenario: Scenario, load: Load) -> Tally:
    minutes = int(load.seconds / MINUTE) + 1
    objective = scenario.objective
    return Tally(
        workflow=Waits(objective.workflow_task.total_seconds(), minutes),
        activity=Waits(objective.activity.total_seconds(), minutes),
    )
