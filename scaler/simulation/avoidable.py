"""Whether a scenario's OOM kills can be avoided: by how much memory can grow before anybody could have reacted."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from scaler.fleet import CACHE_FLOOR, MemoryBound
from scaler.model.plan import SHORTEST_TICK
from scaler.simulation.load import Load
from scaler.simulation.scenario import Scenario

SAMPLING_SECONDS: Final = 1.0
"""The watch samples once a second, and the step that answers takes as long."""

UNEVENNESS: Final = 3.0
"""Standard deviations by which the worker that gets the most turns is above the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoidability:
    """Growth of one worker's memory within one reaction time, against the head-room that is there for it."""

    reaction_seconds: float
    growth_bytes: float
    headroom_bytes: float
    smallest_bytes: float
    """Memory of a worker with the smallest cache; where this is over the usable limit, no size is safe."""
    usable_bytes: float

    @property
    def avoidable(self) -> bool:
        """Whether a fleet that was under its limit less head-room could have stayed under its limit."""
        return self.growth_bytes <= self.headroom_bytes and self.smallest_bytes <= self.usable_bytes


def avoidability(scenario: Scenario, load: Load) -> Avoidability:
    """Hold the fastest growth of a load against the head-room.

    Every turn within one reaction time is taken to bring a run that was in no cache, to as many workers as the
    fleet starts with; which is what a cold fleet has to bear, and more than a warm one.
    """
    memory, headroom = scenario.platform.memory, MemoryBound().headroom
    reaction = reaction_seconds(scenario)
    turns, gross = _most_within(load, reaction)
    workers = max(1, scenario.start.workers)
    mean_bytes = gross / turns if turns else 0.0
    share = turns / workers
    largest = float(np.percentile(load.state_bytes, 99)) if len(load) else 0.0
    activities = scenario.platform.slots.activity * scenario.workload.activity.memory
    replayed = scenario.workload.state.replayed_factor  # every run may have come back
    return Avoidability(
        reaction_seconds=reaction,
        growth_bytes=replayed * (share + UNEVENNESS * np.sqrt(share)) * mean_bytes,
        headroom_bytes=headroom * memory.limit,
        smallest_bytes=memory.base + (CACHE_FLOOR + memory.uncollected) * replayed * largest + activities,
        usable_bytes=(1 - headroom) * memory.limit,
    )


def reaction_seconds(scenario: Scenario) -> float:
    """From the byte that is too much until the worker takes no more: sampled, seen, decided, done."""
    sampled = scenario.metrics.memory.total_seconds()
    return sampled + SAMPLING_SECONDS + SHORTEST_TICK.total_seconds() + SAMPLING_SECONDS


def _most_within(load: Load, seconds: float) -> tuple[int, float]:
    """The window of so many seconds that touches the most bytes: its turns, and their bytes."""
    if not len(load):
        return 0, 0.0
    total = np.concatenate([[0.0], np.cumsum(load.state_bytes)])
    first = np.arange(len(load))
    last = np.searchsorted(load.at, load.at + seconds)
    gross = total[last] - total[first]
    most = int(np.argmax(gross))
    return int(last[most] - most), float(gross[most])
