"""A metrics stack: scrapes all workers at its interval, and shows it later. What baselines scale on."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from scaler.model.observation import WorkerState
from scaler.simulation.catalogue import task_types
from scaler.simulation.policy import Scrape
from scaler.simulation.scenario import SignalName
from scaler.simulation.tally import Waits
from scaler.simulation.visibility import Darkness, Late
from scaler.simulation.worker import Done, Worker
from scaler.simulation.world import World

CLOUD_RUN_WINDOW_SECONDS: Final = 60.0
"""Cloud Run decides on the mean CPU of the last minute (peers.md §1.7)."""


class _Counted(NamedTuple):
    """A worker's counters at one moment."""

    done: Done
    cpu_seconds: float


NEW: Final = _Counted(Done(0, 0, 0, 0, 0, 0.0, 0.0), 0.0)


class _Used(NamedTuple):
    """CPU seconds of all instances in one interval, and for how long they were there."""

    cpu_seconds: float
    instance_seconds: float


@dataclass(slots=True)
class _Waited:
    count: int = 0
    total_seconds: float = 0.0

    def mean_since(self, waits: Waits) -> float | None:
        """The mean wait of the tasks that were started since this was asked last."""
        count, total = waits.count - self.count, waits.total_seconds - self.total_seconds
        self.count, self.total_seconds = waits.count, waits.total_seconds
        return total / count if count else None


class MetricsStack:
    """Scrapes of one fleet, seen late."""

    def __init__(self, world: World[Any], rng: np.random.Generator) -> None:
        path = world.scenario.metrics.stack
        self._world = world
        self._interval = path.interval.total_seconds()
        self._late: Late[Scrape] = Late(path, rng)
        self._darkness = Darkness(world.scenario.metrics.blackouts)
        self._scraped_at = 0.0
        self._cores = world.scenario.platform.cores
        self._before: dict[Worker, _Counted] = {}  # at the scrape before
        windows = max(1, round(CLOUD_RUN_WINDOW_SECONDS / self._interval))
        self._used: deque[_Used] = deque(maxlen=windows)
        self._workflow_waits, self._activity_waits = _Waited(), _Waited()

    def sample(self, now: float) -> None:
        """Scrape if that is due; to be called once a second."""
        if now - self._scraped_at < self._interval:
            return
        scrape = self._scrape(now, now - self._scraped_at)
        self._scraped_at = now
        if not self._darkness.hides(SignalName.STACK, now):
            self._late.send(scrape, now)

    def newest(self, now: float) -> Scrape | None:
        """What can be seen now."""
        return self._late.newest(now)

    def _scrape(self, now: float, seconds: float) -> Scrape:
        world = self._world
        workers = world.platform.workers
        counted = {worker: self._counted(worker, now) for worker in workers}
        used = self._used_by_all(now, seconds, counted)
        self._used.append(used)
        serving = [worker for worker in workers if worker.serving]
        done = [_less(counted[worker].done, self._before.get(worker, NEW).done) for worker in serving]
        memory = [worker.memory_bytes() for worker in workers if worker.state is not WorkerState.RESTARTING]
        scrape = Scrape(
            at=now,
            cpu_cloud_run=self._cloud_run(),
            cpu_ready=self._cpu_ready(now - seconds, seconds, counted),
            memory_mean_bytes=sum(memory) / len(memory) if memory else None,
            memory_max_bytes=max(memory, default=None),
            workflow_slots_used=sum(world.workflow_slots_used(worker) for worker in serving),
            workflow_slots=len(serving) * world.build.workflow_slots,
            activity_slots_used=sum(worker.busy for worker in serving),
            activity_slots=len(serving) * world.build.activity_slots,
            cached=sum(len(worker.runs) for worker in serving),
            workflow_tasks_per_second=sum(each.workflow_tasks for each in done) / seconds,
            activities_per_second=sum(each.activities for each in done) / seconds,
            hits_per_second=sum(each.hits for each in done) / seconds,
            misses_per_second=sum(each.misses for each in done) / seconds,
            replays_per_second=sum(each.replays for each in done) / seconds,
            replay_seconds_per_second=sum(each.replay_seconds for each in done) / seconds,
            backlog={task_type: world.figures(task_type).waiting for task_type in task_types(world.scenario)},
            workflow_wait_seconds=self._workflow_waits.mean_since(world.tally.workflow),
            activity_wait_seconds=self._activity_waits.mean_since(world.tally.activity),
        )
        self._before = counted
        return scrape

    def _used_by_all(self, now: float, seconds: float, counted: Mapping[Worker, _Counted]) -> _Used:
        """By those that are there, and by those whose life ended in between."""
        platform = self._world.platform
        ended, platform.ended = platform.ended, []
        used = lived = 0.0
        for worker in ended:
            used += self._counted(worker, now).cpu_seconds - self._before.get(worker, NEW).cpu_seconds
            lived += seconds / 2
        for worker, each in counted.items():
            if worker.state is not WorkerState.RESTARTING:
                used += each.cpu_seconds - self._before.get(worker, NEW).cpu_seconds
                lived += min(seconds, now - worker.started_at)
        return _Used(used, lived)

    def _cloud_run(self) -> float | None:
        lived = sum(used.instance_seconds for used in self._used)
        return min(1.0, sum(used.cpu_seconds for used in self._used) / lived / self._cores) if lived else None

    def _cpu_ready(self, since: float, seconds: float, counted: Mapping[Worker, _Counted]) -> float | None:
        shares = [
            min(1.0, (each.cpu_seconds - self._before[worker].cpu_seconds) / seconds / self._cores)
            for worker, each in counted.items()
            if worker.state is WorkerState.READY and (worker.ready_at or 0.0) <= since and worker in self._before
        ]
        return sum(shares) / len(shares) if shares else None

    def _counted(self, worker: Worker, now: float) -> _Counted:
        """A life's counters, and its CPU time with that of its start-up, which is spread evenly."""
        done, start_up = worker.done(), self._world.scenario.platform.start_up
        part = min(1.0, max(0.0, now - worker.started_at) / start_up.time.mean_seconds)
        return _Counted(done, done.cpu_seconds + part * start_up.cpu.total_seconds())


def _less(done: Done, before: Done) -> Done:
    return Done(
        workflow_tasks=done.workflow_tasks - before.workflow_tasks,
        activities=done.activities - before.activities,
        hits=done.hits - before.hits,
        misses=done.misses - before.misses,
        replays=done.replays - before.replays,
        replay_seconds=done.replay_seconds - before.replay_seconds,
        cpu_seconds=done.cpu_seconds - before.cpu_seconds,
    )
