"""A worker whose memory is about to run out leaves in time, also where no smaller cache is on its way."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from scaler.model.plan import Plan
from scaler.simulation.outside import FleetLoop
from scaler.simulation.told import Queue, Slots, Target, Told, Worker, WorkerObject

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MIB = 2**20
LIMIT_MIB = 192
FIXED: dict[str, Any] = {
    "name": "jobs",
    "target": {"kind": "local", "name": "jobs"},
    "task_queues": [{"name": "jobs"}],
    "workers": {"min": 1, "max": 8},
    "cache": {"delivery": "fixed"},
}


def told(memory_mib: Iterable[int], **more: Any) -> Told:
    """Workers that use so much, with half of their slots taken."""
    beat = WorkerObject(
        queue="jobs",
        workflow=Slots(used=0, total=100, done_per_second=2.0),
        activity=Slots(used=4, total=8, done_per_second=2.0),
        cached=60,
        interval_seconds=5.0,
    )
    workers = tuple(
        Worker(name=f"w-{n}", age_seconds=300, started_in_seconds=4.0, memory_bytes=mib * MIB, objects=(beat,))
        for n, mib in enumerate(memory_mib)
    )
    queues = tuple(
        Queue(name="jobs", type=kind, backlog_tasks=0, arrivals_per_second=8.0, dispatches_per_second=8.0)
        for kind in ("workflow", "activity")
    )
    target = Target(desired=len(workers), memory_limit_bytes=LIMIT_MIB * MIB)
    return Told(target=target, workers=workers, queues=queues, **more)


def planned(*seen: Told) -> Plan:
    """The plan on the last of some observations, five seconds apart."""
    loop, now = FleetLoop(FIXED, NOON), NOON
    for each in seen:
        loop.decide(now)
        loop.apply(now, desired=each.target.desired)
        while not loop.watch(each, now):
            now += timedelta(seconds=1)
        now += timedelta(seconds=5)
    return loop.decide(now)


def test_the_fullest_worker_is_replaced_before_it_is_killed() -> None:
    """At 3 MiB a second it has four seconds left, and a new worker takes four to start."""
    plan = planned(*(told((100, fullest, 100, 100)) for fullest in (135, 150, 165, 180)))

    assert plan.replace == ("w-1",)
    assert plan.surge == 1
    assert plan.size is not None
    assert plan.size.workers >= 4


def test_of_workers_that_fill_up_together_half_stay_until_others_serve() -> None:
    plan = planned(*(told((each, each + 2, each + 1, each)) for each in (135, 150, 165, 180)))

    assert plan.replace == ("w-1", "w-2")


def test_a_worker_that_keeps_to_a_high_level_stays() -> None:
    assert planned(*[told((100, 180, 100, 100))] * 12).replace == ()


def test_the_only_worker_that_serves_stays() -> None:
    assert planned(*(told((fullest,)) for fullest in (135, 150, 165, 180))).replace == ()


def test_nobody_is_replaced_for_a_workflow_that_would_fill_the_next_worker_too() -> None:
    seen = [told((100, fullest, 100, 100), suspects=("poison",)) for fullest in (135, 150, 165, 180)]

    assert planned(*seen).replace == ()
