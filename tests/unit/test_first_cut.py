"""A cache that is far too large is cut once, when half of what is safe was seen, and not to next to nothing before."""

from datetime import UTC, datetime, timedelta
from typing import Any

from scaler.model.common import Size
from scaler.simulation.outside import FleetLoop
from scaler.simulation.told import Queue, Slots, Target, Told, Worker, WorkerObject

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MIB = 2**20
FLEET: dict[str, Any] = {
    "name": "jobs",
    "target": {"kind": "local", "name": "jobs"},
    "task_queues": [{"name": "jobs"}],
    "workers": {"min": 1, "max": 8},
}


def told(cached: int, used: int) -> Told:
    """Two workers, 62 MiB when empty, with so many runs of 1.5 MiB in caches of a thousand."""
    beat = WorkerObject(
        queue="jobs",
        workflow=Slots(used=0, total=100, done_per_second=2.0),
        activity=Slots(used=used, total=8, done_per_second=2.0),
        cached=cached,
        interval_seconds=5.0,
    )
    memory = int((62 + 1.5 * cached) * MIB)
    workers = tuple(
        Worker(name=f"w-{n}", age_seconds=300, started_in_seconds=4.0, cache=1000, memory_bytes=memory, objects=(beat,))
        for n in range(2)
    )
    queues = tuple(
        Queue(name="jobs", type=kind, backlog_tasks=0, arrivals_per_second=4.0, dispatches_per_second=4.0)
        for kind in ("workflow", "activity")
    )
    return Told(target=Target(desired=2, cache=1000, memory_limit_bytes=192 * MIB), workers=workers, queues=queues)


def planned(most_cached: int) -> Size | None:
    """The size once caches have filled so far, two runs in five seconds, while slots are taken now and then."""
    loop, now = FleetLoop(FLEET, NOON), NOON
    for cached in range(0, most_cached + 1, 2):
        seen = told(cached, 1 + cached // 2 % 3)
        loop.decide(now)
        loop.apply(now, desired=2)
        while not loop.watch(seen, now):
            now += timedelta(seconds=1)
        now += timedelta(seconds=5)
    return loop.decide(now).size


def test_a_few_runs_cut_no_cache() -> None:
    assert planned(8) == Size(2, 1000)


def test_a_cache_is_cut_to_what_is_safe_also_when_runs_are_replayed_once_half_was_seen() -> None:
    size = planned(40)

    assert size is not None
    assert size.cache is not None
    assert 20 <= size.cache <= 67
