"""A closed world that a tick moves on at once: fast enough for a million decisions, faithful in what is told of it.

Short tasks flow, long ones are single and lost when their worker is killed. Nothing here knows of the decision.
"""

import random
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaler.model.common import Quality
from scaler.simulation.outside import Levels
from scaler.simulation.told import Exit, Queue, Replay, Slots, Target, TaskTimes, Told, WorkerObject
from scaler.simulation.told import Worker as WorkerTold
from tests.soak.kinds import MIB, FleetKind, StreamKind

LIMIT_BYTES = 512 * MIB
BASE_BYTES = 60 * MIB
START_SECONDS = 8.0
FILL_SECONDS = 40.0
BACK_OFF_SECONDS = 10.0
EXITS_TOLD_SECONDS = 600.0
REPLAY = tuple(max(0, 20 - abs(place - 20)) for place in range(42))


@dataclass(slots=True)
class LongTask:
    """A task that outlasts ticks."""

    stream: "Stream"
    began: float
    ends: float


@dataclass(slots=True, eq=False)
class Worker:
    """One process."""

    name: str
    born: float
    ready_at: float
    cache: int | None
    version: str
    beats: bool
    cached: float = 0.0
    most_cached: float = 0.0
    heavier: float = 1.0  # how much more its runs weigh, having come back by a replay
    extra_bytes: int = 0
    tasks: list[LongTask] = field(default_factory=list)
    drain_by: float | None = None
    spared: bool = False  # asked to go of the product's own accord
    told_at: float | None = None  # its last heartbeat before that
    polls: bool = True
    restarts: int = 0
    beat: tuple[WorkerObject, ...] = ()
    beat_at: float | None = None

    def state(self, t: float) -> str:
        """What it can do now."""
        if t < self.born:
            return "restarting"
        if self.drain_by is not None:
            return "draining"
        return "ready" if t >= self.ready_at else "starting"


@dataclass(slots=True, eq=False)
class Stream:
    """Tasks of one queue and type, as they come now."""

    kind: StreamKind
    rate: float
    seconds: float
    backlog: float = 0.0  # of short tasks
    waiting: list[float] = field(default_factory=list)  # since when each long task waits
    limited: bool = False
    age_seconds: float | None = 0.0  # of its statistics

    def waits(self, t: float, done_per_second: float) -> tuple[int, float]:
        """How many tasks wait, and the oldest for how long."""
        if self.kind.long:
            return len(self.waiting), t - self.waiting[0] if self.waiting else 0.0
        tasks = int(self.backlog)
        return tasks, tasks / max(done_per_second, 0.1) if tasks else 0.0


class World:
    """One fleet's workers and work; `t` counts seconds since `START`."""

    def __init__(self, kind: FleetKind, chance: random.Random, began: datetime) -> None:
        self.kind, self.chance, self.began = kind, chance, began
        self.t = 0.0
        self.numbers = 0
        self.desired, self.cache, self.version = kind.workers, kind.cache and chance.choice((20, kind.cache)), "a"
        self.drain_seconds = 60.0
        self.bytes_per_run = chance.choice((MIB // 4, MIB // 4, MIB, 2 * MIB))
        self.runs = kind.workers * (kind.cache or 0) * chance.choice((0.5, 2.0, 4.0))
        self.dear = chance.random() < 0.9  # replays cost enough to be worth a larger cache
        self.start_factor = 1.0  # of the next worker that starts
        self.histories = True
        self.memory_known = True
        self.unschedulable = 0
        self.other_scaler: str | None = None
        self.suspects: tuple[str, ...] = ()
        self.target_age_seconds: float | None = 0.0
        self.exits: list[Exit] = []
        self.workers: list[Worker] = []
        self.serving: list[Worker] = []
        self.lost_spared = 0
        self.lost_unseen = 0
        self.streams = [self._stream(each) for each in kind.streams]
        for _ in range(kind.workers):
            worker = self.start()
            worker.born, worker.ready_at = -600.0, -590.0
            worker.cached = min(float(kind.cache or 0), self.runs / kind.workers)

    def _stream(self, kind: StreamKind) -> Stream:
        rate = kind.load * kind.slots * self.kind.workers / kind.seconds
        return Stream(kind, rate, kind.seconds)

    @property
    def now(self) -> datetime:
        """The present as a time."""
        return self.began + timedelta(seconds=self.t)

    @property
    def live(self) -> list[Worker]:
        """Workers that are not on their way out."""
        return [worker for worker in self.workers if worker.drain_by is None]

    def look(self) -> None:
        """Find out who takes tasks now."""
        self.serving = [worker for worker in self.workers if worker.polls and worker.state(self.t) == "ready"]

    def start(self) -> Worker:
        """One more worker."""
        self.numbers += 1
        seconds = START_SECONDS * self.start_factor
        self.start_factor = 1.0
        worker = Worker(f"w-{self.numbers}", self.t, self.t + seconds, self.cache, self.version, self.kind.beats)
        self.workers.append(worker)
        return worker

    def drain(self, worker: Worker, *, spared: bool) -> None:
        """Ask a worker to go; what it does not finish in time is lost."""
        worker.drain_by, worker.spared, worker.told_at = self.t + self.drain_seconds, spared, worker.beat_at

    def follow(self, levels: Levels, *, spared: bool, threatened: AbstractSet[str] = frozenset()) -> None:
        """What a platform does with the levels that it is given; threatened workers are killed if they stay."""
        self.desired, self.cache = levels.workers, levels.cache if levels.cache is not None else self.cache
        leaving = set(levels.replace)
        for worker in self.live if leaving else ():
            if worker.name in leaving:
                self.drain(worker, spared=spared and worker.name not in threatened)
        self.settle(levels.workers + levels.surge, levels.victims, spared=spared)

    def settle(self, wanted: int, victims: tuple[str, ...], *, spared: bool) -> None:
        """Start or drain until so many are live."""
        live = self.live
        for _ in range(wanted - len(live)):
            self.start()
        if len(live) <= wanted:
            return
        if not self.kind.chooses_victims:
            live, victims = self.chance.sample(live, len(live)), ()
        by_name = {worker.name: worker for worker in live}
        named = [by_name[name] for name in victims if name in by_name]
        others = [worker for worker in reversed(live) if worker not in named]
        for worker in (*named, *others)[: len(live) - wanted]:
            self.drain(worker, spared=spared)

    def end(self, worker: Worker, reason: str) -> None:
        """A process ends unasked, with all it had, and is started anew after a back-off."""
        moment = self.now + timedelta(milliseconds=self.chance.randrange(900))
        self.exits.append(
            Exit(worker=worker.name, reason=reason, at=moment, cache=worker.cache, cached=int(worker.cached))
        )
        for task in worker.tasks:
            task.stream.waiting.append(self.t)
        worker.tasks.clear()
        worker.restarts += 1
        worker.born = self.t + BACK_OFF_SECONDS
        worker.ready_at = worker.born + START_SECONDS
        worker.cached, worker.most_cached, worker.extra_bytes = 0.0, 0.0, 0
        worker.beat, worker.beat_at = (), None

    def advance(self, seconds: float) -> None:
        """Time passes: tasks come, are taken and end; caches fill; workers leave, and are killed for their memory."""
        self.t += seconds
        for worker in self.workers[:]:
            self._finish(worker)
        self.look()
        for stream in self.streams:
            if stream.kind.long:
                self._place(stream, seconds)
            else:
                capacity = self._capacity(stream) * seconds
                stream.backlog = max(0.0, stream.backlog + stream.rate * seconds - capacity)
        self._fill(seconds)
        for worker in self.workers:
            self._beat(worker)

    def _finish(self, worker: Worker) -> None:
        if worker.tasks:
            worker.tasks = [task for task in worker.tasks if task.ends > self.t]
        if worker.drain_by is None or (worker.tasks and self.t < worker.drain_by):
            return
        late = [task for task in worker.tasks if task.ends > worker.drain_by]
        if late and worker.spared:
            seen = [task for task in late if worker.told_at is None or task.began <= worker.told_at]
            self.lost_spared += len(seen)
            self.lost_unseen += len(late) - len(seen)
        for task in late:
            task.stream.waiting.append(self.t)
        self.exits.append(Exit(worker=worker.name, reason="killed" if late else "drained", at=self.now))
        self.workers.remove(worker)

    def _capacity(self, stream: Stream) -> float:
        each = stream.kind.slots / stream.seconds
        if stream.kind.worker_rate is not None:
            each = min(each, stream.kind.worker_rate)
        whole = each * len(self.serving)
        return min(whole, 0.5 * stream.rate) if stream.limited else whole

    def _place(self, stream: Stream, seconds: float) -> None:
        expected = stream.rate * seconds
        arrived = int(expected) + (self.chance.random() < expected - int(expected))
        stream.waiting.extend([self.t] * arrived)
        while stream.waiting and self.serving:
            worker = min(self.serving, key=lambda each: len(each.tasks) + self.chance.random())
            if len(worker.tasks) >= stream.kind.slots:
                return
            stream.waiting.pop(0)
            lasts = stream.seconds * self.chance.uniform(0.5, 1.5)
            worker.tasks.append(LongTask(stream, self.t, self.t + lasts))

    def _fill(self, seconds: float) -> None:
        share = 0.0 if self.kind.cache is None else self.runs / max(len(self.serving), 1)
        speed = min(1.0, seconds / FILL_SECONDS)
        for worker in self.workers:
            if worker.state(self.t) != "ready":
                continue
            room = share if not self.kind.honours_cache or worker.cache is None else min(share, worker.cache)
            worker.cached = (
                min(worker.cached, room) if worker.cached > room else (worker.cached + (room - worker.cached) * speed)
            )
            worker.most_cached = max(worker.most_cached, worker.cached)
            if self.memory_of(worker) > LIMIT_BYTES:
                self.end(worker, "oom_killed")

    def memory_of(self, worker: Worker) -> int:
        """Resident memory of a worker."""
        runs = worker.cached if self.kind.frees_memory else worker.most_cached
        held = sum(
            stream.kind.bytes_each * self.busy(stream, worker) for stream in self.streams if stream.kind.bytes_each
        )
        return int(BASE_BYTES + runs * self.bytes_per_run * worker.heavier + held) + worker.extra_bytes

    def busy(self, stream: Stream, worker: Worker) -> int:
        """Slots of a stream that are taken on a worker."""
        if stream.kind.long:
            return sum(task.stream is stream for task in worker.tasks)
        if not worker.polls or worker.state(self.t) != "ready":
            return 0
        each = self.done_per_second(stream) * stream.seconds / max(len(self.serving), 1)
        return min(stream.kind.slots, round(each + self.chance.random() - 0.5))

    def done_per_second(self, stream: Stream) -> float:
        """What all workers do of a stream."""
        capacity = self._capacity(stream)
        return capacity if stream.backlog >= 1 else min(stream.rate, capacity)

    def _beat(self, worker: Worker) -> None:
        if not worker.beats or self.t < worker.ready_at:
            return
        if self.t - (worker.beat_at if worker.beat_at is not None else worker.ready_at) < self.kind.beats_seconds:
            return
        worker.beat_at = self.t
        objects: dict[str, dict[str, Slots]] = {}
        for stream in self.streams:
            done = self.done_per_second(stream) / max(len(self.serving), 1) if worker.polls else 0.0
            slots = Slots(used=max(0, self.busy(stream, worker)), total=stream.kind.slots, done_per_second=done)
            objects.setdefault(stream.kind.queue, {})[stream.kind.type] = slots
        worker.beat = tuple(
            WorkerObject(
                queue=queue,
                workflow=slots.get("workflow"),
                activity=slots.get("activity"),
                cached=int(worker.cached) if "workflow" in slots else None,
                cache_hits_per_second=1.0 if "workflow" in slots else None,
                cache_misses_per_second=0.1 if "workflow" in slots else None,
                sdk=self.kind.sdk,
                interval_seconds=self.kind.beats_seconds,
            )
            for queue, slots in objects.items()
        )

    def told(self) -> Told:
        """What platform, server and workers tell now."""
        self.look()
        oldest = self.now - timedelta(seconds=EXITS_TOLD_SECONDS)
        self.exits = [ended for ended in self.exits if ended.at > oldest]
        declared = [stream for stream in self.streams if stream.kind.declared]
        return Told(
            target=Target(
                desired=self.desired,
                cache=self.cache,
                memory_limit_bytes=LIMIT_BYTES,
                version=self.version,
                unschedulable=self.unschedulable,
                other_scaler=self.other_scaler,
                age_seconds=self.target_age_seconds,
                chooses_victims=self.kind.chooses_victims,
            ),
            workers=tuple(self._worker(worker) for worker in self.workers),
            queues=tuple(self._queue(stream) for stream in declared),
            task_times=tuple(self._times(stream) for stream in declared) if self.histories else (),
            replay=self._replay(),
            exits=tuple(self.exits),
            suspects=self.suspects,
        )

    def _worker(self, worker: Worker) -> WorkerTold:
        age = self.t - worker.beat_at if worker.beat_at is not None else 0.0
        state = worker.state(self.t)
        return WorkerTold(
            name=worker.name,
            state=state,
            age_seconds=max(self.t - worker.born, 0.0),
            cache=worker.cache,
            version=worker.version,
            restarts=worker.restarts,
            started_in_seconds=worker.ready_at - worker.born if self.t >= worker.ready_at else None,
            memory_bytes=self.memory_of(worker) if self.memory_known and state != "restarting" else None,
            objects=tuple(replace(beat, age_seconds=age) for beat in worker.beat),
        )

    def _queue(self, stream: Stream) -> Queue:
        if stream.age_seconds is None:
            return Queue(name=stream.kind.queue, type=stream.kind.type, age_seconds=None)
        fleets, done = stream.kind.fleets, stream.rate if stream.kind.long else self.done_per_second(stream)
        tasks, age = stream.waits(self.t, done)
        return Queue(
            name=stream.kind.queue,
            type=stream.kind.type,
            age_seconds=stream.age_seconds,
            backlog_tasks=fleets * tasks,
            backlog_age_seconds=age,
            arrivals_per_second=fleets * stream.rate,
            dispatches_per_second=fleets * done,
            rate_limited=stream.limited,
        )

    def _replay(self) -> Replay:
        if self.kind.cache is None or not self.histories:
            return Replay()
        return Replay(
            at=self.now,
            quality=Quality.FRESH,
            sticky_samples=100,
            sticky_seconds=0.01,
            normal_samples=60,
            normal_seconds=1.5 if self.dear else 0.05,
            events=100.0,
            gaps=REPLAY,
            silences=REPLAY,
            closed=40,
        )

    def _times(self, stream: Stream) -> TaskTimes:
        late = stream.backlog >= 1 or bool(stream.waiting)
        under_way = [task for worker in self.workers for task in worker.tasks if task.stream is stream]
        return TaskTimes(
            queue=stream.kind.queue,
            type=stream.kind.type,
            samples=100,
            schedule_to_start_seconds=None if late else 0.01,
            service_mean_seconds=stream.seconds,
            service_scv=0.1,
            longest_seconds=1.5 * stream.seconds,
            under_way=len(under_way) if stream.kind.long else None,
            oldest_seconds=max((self.t - task.began for task in under_way), default=0.0),
        )
