"""Workers that serve task queues second by second: slots and limits per queue, pollers that die, drains that kill."""

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from scaler.fleet import Fleet
from scaler.model.common import TaskType
from scaler.model.observation import ExitReason, WorkerExit, WorkerState

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
RATES_OVER_SECONDS = 30
"""What the server's rates are averages over."""

WAITS_KEPT_SECONDS, TIMES_KEPT_SECONDS = 120, 900
FOUND_SINCE_SECONDS = 300.0
"""For how long the workers that a fleet is found with have been there."""


def at(second: float) -> datetime:
    """The moment so many seconds after the world's beginning."""
    return START + timedelta(seconds=second)


@dataclass
class Queue:
    """One task queue and type, as each worker serves it."""

    name: str
    arrivals: Callable[[int, random.Random], int]
    service: Callable[[random.Random], float]
    slots: int = 10  # of one worker, for this queue alone
    task_type: TaskType = TaskType.ACTIVITY
    worker_rate: float | None = None  # tasks a second that one worker begins at most
    queue_rate: float | None = None  # tasks a second that the server hands out at most
    taken_by: Callable[["LabWorker"], bool] = lambda _: True  # whether a worker's poller for it works
    fleets: int = 1  # that serve it alike: the server tells of what comes to all of them
    waiting: deque[float] = field(default_factory=deque)  # when each task came
    added: deque[float] = field(default_factory=deque)
    dispatched: deque[float] = field(default_factory=deque)
    waits: deque[tuple[float, float]] = field(default_factory=deque)  # when it began, and how long it had waited
    served: deque[tuple[float, float]] = field(default_factory=deque)  # when it ended, and how long it ran
    ran_seconds: float = 0.0  # sums over `served`
    ran_squared: float = 0.0
    came: int = 0
    late: int = 0
    done: int = 0
    lost: int = 0
    tokens: float = 0.0
    limited: bool = False

    @property
    def key(self) -> tuple[str, TaskType]:
        """Tells it from the queue of the same name with tasks of the other type."""
        return self.name, self.task_type

    def serve(self, second: float, seconds: float) -> None:
        """A task has ended after so long."""
        self.done += 1
        self.served.append((second, seconds))
        self.ran_seconds += seconds
        self.ran_squared += seconds**2

    def forget(self, second: float) -> None:
        """Drop what the server and the histories do not tell of any more."""
        for moments in (self.added, self.dispatched):
            while moments and moments[0] < second - RATES_OVER_SECONDS:
                moments.popleft()
        while self.waits and self.waits[0][0] < second - WAITS_KEPT_SECONDS:
            self.waits.popleft()
        while self.served and self.served[0][0] < second - TIMES_KEPT_SECONDS:
            _, seconds = self.served.popleft()
            self.ran_seconds -= seconds
            self.ran_squared -= seconds**2


@dataclass
class Beat:
    """What a worker's last heartbeats told of each queue."""

    second: float
    used: dict[tuple[str, TaskType], int]
    done_per_second: dict[tuple[str, TaskType], float]


@dataclass
class Running:
    """A task under way."""

    queue: Queue
    ends: float
    began: float


@dataclass
class LabWorker:
    """One worker process."""

    name: str
    born: float
    ready_at: float
    cache: int | None
    memory_bytes: int = 200 * 2**20
    running: list[Running] = field(default_factory=list)
    drain_by: float | None = None
    tokens: dict[str, float] = field(default_factory=dict)
    beat: Beat | None = None
    done_since_beat: Counter[tuple[str, TaskType]] = field(default_factory=Counter)
    restarts: int = 0
    back_at: float | None = None  # until then it waits for its restart

    def state(self, second: float) -> WorkerState:
        """What its target says of it."""
        if self.back_at is not None and second < self.back_at:
            return WorkerState.RESTARTING
        if self.drain_by is not None:
            return WorkerState.DRAINING
        return WorkerState.READY if second >= self.ready_at else WorkerState.STARTING


@dataclass(kw_only=True)
class LabWorld:
    """Queues and the workers of one fleet; `each` is called at the end of every second."""

    fleet: Fleet
    queues: list[Queue]
    chance: random.Random
    cache: int | None = None  # what a worker that starts now gets
    start_seconds: float = 20.0
    beat_seconds: float = 60.0
    each: Callable[["LabWorld"], None] = lambda _: None
    second: float = 0.0
    workers: list[LabWorker] = field(default_factory=list)
    exits: list[WorkerExit] = field(default_factory=list)
    worker_seconds: float = 0.0
    _started: int = 0

    @property
    def now(self) -> datetime:
        """The present second as a time."""
        return at(self.second)

    @property
    def live(self) -> list[LabWorker]:
        """Workers that are not on their way out."""
        return [worker for worker in self.workers if worker.drain_by is None]

    def found_with(self, workers: int) -> None:
        """The workers that are there before anybody looks."""
        for _ in range(workers):
            worker = self.start()
            worker.born = -FOUND_SINCE_SECONDS
            worker.ready_at = worker.born + self.start_seconds

    def start(self) -> LabWorker:
        """One more worker."""
        self._started += 1
        worker = LabWorker(f"w-{self._started}", self.second, self.second + self.start_seconds, self.cache)
        self.workers.append(worker)
        return worker

    def drain(self, worker: LabWorker) -> None:
        """Ask a worker to leave; what it runs longer than it is given is lost."""
        worker.drain_by = self.second + self.fleet.behaviour.drain.total_seconds()

    def crash(self, worker: LabWorker, back_off: float) -> None:
        """The process ends with all it had under way, and is started anew after a back-off."""
        self._lose(worker)
        worker.running.clear()
        worker.restarts += 1
        worker.back_at = self.second + back_off
        worker.born, worker.ready_at = worker.back_at, worker.back_at + self.start_seconds
        worker.beat = None
        worker.done_since_beat.clear()
        moment = at(self.second) + timedelta(milliseconds=self.chance.randrange(900))
        self.exits.append(WorkerExit(worker=worker.name, reason=ExitReason.CRASHED, at=moment, cache=worker.cache))

    def pass_second(self) -> None:
        """Tasks end, come and begin, workers leave and beat, for one second."""
        self.worker_seconds += len(self.workers)
        for worker in list(self.workers):
            self._end_tasks(worker)
            self._leave(worker)
        for queue in self.queues:
            self._arrive(queue)
            self._begin_tasks(queue)
            queue.forget(self.second)
        for worker in self.workers:
            self._beat(worker)
        self.second += 1
        self.each(self)

    def _end_tasks(self, worker: LabWorker) -> None:
        for task in [task for task in worker.running if task.ends <= self.second]:
            worker.running.remove(task)
            worker.done_since_beat[task.queue.key] += 1
            task.queue.serve(self.second, task.ends - task.began)

    def _leave(self, worker: LabWorker) -> None:
        if worker.drain_by is None or (worker.running and self.second < worker.drain_by):
            return
        self._lose(worker)
        reason = ExitReason.KILLED if worker.running else ExitReason.DRAINED
        self.exits.append(WorkerExit(worker=worker.name, reason=reason, at=at(self.second)))
        self.workers.remove(worker)

    def _lose(self, worker: LabWorker) -> None:
        for task in worker.running:
            task.queue.lost += 1
            task.queue.waiting.append(self.second)
            task.queue.added.append(self.second)

    def _arrive(self, queue: Queue) -> None:
        for _ in range(queue.arrivals(int(self.second), self.chance)):
            queue.waiting.append(self.second)
            queue.added.append(self.second)
            queue.came += 1

    def _begin_tasks(self, queue: Queue) -> None:
        allowance = queue.queue_rate or 0.0
        queue.tokens, queue.limited = min(queue.tokens + allowance, max(allowance, 1.0)), False
        ready = [each for each in self.workers if each.state(self.second) is WorkerState.READY and queue.taken_by(each)]
        if queue.worker_rate is not None:
            for worker in ready:
                held = worker.tokens.get(queue.name, 0.0) + queue.worker_rate
                worker.tokens[queue.name] = min(held, max(queue.worker_rate, 1.0))
        free = [worker for worker in ready if self._may_begin(worker, queue)]
        while queue.waiting and free:
            if queue.queue_rate is not None and queue.tokens < 1:
                queue.limited = True
                return
            queue.tokens -= 1
            worker = self.chance.choice(free)
            self._begin(worker, queue)
            if not self._may_begin(worker, queue):
                free.remove(worker)

    @staticmethod
    def _may_begin(worker: LabWorker, queue: Queue) -> bool:
        if queue.worker_rate is not None and worker.tokens.get(queue.name, 0.0) < 1:
            return False
        return sum(task.queue is queue for task in worker.running) < queue.slots

    def _begin(self, worker: LabWorker, queue: Queue) -> None:
        if queue.worker_rate is not None:
            worker.tokens[queue.name] -= 1
        waited = self.second - queue.waiting.popleft()
        worker.running.append(Running(queue, self.second + queue.service(self.chance), self.second))
        queue.dispatched.append(self.second)
        queue.waits.append((self.second, waited))
        queue.late += waited > self.fleet.objective_seconds(queue.task_type)

    def _beat(self, worker: LabWorker) -> None:
        last = worker.beat.second if worker.beat is not None else worker.ready_at
        if self.second < worker.ready_at or self.second - last < self.beat_seconds:
            return
        worker.beat = Beat(
            second=self.second,
            used=Counter(task.queue.key for task in worker.running),
            done_per_second={key: done / self.beat_seconds for key, done in worker.done_since_beat.items()},
        )
        worker.done_since_beat.clear()
