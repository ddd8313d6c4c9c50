"""The world event by event: every task has its own moments. Slow and exact; `steps` is held against it."""

import heapq
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from scaler.model.common import TaskType
from scaler.model.observation import WorkerState
from scaler.simulation.history_log import ActivityEntry, WorkflowTaskEntry
from scaler.simulation.load import Load
from scaler.simulation.rota import Rota
from scaler.simulation.scenario import Scenario
from scaler.simulation.shared_cpu import SharedCpu
from scaler.simulation.worker import Build, Worker
from scaler.simulation.world import (
    POLLER_GONE_SECONDS,
    STICKY_TIMEOUT_SECONDS,
    WORKFLOW_TASK_TIMEOUT_SECONDS,
    QueueFigures,
    World,
)

SWEEP_SECONDS: Final = 1.0
"""How often timeouts of workflow tasks are looked for."""


class EventWorker(Worker):
    """A worker with what is under way on it."""

    __slots__ = ("activities", "cpu", "running", "sticky")

    def __init__(self, build: Build, number: int, cache: int) -> None:
        super().__init__(build, number, cache)
        self.cpu = SharedCpu(build.workflow_cores)
        self.running: dict[int, float] = {}  # turns by the start of their workflow task, in that order
        self.sticky: deque[tuple[float, int]] = deque()  # since when, and which turn
        self.activities: set[int] = set()

    @property
    def has_room(self) -> bool:
        """Whether it can take another workflow task."""
        return self.serving and len(self.cpu) < self.concurrency

    @property
    def idle(self) -> bool:
        """Whether nothing runs on it."""
        return not self.activities and not len(self.cpu)


class EventWorld(World[EventWorker]):
    """A fleet at work, event by event."""

    def __init__(self, scenario: Scenario, load: Load, seed: int) -> None:
        count = len(load)
        activity = scenario.workload.activity
        self._heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._order = 0
        self._arrived = 0
        self._scheduled = [0.0] * count  # when a turn's present workflow task first was
        self._routed_sticky = bytearray(count)
        self._work_started: dict[int, tuple[float, float]] = {}  # followed turns: waited, replayed events
        self._service: list[float] = load.service_seconds.ravel().tolist()
        self._activity_scheduled = [0.0] * len(self._service)
        self._workflow_rota: Rota[EventWorker] = Rota()
        self._activity_rota: Rota[EventWorker] = Rota()
        self._workflow_waiting: deque[int] = deque()
        self._activity_waiting: deque[int] = deque()
        self._workflow = QueueFigures()
        self._activity = QueueFigures()
        self._running_activities = 0
        self._downstream = activity.downstream or math.inf
        self._rate_limit = activity.rate_limit
        self._tokens, self._tokens_at = activity.rate_limit or 0.0, 0.0
        self._token_awaited = False
        self._lost_after = activity.lost_after.total_seconds()
        super().__init__(scenario, load, seed)
        self._at_moment(SWEEP_SECONDS, self._sweep, None)
        self._expect_arrival()

    def make(self, number: int, cache: int) -> EventWorker:
        """A worker that runs its tasks event by event."""
        return EventWorker(self.build, number, cache)

    def advance(self, to: float) -> None:
        """Let everything happen that does until then."""
        heap, platform = self._heap, self.platform
        while True:
            if platform.due <= to and platform.due <= heap[0][0]:
                self.now = platform.due
                platform.advance(self.now)
            elif heap[0][0] <= to:
                self.now, _, happens, what = heapq.heappop(heap)
                happens(what)
            else:
                break
        self.now = to

    def figures(self, task_type: TaskType) -> QueueFigures:
        """What the server knows of a queue now."""
        if task_type is TaskType.WORKFLOW:
            figures, waiting = self._workflow, self._workflow_waiting
            figures.oldest_at = self._scheduled[waiting[0]] if waiting else None
        else:
            figures, waiting = self._activity, self._activity_waiting
            figures.oldest_at = self._activity_scheduled[waiting[0]] if waiting else None
            figures.rate_limited = self._token_awaited
        figures.waiting = len(waiting)
        return figures

    def workflow_slots_used(self, worker: EventWorker) -> int:
        """Workflow tasks that a worker runs now."""
        return len(worker.cpu)

    def finish(self) -> None:
        """Count the tasks that still wait at the end."""
        waiting = [*self._workflow_waiting, *(turn for each in self.platform.workers for _, turn in each.sticky)]
        for turn in waiting:
            self.tally.workflow.add_unstarted(self._scheduled[turn], self.now - self._scheduled[turn])
        for task in self._activity_waiting:
            self.tally.activity.add_unstarted(self._activity_scheduled[task], self.now - self._activity_scheduled[task])

    # What becomes of workers.

    def opened(self, worker: EventWorker) -> None:
        """It polls from now on."""
        self._poll_workflow_tasks(worker)
        self._poll_activities(worker)
        self._dispatch_activities()

    def closed(self, worker: EventWorker) -> None:
        """Its polls are withdrawn. What already lies in its sticky queue waits for the timeout, what comes does not."""
        self._withdraw(worker)
        self._strand(worker)
        if worker.idle:
            self.platform.drained(worker, self.now)

    def lost(self, worker: EventWorker) -> None:
        """What it had comes again when the server notices."""
        self._withdraw(worker)
        self._strand(worker)
        worker.cpu.stop()
        for turn, started in worker.running.items():
            self._at_moment(max(self.now, started + WORKFLOW_TASK_TIMEOUT_SECONDS), self._retry_workflow_task, turn)
        self.tally.lost_workflow_tasks += len(worker.running)
        worker.running.clear()
        self._running_activities -= worker.busy
        for task in sorted(worker.activities):
            if self._lost_activity(task):
                self._at_moment(self.now + self._lost_after, self._schedule_activity, task)
        worker.activities.clear()

    def _withdraw(self, worker: EventWorker) -> None:
        if worker.polls_workflows:
            self._workflow_rota.leave(worker)
        if worker.polls_activities:
            self._activity_rota.leave(worker)
        worker.polls_workflows = worker.polls_activities = False

    def _strand(self, worker: EventWorker) -> None:
        for since, turn in worker.sticky:
            self._at_moment(since + STICKY_TIMEOUT_SECONDS, self._fall_back, turn)
        worker.sticky.clear()

    # Workflow tasks.

    def _schedule_workflow_task(self, turn: int) -> None:
        self._scheduled[turn] = self.now
        home = self._home[self._session[turn]]
        if home is None:
            self._queue_workflow_task(turn)
        elif home.serving:
            self._queue_sticky(home, turn)
        elif home.killed_at is not None and self.now < home.killed_at + POLLER_GONE_SECONDS:
            self._at_moment(self.now + STICKY_TIMEOUT_SECONDS, self._fall_back, turn)
        else:
            self._queue_workflow_task(turn)

    def _queue_sticky(self, worker: EventWorker, turn: int) -> None:
        self._routed_sticky[turn] = 1
        if worker.has_room:
            self._start_workflow_task(worker, turn)
        else:
            worker.sticky.append((self.now, turn))

    def _fall_back(self, turn: int) -> None:
        """Nobody took it from the sticky queue in time: it goes to the normal one, with its whole history."""
        self.tally.sticky_timeouts += 1
        self._queue_workflow_task(turn)

    def _retry_workflow_task(self, turn: int) -> None:
        """A workflow task that was started did not end: it is a new one, for anybody."""
        self._scheduled[turn] = self.now
        self._queue_workflow_task(turn)

    def _queue_workflow_task(self, turn: int) -> None:
        self._routed_sticky[turn] = 0
        self._home[self._session[turn]] = None
        self._workflow.added += 1
        if (worker := self._free_for_workflow_tasks()) is not None:
            self._workflow.dispatched += 1
            self._start_workflow_task(worker, turn)
            self._poll_workflow_tasks(worker)
        else:
            self._workflow.unmatched += 1
            self._workflow_waiting.append(turn)

    def _free_for_workflow_tasks(self) -> EventWorker | None:
        """The next worker with a poll for the normal queue that still has room behind it."""
        while self._workflow_rota:
            worker = self._workflow_rota.answered()
            worker.polls_workflows = False
            if worker.has_room:
                return worker
        return None

    def _start_workflow_task(self, worker: EventWorker, turn: int) -> None:
        session, sticky = self._session[turn], bool(self._routed_sticky[turn])
        waited = self.now - self._scheduled[turn]
        self.tally.workflow.add(self._scheduled[turn], waited)
        cached = worker.load(session, self._state_bytes[turn], has_history=self._history_events(turn) > 0)
        replay = 0.0 if cached and sticky else self._replay_seconds(turn)
        if sticky:
            worker.hits += cached
            worker.misses += not cached
        self._count_replay(worker, replay)
        self._home[session] = worker
        worker.running[turn] = self.now
        worker.workflow_tasks_started += 1
        worker.cpu.add(turn, self._task_cpu + replay, self.now)
        if self.log.followed[session]:
            events = self._history_events(turn) if replay and not sticky else 0.0
            self._work_started[turn] = (waited, events)
        if not self._kill_if_full(worker):
            self._expect_end(worker)

    def _expect_end(self, worker: EventWorker) -> None:
        if len(worker.cpu):
            self._at_moment(worker.cpu.next_end(), self._end_workflow_task, (worker, worker.cpu.changes))

    def _end_workflow_task(self, foretold: tuple[EventWorker, int]) -> None:
        worker, changes = foretold
        if worker.cpu.changes != changes:
            return
        turn = worker.cpu.end_first(self.now)
        started = worker.running.pop(turn, None)
        if started is not None:
            worker.workflow_tasks_done += 1
            self._note_workflow_task(turn, started)
            self._go_on(turn)
        self._expect_end(worker)
        self._poll_workflow_tasks(worker)
        self._go_if_done(worker)

    def _note_workflow_task(self, turn: int, started: float) -> None:
        noted = self._work_started.pop(turn, None)
        if noted is None:
            return
        waited, events = noted
        entry = WorkflowTaskEntry(started - waited, waited, self.now - started, events, bool(self._routed_sticky[turn]))
        self.log.workflow_task(self._session[turn], entry)

    def _poll_workflow_tasks(self, worker: EventWorker) -> None:
        """Take what waits, first from its own sticky queue, while there is room; then wait for more."""
        while worker.has_room and (worker.sticky or self._workflow_waiting):
            if worker.sticky:
                self._start_workflow_task(worker, worker.sticky.popleft()[1])
            else:
                self._workflow.dispatched += 1
                self._start_workflow_task(worker, self._workflow_waiting.popleft())
        if worker.has_room and not worker.polls_workflows:
            worker.polls_workflows = True
            self._workflow_rota.poll(worker)

    def _go_on(self, turn: int) -> None:
        """A workflow task has ended: its activities come to be, or the turn is answered."""
        stage = self._stage[turn]
        if stage == self._tasks - 1:
            self._end_turn(turn, answered=True)
            return
        self._stage[turn] = stage + 1
        first, end = self._groups[stage]
        self._left[turn] = end - first
        for place in range(first, end):
            self._schedule_activity(turn * self._activities + place)

    def _sweep(self, _: None) -> None:
        """Workflow tasks that took too long are given to somebody else; their worker does not know and goes on."""
        for worker in list(self.platform.workers):
            while worker.sticky and self.now - worker.sticky[0][0] >= STICKY_TIMEOUT_SECONDS:
                self._fall_back(worker.sticky.popleft()[1])
            late = [
                turn for turn, started in worker.running.items() if self.now - started >= WORKFLOW_TASK_TIMEOUT_SECONDS
            ]
            for turn in late:
                del worker.running[turn]
                self._work_started.pop(turn, None)
                self.tally.lost_workflow_tasks += 1
                self._retry_workflow_task(turn)
        self._at_moment(self.now + SWEEP_SECONDS, self._sweep, None)

    # Activities.

    def _schedule_activity(self, task: int) -> None:
        if self._over[task // self._activities]:
            return
        self._activity_scheduled[task] = self.now
        self._activity.added += 1
        self._activity_waiting.append(task)
        self._dispatch_activities()
        if self._activity_waiting and not self._activity_rota:
            self._activity.unmatched += 1

    def _dispatch_activities(self) -> None:
        waiting, rota = self._activity_waiting, self._activity_rota
        while waiting and rota and self._may_dispatch():
            worker = rota.answered()
            worker.polls_activities = False
            self._activity.dispatched += 1
            self._start_activity(worker, waiting.popleft())
            self._poll_activities(worker)

    def _may_dispatch(self) -> bool:
        """Take a token, where the queue has a rate limit; where there is none left, come back when there is."""
        if self._rate_limit is None:
            return True
        grown = self._tokens + (self.now - self._tokens_at) * self._rate_limit
        self._tokens, self._tokens_at = min(grown, max(self._rate_limit, 1.0)), self.now
        if self._tokens >= 1:
            self._tokens -= 1
            return True
        if not self._token_awaited:
            self._token_awaited = True
            self._at_moment(self.now + (1 - self._tokens) / self._rate_limit + 1e-9, self._token_came, None)
        return False

    def _token_came(self, _: None) -> None:
        self._token_awaited = False
        self._dispatch_activities()

    def _start_activity(self, worker: EventWorker, task: int) -> None:
        self.tally.activity.add(self._activity_scheduled[task], self.now - self._activity_scheduled[task])
        worker.activities.add(task)
        worker.busy += 1
        self._running_activities += 1
        slowed = max(1.0, self._running_activities / self._downstream)
        self._at_moment(self.now + self._service[task] * slowed, self._end_activity, (worker, task, self.now))
        self._kill_if_full(worker)

    def _end_activity(self, ran: tuple[EventWorker, int, float]) -> None:
        worker, task, started = ran
        if task not in worker.activities:
            return
        worker.activities.discard(task)
        worker.busy -= 1
        worker.activities_done += 1
        self._running_activities -= 1
        turn = task // self._activities
        session = self._session[turn]
        if self.log.followed[session] and task not in self._attempts:
            scheduled = self._activity_scheduled[task]
            self.log.activity(session, ActivityEntry(scheduled, started - scheduled, self.now - started))
        self._poll_activities(worker)
        self._dispatch_activities()
        if not self._over[turn]:
            self._left[turn] -= 1
            if self._left[turn] == 0:
                self._schedule_workflow_task(turn)
        self._go_if_done(worker)

    def _poll_activities(self, worker: EventWorker) -> None:
        if worker.serving and worker.busy < self.build.activity_slots and not worker.polls_activities:
            worker.polls_activities = True
            self._activity_rota.poll(worker)

    def _go_if_done(self, worker: EventWorker) -> None:
        if worker.state is WorkerState.DRAINING and worker.idle:
            self.platform.drained(worker, self.now)

    # Time.

    def _expect_arrival(self) -> None:
        if self._arrived < len(self._at):
            self._at_moment(self._at[self._arrived], self._arrive, self._arrived)
            self._arrived += 1

    def _arrive(self, turn: int) -> None:
        self._expect_arrival()
        self._begin_turn(turn)

    def _at_moment(self, at: float, happens: Callable[[Any], None], what: object) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, happens, what))
