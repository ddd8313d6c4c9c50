"""What a load needs, computed from all of it: for those that know the future, and for the best size in hindsight."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from scaler.fleet import CACHE_FLOOR
from scaler.simulation.future import Future
from scaler.simulation.scenario import Scenario
from scaler.simulation.traces import Floats, Integers

WINDOW_SECONDS: Final = 10.0
SMOOTHED_WINDOWS: Final = 6
"""Replays may wait for a minute's spare CPU: what waits for a slot is what counts, and slots are many."""

FULLEST_UTILISATION: Final = 0.85
MEMORY_MARGIN: Final = 0.03
UNEVENNESS: Final = 0.92
"""Caches fill unevenly: together they hold this part of what one cache of their size would."""


@dataclass(frozen=True)
class Needed:
    """One scenario's workers under one load, nothing of which is unknown."""

    scenario: Scenario
    future: Future

    def workers(self, cache: int) -> Integers:
        """The fewest workers in each window that have a slot for every activity and CPU for every workflow task."""
        platform = self.scenario.platform
        by_slots = np.ceil(self._busy_slots / platform.slots.activity - 1e-9).astype(np.int64)
        needed = np.maximum(by_slots, 1)
        missing = np.ones(len(needed), dtype=bool)
        for count in range(1, platform.workers.max + 1):
            cores = count * platform.workflow_cores * FULLEST_UTILISATION
            enough = self._cpu(count * cache) <= cores
            needed[missing & enough] = np.maximum(needed[missing & enough], count)
            missing &= ~enough
            if not missing.any():
                break
        needed[missing] = platform.workers.max
        return np.minimum(needed, platform.workers.max)

    def largest_cache(self, start: float = 0.0, end: float = np.inf) -> int:
        """The largest cache that a worker's memory has room for between two moments, whatever fills it."""
        memory, activity = self.scenario.platform.memory, self.scenario.workload.activity
        room = (
            (1 - MEMORY_MARGIN) * memory.limit - memory.base - self.scenario.platform.slots.activity * activity.memory
        )
        mean, deviation = self._largest_runs(start, end)
        cache = room / mean - memory.uncollected if mean else self.scenario.start.cache
        cache -= 3 * deviation / mean * np.sqrt(max(cache, 0.0)) if mean else 0.0
        return max(CACHE_FLOOR, int(cache))

    def _largest_runs(self, start: float, end: float) -> tuple[float, float]:
        """Mean and deviation of the bytes of cached runs in the minutes in which they are largest."""
        load = self.future.load
        inside = (load.at >= start) & (load.at < end)
        if not inside.any():
            return 0.0, 0.0
        minute = (load.at[inside] / 60).astype(np.int64)
        minute -= minute[0]
        sizes = load.state_bytes[inside]
        counts = np.maximum(np.bincount(minute), 1)
        means = np.bincount(minute, sizes) / counts
        return float(means.max()), float(sizes.std() * means.max() / sizes.mean())

    def _cpu(self, capacity: float) -> Floats:
        """Cores that workflow tasks keep busy in each window, with caches for so many runs in all."""
        misses = self._gaps > self._characteristic_seconds(UNEVENNESS * capacity)
        replays, _ = np.histogram(self.future.load.at, self._edges, weights=self._replay_seconds * misses)
        smooth = np.ones(SMOOTHED_WINDOWS) / SMOOTHED_WINDOWS
        busy: Floats = self._task_cpu + np.convolve(replays / WINDOW_SECONDS, smooth, mode="same")
        return busy

    def _characteristic_seconds(self, capacity: float) -> float:
        """How long a run stays in caches of this size after its last use (Che's approximation)."""
        held, seconds = self._held
        return float(np.interp(capacity, held, seconds, right=np.inf))

    @cached_property
    def _edges(self) -> Floats:
        return np.arange(0.0, self.future.load.seconds + WINDOW_SECONDS, WINDOW_SECONDS)

    @cached_property
    def _busy_slots(self) -> Floats:
        return self.future.activity_slots(WINDOW_SECONDS)

    @cached_property
    def _task_cpu(self) -> Floats:
        workload = self.scenario.workload
        cpu = workload.turn.workflow_tasks * workload.workflow_task_cpu.total_seconds()
        return self.future.turns_per_second(WINDOW_SECONDS) * cpu

    @cached_property
    def _replay_seconds(self) -> Floats:
        replay, events = self.scenario.workload.replay, self.future.load.events
        cost = replay.cpu.total_seconds() + replay.per_event.total_seconds() * events
        return np.where(events > 0, cost, 0.0)

    @cached_property
    def _gaps(self) -> Floats:
        """Seconds since the turn before of the same session; none for those that were open at the start."""
        load = self.future.load
        order = np.lexsort((load.at, load.session))
        gaps = np.zeros(len(load))
        same = load.session[order][1:] == load.session[order][:-1]
        gaps[order[1:]] = np.where(same, np.diff(load.at[order]), 0.0)
        return gaps

    @cached_property
    def _held(self) -> tuple[Floats, Floats]:
        """How many runs are used within so many seconds, on average: all that are, less those that are used again."""
        load, known = self.future.load, self._gaps[self._gaps > 0]
        seconds = np.geomspace(1.0, max(load.seconds, 2.0), 200)
        again = np.searchsorted(np.sort(known), seconds) / max(len(load), 1)
        survival = 1 - again
        steps = np.diff(seconds, prepend=0.0)
        held: Floats = load.turns_per_second * np.cumsum(steps * survival)
        return held, seconds
