"""Counts a worker's workflow caches: one for each Worker object, or one for its process, as its SDK has it. Pure."""

from collections.abc import Iterable, Sequence

from activities.sources.heartbeats import Heartbeat

ONE_CACHE_A_PROCESS = frozenset({"temporal-go"})
"""SDKs whose Worker objects in one process share a cache (Go's `worker.SetStickyWorkflowCacheSize`): each tells of all
that it holds. Of Java a factory has one, and its workers tell of it as it is."""


def worker_caches(beats: Iterable[Heartbeat]) -> Sequence[int]:
    """How many workflows each cache of a worker holds, by what the Worker objects say that use it."""
    caches: dict[tuple[str, int | None, str | None], int] = {}
    for beat in beats:
        if beat.cached is not None:
            shared = beat.sdk in ONE_CACHE_A_PROCESS
            cache = (beat.host_name, beat.process_id, None if shared else beat.instance_key)
            caches[cache] = max(caches.get(cache, 0), beat.cached)
    return tuple(caches.values())
