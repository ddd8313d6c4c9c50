"""Which fixed cache a policy that does not decide it runs with."""

from enum import StrEnum
from typing import Final

from scaler.fleet import CACHE_FLOOR, MemoryBound
from scaler.simulation.scenario import Scenario

SDK_DEFAULT: Final = 1000
"""`max_cached_workflows` of the Python SDK."""


class CacheSetting(StrEnum):
    """Whose choice it is."""

    FOUND = "found"  # what the scenario starts with
    DEFAULT = "default"  # the SDK's
    TUNED = "tuned"  # by hand or on training traces
    TENTH = "tenth"  # of the tuned one, as it was set in the incident


def start_cache(scenario: Scenario, setting: CacheSetting, tuned: int | None = None) -> int | None:
    """The cache to start with; None is what the scenario starts with."""
    if setting is CacheSetting.FOUND:
        return None
    if setting is CacheSetting.DEFAULT:
        return SDK_DEFAULT
    cache = hand_tuned(scenario) if tuned is None else tuned
    return cache if setting is CacheSetting.TUNED else max(CACHE_FLOOR, cache // 10)


def hand_tuned(scenario: Scenario) -> int:
    """What a careful person works out in the first minutes: the head-room stays free, at the bytes that runs have then.

    Drift and steps come later, so they are not in it.
    """
    memory, workload = scenario.platform.memory, scenario.workload
    run_bytes = workload.state.bytes + workload.state.per_turn * workload.sessions.turns
    activities = scenario.platform.slots.activity * workload.activity.memory
    room = (1 - MemoryBound().headroom) * memory.limit - memory.base - activities
    return max(CACHE_FLOOR, int(room / run_bytes) - memory.uncollected) if run_bytes else SDK_DEFAULT
