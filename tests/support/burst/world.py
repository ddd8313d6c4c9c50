"""The queue of a burst and who takes what from it: sticky workflow tasks, eager activities, and those that wait."""

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.burst.platform import Platform, noticed_at
from tests.support.burst.turns import Turn
from tests.support.burst.workers import BurstWorker, Call

WORKFLOW_TASK_SECONDS = 0.02
STATISTICS_SECONDS, AVERAGED_SECONDS = 5.0, 30.0
"""The server's statistics are so old at most, and its rates averages over so much time."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the server tells of the activities of the queue."""

    at: float
    backlog: int
    age_seconds: float
    arrivals_per_second: float
    dispatches_per_second: float


@dataclass(slots=True, kw_only=True)
class World:
    """Everything but the decision."""

    platform: Platform
    turns: deque[Turn]
    bytes_per_context: float  # what a byte of state costs in a worker
    growth_bytes: int
    statistics: Statistics = field(default_factory=lambda: Statistics(-60.0, 0, 0.0, 0.0, 0.0))
    _due: list[tuple[float, Turn]] = field(default_factory=list)
    _open: dict[int, deque[Turn]] = field(default_factory=dict)
    _lost: list[tuple[float, Turn]] = field(default_factory=list)
    _homes: dict[int, BurstWorker] = field(default_factory=dict)
    _waiting: deque[tuple[float, Turn]] = field(default_factory=deque)
    _added: deque[float] = field(default_factory=deque)
    _dispatched: deque[float] = field(default_factory=deque)

    @property
    def chance(self) -> random.Random:
        """One source of it for all."""
        return self.platform.chance

    def step(self, now: float) -> None:
        """Let a moment pass."""
        self._arrive(now)
        for worker in self.platform.workers:
            for call in worker.ended_calls(now):
                call.turn.done_calls += 1
                self._due.append((now + WORKFLOW_TASK_SECONDS, call.turn))
        self._lost += [(noticed_at(call), call.turn) for call in self.platform.gone(now)]
        self._queue_again(now)
        self._due = [each for each in self._due if each[0] > now or not self._workflow_task(each[1], now)]
        self._dispatch(now)
        for worker in self.platform.workers:
            worker.tell(now)
        self._tell(now)

    def _arrive(self, now: float) -> None:
        while self.turns and self.turns[0].at <= now:
            turn = self.turns.popleft()
            self._open.setdefault(turn.conversation, deque()).append(turn)
            if len(self._open[turn.conversation]) == 1:
                self._due.append((now + WORKFLOW_TASK_SECONDS, turn))

    def _queue_again(self, now: float) -> None:
        back = [turn for at, turn in self._lost if at <= now]
        self._lost = [each for each in self._lost if each[0] > now]
        for turn in back:
            self._enqueue(turn, now)

    def _workflow_task(self, turn: Turn, now: float) -> bool:
        """Done by the worker that has the run cached, else by any; False while nobody serves."""
        ready = self.platform.ready(now)
        if not ready:
            return False
        home = self._homes.get(turn.conversation)
        worker = home if home in ready else self.chance.choice(ready)
        self._homes[turn.conversation] = worker
        answered = turn.done_calls >= len(turn.calls)
        run_bytes = self.bytes_per_context * turn.context_bytes + self.growth_bytes * (turn.number + answered)
        worker.serve_workflow_task(turn.conversation, run_bytes, now)
        if answered:
            self._answer(turn, now)
        elif worker.has_room:
            self._begin(worker, turn, now)
        else:
            self._enqueue(turn, now)
        return True

    def _answer(self, turn: Turn, now: float) -> None:
        turn.answered_at = now
        said = self._open[turn.conversation]
        said.popleft()
        if said:
            self._due.append((now + WORKFLOW_TASK_SECONDS, said[0]))

    def _enqueue(self, turn: Turn, now: float) -> None:
        self._waiting.append((now, turn))
        self._added.append(now)

    def _dispatch(self, now: float) -> None:
        free = [worker for worker in self.platform.ready(now) if worker.has_room]
        while self._waiting and free:
            _, turn = self._waiting.popleft()
            self._begin(self.chance.choice(free), turn, now)
            self._dispatched.append(now)
            free = [worker for worker in free if worker.has_room]

    def _begin(self, worker: BurstWorker, turn: Turn, now: float) -> None:
        worker.calls.append(Call(turn, now, now + turn.calls[turn.done_calls]))

    def _tell(self, now: float) -> None:
        if now - self.statistics.at < STATISTICS_SECONDS:
            return
        self.statistics = Statistics(
            at=now,
            backlog=len(self._waiting),
            age_seconds=now - self._waiting[0][0] if self._waiting else 0.0,
            arrivals_per_second=_rate(self._added, now),
            dispatches_per_second=_rate(self._dispatched, now),
        )


def _rate(moments: deque[float], now: float) -> float:
    while moments and moments[0] < now - AVERAGED_SECONDS:
        moments.popleft()
    return len(moments) / AVERAGED_SECONDS


def answered_late(turns: Iterable[Turn], late_seconds: float) -> int:
    """Turns that were answered after so long, or never."""
    return sum(turn.answered_at is None or turn.answered_at - turn.at > late_seconds for turn in turns)
