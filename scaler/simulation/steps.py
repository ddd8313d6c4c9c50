"""The world in steps of half a second or less: what `events` follows moment by moment, many times faster.

Which run lies in which cache, which activity runs where and who waits for a slot is followed one by one; only moments
are rounded to steps. Workflow tasks that take less than a step are a fluid (`fluid`).
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

import numpy as np

from scaler.model.common import TaskType
from scaler.model.observation import WorkerState
from scaler.simulation.draws import Stream, generator
from scaler.simulation.fluid import ZOMBIE, SteppedWorker
from scaler.simulation.history_log import ActivityEntry, WorkflowTaskEntry
from scaler.simulation.load import Load
from scaler.simulation.scenario import Scenario
from scaler.simulation.world import (
    POLLER_GONE_SECONDS,
    STICKY_TIMEOUT_SECONDS,
    WORKFLOW_TASK_TIMEOUT_SECONDS,
    QueueFigures,
    World,
)

LONGEST_STEP_SECONDS: Final = 0.5
SHORTEST_STEP_SECONDS: Final = 0.1
STEPS_PER_ACTIVITY: Final = 5
"""The mean activity lasts for at least so many steps, if that is not too short a step."""


HOUSEKEEPING_SECONDS: Final = 5
NEAR_FRACTION: Final = 0.7
"""Memory above this part of the limit is looked at every second, and with every run that is loaded."""


class SteppedWorld(World[SteppedWorker]):
    """A fleet at work, step by step."""

    def __init__(self, scenario: Scenario, load: Load, seed: int) -> None:
        activity = scenario.workload.activity
        self.step_seconds = _step_seconds(activity.service.mean_seconds)
        self._steps_per_second = round(1 / self.step_seconds)
        self._step = 0
        self._arrived = 0
        steps = _in_steps(load.service_seconds.ravel(), self.step_seconds, generator(seed, Stream.STEPS))
        self._service_steps: list[int] = steps.tolist()
        self._service: list[float] = load.service_seconds.ravel().tolist()
        self._activity_scheduled = [0] * len(self._service)  # in steps
        self._ends: defaultdict[int, list[tuple[int, SteppedWorker]]] = defaultdict(list)  # of activities, by step
        self._fallen_back: defaultdict[int, list[int]] = defaultdict(list)  # turns, by step
        self._retried: defaultdict[int, list[int]] = defaultdict(list)  # activities, by step
        self._workflow_rota: deque[SteppedWorker] = deque()
        self._activity_rota: deque[SteppedWorker] = deque()
        self._scheduled = [0.0] * len(load)  # when a turn's present workflow task first was, if it is not as usual
        self._workflow_waiting: deque[int] = deque()
        self._activity_waiting: deque[int] = deque()
        self._workflow = QueueFigures()
        self._activity = QueueFigures()
        self._running_activities = 0
        self._ended_activities = 0  # in this step
        self._downstream = activity.downstream or math.inf
        self._rate_limit = float(activity.rate_limit or math.inf)
        self._tokens = self._rate_limit
        self._near = NEAR_FRACTION * scenario.platform.memory.limit
        self._at_work: dict[SteppedWorker, None] = {}  # who has any use for CPU time
        self._watched: dict[SteppedWorker, None] = {}  # who drains, replays, makes wait, or is nearly full
        self._all_crowded = False  # nobody had room, and nobody has got any since
        super().__init__(scenario, load, seed)
        self._late_activities = _late_shares(self.tally.activity.objective_seconds, self.step_seconds)
        self._late_workflow_tasks = _late_shares(self.tally.workflow.objective_seconds, self.step_seconds)

    def make(self, number: int, cache: int) -> SteppedWorker:
        """A worker that runs its tasks step by step."""
        return SteppedWorker(self.build, number, cache)

    def advance(self, to: float) -> None:
        """Take every step that ends by then."""
        while (self._step + 1) * self.step_seconds <= to + 1e-9:
            self._take_step()

    def figures(self, task_type: TaskType) -> QueueFigures:
        """What the server knows of a queue now."""
        if task_type is TaskType.WORKFLOW:
            figures = self._workflow
            figures.waiting = len(self._workflow_waiting)
            figures.oldest_at = self._scheduled[self._workflow_waiting[0]] if self._workflow_waiting else None
            return figures
        figures, waiting = self._activity, self._activity_waiting
        figures.waiting = len(waiting)
        figures.oldest_at = self._activity_scheduled[waiting[0]] * self.step_seconds if waiting else None
        figures.rate_limited = self._tokens < 1 and bool(waiting)
        return figures

    def workflow_slots_used(self, worker: SteppedWorker) -> int:
        """Workflow tasks that a worker runs now."""
        return worker.running(self.step_seconds)

    def finish(self) -> None:
        """Count the tasks that still wait at the end."""
        sticky = [turn for worker in self.platform.workers for _, turn in worker.sticky]
        for turn in [*self._workflow_waiting, *sticky]:
            self.tally.workflow.add_unstarted(self._scheduled[turn], self.now - self._scheduled[turn])
        for task in self._activity_waiting:
            scheduled = self._activity_scheduled[task] * self.step_seconds
            self.tally.activity.add_unstarted(scheduled, self.now - scheduled)

    # What becomes of workers.

    def opened(self, worker: SteppedWorker) -> None:
        """It polls from now on."""
        self._all_crowded = False
        self._workflow_rota.append(worker)
        self._activity_rota.append(worker)
        worker.polls_activities = True

    def closed(self, worker: SteppedWorker) -> None:
        """It polls no more; what lies in its sticky queue waits for the timeout."""
        self._withdraw(worker)
        self._strand(worker)
        self._watched[worker] = None

    def lost(self, worker: SteppedWorker) -> None:
        """What it had comes again when the server notices."""
        self._withdraw(worker)
        self._strand(worker)
        worker.gone = True
        turns = [(int(turn), started) for _, _, turn, started in worker.replaying if turn != ZOMBIE]
        for turn, started in turns:
            self._retry_at(turn, max(self.now, started + WORKFLOW_TASK_TIMEOUT_SECONDS))
        self.tally.lost_workflow_tasks += len(turns)
        worker.replaying.clear()
        self._running_activities -= worker.busy
        lost = [task for entries in self._ends.values() for task, where in entries if where is worker]
        retried_at = self._at_step(self.now + self.scenario.workload.activity.lost_after.total_seconds())
        self._retried[retried_at] += [task for task in sorted(lost) if self._lost_activity(task)]

    def _withdraw(self, worker: SteppedWorker) -> None:
        if worker in self._workflow_rota:
            self._workflow_rota.remove(worker)
        if worker.polls_activities:
            self._activity_rota.remove(worker)
            worker.polls_activities = False

    def _strand(self, worker: SteppedWorker) -> None:
        for since, turn in worker.sticky:
            self._fallen_back[self._at_step(since + STICKY_TIMEOUT_SECONDS)].append(turn)
        self.tally.sticky_timeouts += len(worker.sticky)
        worker.sticky.clear()

    # One step.

    def _take_step(self) -> None:
        step = self._step
        self.now = (step + 1) * self.step_seconds
        if self.platform.due <= self.now:
            self.platform.advance(self.now)
        self._work()
        # Who waits for a slot has it before anybody who comes in this step: there is no open poll while one waits.
        if self._watched or self._workflow_waiting:
            self._start_waiting_workflow_tasks()
        ready = self._end_activities(step)
        ready += self._arrivals()
        if ready:
            self._run_workflow_tasks(ready)
        for turn in self._fallen_back.pop(step, ()):
            self._queue_workflow_task(turn)
        for task in self._retried.pop(step, ()):
            if not self._over[task // self._activities]:
                self._schedule_activity(task)
        self._start_activities(step)
        self._step = step + 1
        if self._step % self._steps_per_second == 0:
            self._end_second()

    def _work(self) -> None:
        """CPU time of one step for all workers that have any use for it."""
        step_seconds = self.step_seconds
        capacity = step_seconds * self.build.workflow_cores
        at_work, self._at_work = self._at_work, {}
        for worker in at_work:
            if not worker.replaying and worker.short_seconds <= capacity:
                worker.short_seconds = 0.0
                worker.crowded = self._all_crowded = False
                continue
            turns = [turn for turn in worker.work(step_seconds) if turn != ZOMBIE]
            if not worker.crowded:
                self._all_crowded = False
            worker.workflow_tasks_done += len(turns)
            if not worker.gone:
                self._at_work[worker] = None
            self._go_on(turns)

    def _arrivals(self) -> list[int]:
        """The turns that have arrived and whose session is free."""
        at, place = self._at, self._arrived
        turn_of, session_of = self._turn_of, self._session
        ready = []
        while place < len(at) and at[place] < self.now:
            session = session_of[place]
            if turn_of[session] < 0:
                turn_of[session] = place
                ready.append(place)
            else:
                self._pending[session].append(place)
            place += 1
        self._arrived = place
        return ready

    def _end_activities(self, step: int) -> list[int]:
        """Free the slots of the activities that end; the turns that go on."""
        left, over, followed, rota = self._left, self._over, self.log.followed, self._activity_rota
        per_turn, session_of = self._activities, self._session
        ready = []
        ended = 0
        for task, worker in self._ends.pop(step, ()):
            if worker.gone:
                continue
            ended += 1
            worker.busy -= 1
            worker.activities_done += 1
            if not worker.polls_activities and worker.serving:
                worker.polls_activities = True
                rota.append(worker)
            turn = task // per_turn
            if followed[session_of[turn]]:
                self._note_activity(task, step)
            left[turn] -= 1
            if not left[turn] and not over[turn]:
                ready.append(turn)
        self._running_activities -= ended
        self._ended_activities = ended
        return ready

    def _run_workflow_tasks(self, turns: list[int]) -> None:
        """The workflow tasks of a step: nearly all find their run in the cache of a worker with room."""
        homes, session_of, followed = self._home, self._session, self.log.followed
        cpu, state_bytes = self._task_cpu, self._state_bytes
        at_work = self._at_work
        going_on = []
        for turn in turns:
            session = session_of[turn]
            home = homes[session]
            if home is None or session not in home.runs or home.crowded or not home.serving:
                self._schedule_workflow_task(turn)
                continue
            home.load(session, state_bytes[turn])
            home.usual += 1
            home.short_seconds += cpu
            at_work[home] = None
            if followed[session]:
                self._note_workflow_task(turn, home, 0.0, sticky=True)
            going_on.append(turn)
        self._go_on(going_on)

    def _go_on(self, turns: list[int]) -> None:
        """Their workflow tasks have ended: activities come to be, or the turn is answered."""
        stages, left, scheduled, waiting = self._stage, self._left, self._activity_scheduled, self._activity_waiting
        last, groups, per_turn, step = self._tasks - 1, self._groups, self._activities, self._step
        added = 0
        for turn in turns:
            stage = stages[turn]
            if stage == last:
                self._end_turn(turn, answered=True)
                continue
            stages[turn] = stage + 1
            first, end = groups[stage]
            count = left[turn] = end - first
            added += count
            first += turn * per_turn
            for task in range(first, first + count):
                scheduled[task] = step
                waiting.append(task)
        self._activity.added += added

    # Workflow tasks that are not as usual.

    def _schedule_workflow_task(self, turn: int) -> None:
        self._scheduled[turn] = self.now
        home = self._home[self._session[turn]]
        if home is None:
            self._queue_workflow_task(turn)
        elif home.serving:
            if home.crowded:
                home.sticky.append((self.now, turn))
                self._watched[home] = None
            else:
                self._start_workflow_task(home, turn, sticky=True)
        elif home.killed_at is not None and self.now < home.killed_at + POLLER_GONE_SECONDS:
            self.tally.sticky_timeouts += 1
            self._fallen_back[self._at_step(self.now + STICKY_TIMEOUT_SECONDS)].append(turn)
        else:
            self._queue_workflow_task(turn)

    def _queue_workflow_task(self, turn: int) -> None:
        """To the normal queue, with its whole history."""
        self._home[self._session[turn]] = None
        self._workflow.added += 1
        worker = self._next_with_room()
        if worker is None:
            self._workflow.unmatched += 1
            self._workflow_waiting.append(turn)
        else:
            self._workflow.dispatched += 1
            self._start_workflow_task(worker, turn, sticky=False)

    def _next_with_room(self) -> SteppedWorker | None:
        if self._all_crowded:
            return None
        rota = self._workflow_rota
        for _ in range(len(rota)):
            worker = rota[0]
            rota.rotate(-1)
            if not worker.crowded:
                return worker
        self._all_crowded = True
        return None

    def _start_waiting_workflow_tasks(self) -> None:
        for worker in list(self._watched):
            while worker.sticky and worker.serving and not worker.crowded:
                self._start_workflow_task(worker, worker.sticky.popleft()[1], sticky=True)
        while self._workflow_waiting and (worker_with_room := self._next_with_room()) is not None:
            self._workflow.dispatched += 1
            self._start_workflow_task(worker_with_room, self._workflow_waiting.popleft(), sticky=False)

    def _start_workflow_task(self, worker: SteppedWorker, turn: int, *, sticky: bool) -> None:
        session, waited = self._session[turn], self.now - self._scheduled[turn]
        cached = worker.load(session, self._state_bytes[turn], has_history=self._history_events(turn) > 0)
        replay = 0.0 if cached and sticky else self._replay_seconds(turn)
        if sticky:
            worker.hits += cached
            worker.misses += not cached
        self._count_replay(worker, replay)
        self._home[session] = worker
        self._at_work[worker] = None
        worker.workflow_tasks_started += 1
        if self.log.followed[session]:
            self._note_workflow_task(turn, worker, replay, sticky=sticky)
        ends_now = self._task_cpu + replay + worker.short_seconds < self.step_seconds * self.build.workflow_cores
        if ends_now and not waited:
            worker.take_short(self._task_cpu + replay)
            worker.workflow_tasks_done += 1
            self._go_on([turn])
        else:
            # Those that have waited begin together, and are lost together if they are too much for the memory.
            late = _of_steps(self._late_workflow_tasks, round(waited / self.step_seconds))
            self.tally.workflow.add_many(self._scheduled[turn], waited, 1, late)
            worker.take_replay(turn, self._task_cpu + replay, self.now)
            self._watched[worker] = None
        if not cached and worker.cached_bytes + worker.garbage_bytes > self._near:
            self._kill_if_full(worker)

    # Activities.

    def _schedule_activity(self, task: int) -> None:
        self._activity_scheduled[task] = self._step
        self._activity.added += 1
        self._activity_waiting.append(task)

    def _start_activities(self, step: int) -> None:
        """Give free slots to the activities that have waited longest, one worker after the other."""
        waiting, rota, ends = self._activity_waiting, self._activity_rota, self._ends
        scheduled, service, slots = self._activity_scheduled, self._service_steps, self.build.activity_slots
        started = at_once = 0
        allowed = self._tokens_now()
        slowed = self._slowed(allowed)
        for _ in range(int(min(len(waiting), allowed))):
            if not rota:
                break
            task = waiting.popleft()
            worker = rota.popleft()
            busy = worker.busy = worker.busy + 1
            if busy < slots:
                rota.append(worker)
            else:
                worker.polls_activities = False
            started += 1
            steps = service[task] if slowed is None else max(1, round(service[task] * slowed(started)))
            ends[step + steps].append((task, worker))
            if scheduled[task] == step:
                at_once += 1
            else:
                self._count_wait(scheduled[task], step)
        self._tokens -= started
        self._running_activities += started
        self._activity.dispatched += started
        for task in reversed(waiting):
            if scheduled[task] != step:
                break
            self._activity.unmatched += 1
        self.tally.activity.add_many(step * self.step_seconds, 0.0, at_once)

    def _tokens_now(self) -> float:
        """How many activities the queue's rate limit lets start in this step."""
        burst = max(self._rate_limit, 1.0)
        self._tokens = min(self._tokens + self._rate_limit * self.step_seconds, burst)
        return self._tokens if self._tokens == math.inf else int(self._tokens)

    def _slowed(self, allowed: float) -> Callable[[int], float] | None:
        """How much a downstream that is asked by too many slows the first, second … that starts in this step.

        Ends and starts alternate through a step: were all that end gone before the first starts, a full fleet would
        seem to ask for less than it does.
        """
        if self._downstream == math.inf:
            return None
        room = sum(self.build.activity_slots - worker.busy for worker in self._activity_rota)
        starting = max(min(room, len(self._activity_waiting), allowed), 1)
        begun, ended, downstream = self._running_activities, self._ended_activities, self._downstream
        return lambda started: max(1.0, (begun + started + ended * (1 - started / starting)) / downstream)

    def _count_wait(self, scheduled: int, step: int) -> None:
        waited = step - scheduled
        late = _of_steps(self._late_activities, waited)
        self.tally.activity.add_many(scheduled * self.step_seconds, waited * self.step_seconds, 1, late)

    def _note_activity(self, task: int, step: int) -> None:
        if task in self._attempts:
            return
        began = step - self._service_steps[task]
        scheduled = self._activity_scheduled[task]
        waited = max(0, began - scheduled) * self.step_seconds
        # In the middle of its step, so that it comes after the workflow task that began it, at the start of the step.
        entry = ActivityEntry((scheduled + 0.5) * self.step_seconds, waited, self._service[task])
        self.log.activity(self._session[task // self._activities], entry)

    def _note_workflow_task(self, turn: int, worker: SteppedWorker, replay: float, *, sticky: bool) -> None:
        """Seen from its history; the CPU was shared with what else ran."""
        spare = max(1 - worker.load_per_second / self.build.workflow_cores, 0.05)
        events = self._history_events(turn) if replay and not sticky else 0.0
        ran = (self._task_cpu + replay) * (1 + len(worker.replaying)) / spare
        entry = WorkflowTaskEntry(self.now - self.step_seconds, 0.0, ran, events, sticky)
        self.log.workflow_task(self._session[turn], entry)

    # What is done once a second.

    def _end_second(self) -> None:
        """Timeouts, ends of drains, and the memory of workers that are nearly full."""
        for worker in list(self._watched):
            if worker.gone:
                del self._watched[worker]
                continue
            self._time_out(worker)
            full = worker.top_bytes > self._near
            if worker.state is WorkerState.DRAINING and worker.idle:
                self.platform.drained(worker, self.now)
            elif full:
                self._kill_if_full(worker)
            elif worker.serving and not (worker.replaying or worker.sticky):
                del self._watched[worker]
        if self._step % (HOUSEKEEPING_SECONDS * self._steps_per_second) == 0:
            self._keep_house()

    def _keep_house(self) -> None:
        """Levels of load, short waits that follow from them, and everybody's memory."""
        waits = self.tally.workflow
        for worker in list(self.platform.workers):
            came = worker.learn(HOUSEKEEPING_SECONDS)
            if came:
                waits.add_many(self.now - 1.0, 0.0, came, worker.late_share(waits.objective_seconds))
            if worker.state is WorkerState.RESTARTING or self._kill_if_full(worker):
                continue
            if worker.top_bytes > self._near:
                self._watched[worker] = None

    def _time_out(self, worker: SteppedWorker) -> None:
        while worker.sticky and self.now - worker.sticky[0][0] >= STICKY_TIMEOUT_SECONDS:
            self.tally.sticky_timeouts += 1
            self._fallen_back[self._step].append(worker.sticky.popleft()[1])
        for turn in worker.given_up(self.now, WORKFLOW_TASK_TIMEOUT_SECONDS):
            self.tally.lost_workflow_tasks += 1
            self._retry_at(turn, self.now)

    def _retry_at(self, turn: int, at: float) -> None:
        """A workflow task that was started did not end: it is a new one then, for anybody."""
        self._scheduled[turn] = at
        self._fallen_back[self._at_step(at)].append(turn)

    def _at_step(self, at: float) -> int:
        """The step in which a moment lies; not one that is over."""
        return max(self._step + 1, int(at / self.step_seconds))


def _step_seconds(mean_seconds: float) -> float:
    """A whole part of a second."""
    wanted = min(LONGEST_STEP_SECONDS, max(SHORTEST_STEP_SECONDS, mean_seconds / STEPS_PER_ACTIVITY))
    return 1 / math.ceil(1 / wanted)


def _in_steps(seconds: np.ndarray, step_seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Times in whole steps, at least one, with the mean that they had.

    A time that begins anywhere in a step ends in this step or a later one; none may end in its own, since that would
    free its slot for nothing, so as much is taken off others.
    """
    steps = np.maximum((seconds / step_seconds + rng.random(len(seconds))).astype(np.int64), 1)
    surplus = steps.sum() - seconds.sum() / step_seconds
    longer = steps > 1
    if surplus > 0 and longer.any():
        steps[longer] -= rng.random(int(longer.sum())) < surplus / longer.sum()
    return steps


def _of_steps(late_shares: list[float], waited: int) -> float:
    """How likely a wait of so many steps was too long."""
    return late_shares[waited] if waited < len(late_shares) else 1.0


def _late_shares(objective_seconds: float, step_seconds: float) -> list[float]:
    """For so many steps from a task's to its start's: how likely that was longer than the objective.

    Both moments lie anywhere in their steps, so that the wait is triangular around the difference.
    """
    shares = [0.0]
    while shares[-1] < 1.0:
        beyond = objective_seconds / step_seconds - len(shares)
        if beyond >= 0:
            shares.append(max(0.0, 1 - beyond) ** 2 / 2)
        else:
            shares.append(1 - max(0.0, 1 + beyond) ** 2 / 2)
    return shares
