"""One life of one worker process: its cache, its memory and what it has done. A restart is another life."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from scaler.model.observation import WorkerState
from scaler.simulation.scenario import Footprint, Platform, Workload

POLLERS_HELD: Final = 4
"""Workflow task slots that idle sticky polls hold: concurrency is about cache − 4 (measured, sdk-core)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What every worker of a world is made of."""

    memory: Footprint
    replayed_factor: float  # by which a run that came back by a replay is larger than one that grew
    activity_bytes: int
    activity_cpu_seconds: float
    task_cpu_seconds: float  # of a workflow task without a replay
    workflow_slots: int
    activity_slots: int
    workflow_cores: float

    @classmethod
    def of(cls, platform: Platform, workload: Workload) -> "Build":
        """As the scenario declares it."""
        return cls(
            memory=platform.memory,
            replayed_factor=workload.state.replayed_factor,
            activity_bytes=workload.activity.memory,
            activity_cpu_seconds=workload.activity.cpu.total_seconds(),
            task_cpu_seconds=workload.workflow_task_cpu.total_seconds(),
            workflow_slots=platform.slots.workflow,
            activity_slots=platform.slots.activity,
            workflow_cores=platform.workflow_cores,
        )


class Done(NamedTuple):
    """What a worker has done in its life, as its own counters would say."""

    workflow_tasks: int
    activities: int
    hits: int
    misses: int
    replays: int
    replay_seconds: float
    cpu_seconds: float


class Worker:
    """One life of a worker.

    The cache is an LRU of runs, as in sdk-core: a run that is loaded pushes the longest unused one out. What is
    evicted stays in memory until so many more were, which is how Python's cyclic collector behaves (temporal.md §12).
    """

    __slots__ = (
        "activities_done",
        "base_bytes",
        "build",
        "busy",
        "cache",
        "cached_bytes",
        "concurrency",
        "crashes",
        "drain_until",
        "due_at",
        "garbage",
        "garbage_bytes",
        "hits",
        "killed_at",
        "misses",
        "name",
        "number",
        "peak_bytes",
        "polls_activities",
        "polls_workflows",
        "ready_at",
        "replay_seconds",
        "replayed",
        "replays",
        "restarts",
        "runs",
        "said_cached",
        "sampled_at",
        "sampled_bytes",
        "sampled_peak_bytes",
        "serving",
        "started_at",
        "state",
        "top_bytes",
        "workflow_tasks_done",
        "workflow_tasks_started",
    )

    def __init__(self, build: Build, number: int, cache: int) -> None:
        self.build = build
        self.number = number
        self.name = f"w-{number}"
        self.take_cache(cache)
        self.state = WorkerState.STARTING
        self.serving = False  # it polls for new tasks
        self.due_at = 0.0  # when its present state ends by itself
        self.started_at = math.inf
        self.ready_at: float | None = None
        self.killed_at: float | None = None  # without having said goodbye to the server
        self.drain_until = 0.0
        self.restarts = 0
        self.crashes = 0  # in a row
        self.runs: dict[int, float] = {}  # bytes by session, the longest unused first
        self.replayed: set[int] = set()  # sessions whose runs came back by a replay
        self.garbage: deque[float] = deque()
        self.base_bytes = float(build.memory.base)
        self.cached_bytes = 0.0
        self.garbage_bytes = 0.0
        self.top_bytes = 0.0  # the most that was ever in use
        self.peak_bytes = 0.0  # of resident memory, since the platform last sampled it
        self.sampled_bytes: float | None = None  # as the platform last saw it
        self.sampled_peak_bytes: float | None = None  # the highest since somebody looked
        self.sampled_at = 0.0
        self.said_cached: int | None = None  # in the newest of its heartbeats that was read
        self.busy = 0  # activities that run
        self.polls_workflows = False  # one of its polls lies with the server
        self.polls_activities = False
        self.workflow_tasks_started = 0
        self.workflow_tasks_done = 0
        self.activities_done = 0
        self.hits = 0
        self.misses = 0
        self.replays = 0
        self.replay_seconds = 0.0

    def take_cache(self, cache: int) -> None:
        """Start under this cache size; a small one holds workflow tasks back."""
        self.cache = cache
        self.concurrency = max(1, min(self.build.workflow_slots, cache - POLLERS_HELD))

    def load(self, session: int, size_bytes: float, *, has_history: bool = False) -> bool:
        """Use a run, which then takes so many bytes; whether it was in the cache.

        One that was not, and has a history, is built by a replay, and as large as such a run is until it is dropped.
        """
        before = self.runs.pop(session, None)
        if before is None and has_history and self.build.replayed_factor > 1:
            self.replayed.add(session)
        if self.replayed and session in self.replayed:
            size_bytes *= self.build.replayed_factor
        self.runs[session] = size_bytes
        self.cached_bytes += size_bytes
        if before is not None:
            self.cached_bytes -= before
            return True
        if len(self.runs) > self.cache:
            self.evict(next(iter(self.runs)))
        return False

    def forget(self, session: int) -> None:
        """Drop a run without a trace, as only the making of a world may."""
        self.cached_bytes -= self.runs.pop(session)

    def evict(self, session: int) -> None:
        """Drop a run; its memory comes back when the collector has seen enough of them."""
        size_bytes = self.runs.pop(session, None)
        if size_bytes is None:
            return
        self.cached_bytes -= size_bytes
        self.replayed.discard(session)
        self.garbage_bytes += size_bytes
        if not self.build.memory.collects:
            return
        self.garbage.append(size_bytes)
        if len(self.garbage) > self.build.memory.uncollected:
            self.garbage_bytes -= self.garbage.popleft()

    def memory_bytes(self) -> float:
        """Resident memory now: what is used, and what the allocator kept of what was."""
        build = self.build
        used = self.base_bytes + self.cached_bytes + self.garbage_bytes + self.busy * build.activity_bytes
        self.top_bytes = max(self.top_bytes, used)
        resident = used + build.memory.retained * (self.top_bytes - used)
        self.peak_bytes = max(self.peak_bytes, resident)
        return resident

    def done(self) -> Done:
        """Its counters."""
        build = self.build
        tasks_cpu = self.workflow_tasks_started * build.task_cpu_seconds
        activities_cpu = (self.activities_done + self.busy) * build.activity_cpu_seconds
        return Done(
            workflow_tasks=self.workflow_tasks_done,
            activities=self.activities_done,
            hits=self.hits,
            misses=self.misses,
            replays=self.replays,
            replay_seconds=self.replay_seconds,
            cpu_seconds=tasks_cpu + activities_cpu + self.replay_seconds,
        )

    def sample(self, now: float) -> None:
        """What the platform sees of its memory now."""
        self.sampled_bytes, self.sampled_at = self.memory_bytes(), now
        self.sampled_peak_bytes = max(self.sampled_peak_bytes or 0.0, self.peak_bytes)
        self.peak_bytes = 0.0
