"""Emergencies of memory: what they cut, what they leave alone, and which kills are the cache's doing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.model.common import Size
from scaler.model.decision import Mode, Reason
from scaler.model.observation import ExitReason, Observation, ReplaySeen, WorkerExit, WorkerState
from scaler.model.remembered import Operator
from tests.support.plausible import BASE_BYTES, Life, with_workers
from tests.support.strategies import declared

MIB = 2**20


def life(workers: int = 4, cache: int = 200, bytes_per_workflow: int = MIB, **changes: object) -> Life:
    fleet = declared(**({"workers": {"min": 1, "max": 30}} | changes))
    return Life(fleet, Size(workers, cache), bytes_per_workflow, ReplaySeen())


def killed(fleet: Life, number: int, cached: int) -> WorkerExit:
    at = fleet.now - timedelta(seconds=1)
    return WorkerExit(worker=f"w-{number}", reason=ExitReason.OOM_KILLED, at=at, cache=fleet.size.cache, cached=cached)


def with_restart(seen: Observation, number: int, *exits: WorkerExit) -> Observation:
    rows = tuple(
        replace(row, state=WorkerState.RESTARTING, memory_bytes=None) if place == number else row
        for place, row in enumerate(seen.workers)
    )
    return replace(with_workers(seen, rows), exits=exits)


def test_a_crash_loop_cuts_below_the_declared_minimum() -> None:
    """A hundred runs of 5 MiB do not fit 512 MiB, whatever cache.min says."""
    fleet = life(cache=100, bytes_per_workflow=5 * MIB)
    fleet.fleet = declared(workers={"min": 1, "max": 30}, cache={"min": 100, "max": 400})
    for tick in range(14):
        seen = fleet.observe(4.0, min(0.05 * (tick + 1), 0.5))
        if tick >= 2:
            seen = with_restart(seen, tick % 4, killed(fleet, tick % 4, 90))
        fleet.tick(seen, Operator())
        if tick == 3:
            assert fleet.size.cache is not None
            assert fleet.size.cache <= 75

    assert fleet.size.cache == 10


def test_the_first_cut_keeps_a_declared_minimum_that_memory_is_thought_to_hold() -> None:
    fleet = life(cache=200)
    fleet.fleet = declared(workers={"min": 1, "max": 30}, cache={"min": 180, "max": 400})
    for fill in (0.2, 0.5, 0.7, 0.9):
        fleet.tick(fleet.observe(4.0, fill), Operator())
    fleet.tick(replace(fleet.observe(4.0, 0.9), exits=(killed(fleet, 0, 180),)), Operator())
    first = fleet.size.cache
    fleet.tick(replace(fleet.observe(4.0, 0.9), exits=(killed(fleet, 1, 170),)), Operator())

    assert first == 180
    assert fleet.size.cache is not None
    assert fleet.size.cache < 180


@pytest.mark.parametrize("suspects", [("conversation-7",), ()], ids=["a poison workflow", "one huge activity"])
def test_a_kill_that_living_workers_contradict_is_not_the_caches_doing(suspects: tuple[str, ...]) -> None:
    """It had 20 runs cached where others hold 180 at half of the limit; once 11 were left of 200, for six hours."""
    fleet = life()
    for tick in range(30):
        fleet.tick(fleet.observe(4.0, 0.9 if tick > 3 else 0.2), Operator())
    kill, began, smallest = killed(fleet, 0, 20), fleet.now, 200
    for _ in range(40):
        seen = fleet.observe(4.0, 0.9)
        if fleet.now - kill.at < timedelta(minutes=10):
            seen = replace(seen, exits=(kill,), suspects=suspects)
        fleet.tick(seen, Operator())
        assert fleet.size.cache is not None
        smallest = min(smallest, fleet.size.cache)

    assert fleet.now - began == timedelta(minutes=10)
    assert smallest == (200 if suspects else 140)


def test_a_kill_that_living_workers_agree_with_bounds_the_cache() -> None:
    """Others hold 160 in 395 of 512 MiB; 160 killed one, so they need more than the limit."""
    fleet = life(cache=160, bytes_per_workflow=int(2.1 * MIB))
    for fill in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.0):
        fleet.tick(fleet.observe(4.0, fill), Operator())
    fleet.tick(replace(fleet.observe(4.0, 1.0), exits=(killed(fleet, 0, 160),)), Operator())

    assert fleet.steps[-2].wanted.cache == 160
    assert fleet.size.cache is not None
    assert fleet.size.cache < 112


@pytest.mark.parametrize(
    ("limit_mib", "ramp"),
    [(160, (20, 60, 100)), (192, (20, 70, 120)), (256, (30, 90, 150)), (512, (40, 160, 260)), (1024, (50, 250, 500))],
)
def test_a_worker_that_loads_its_libraries_is_no_emergency(limit_mib: int, ramp: tuple[int, ...]) -> None:
    """Nothing is cached; memory stops at 49 to 63 % of the limit, as soon as the worker serves."""
    fleet = life(workers=2, cache=100)
    for tick in range(30):
        seen, starting = fleet.observe(0.5, 0.0), tick < len(ramp)
        rows = tuple(
            replace(
                row,
                state=WorkerState.STARTING if starting else WorkerState.READY,
                age_seconds=5.0 * tick,
                memory_bytes=ramp[min(tick, len(ramp) - 1)] * MIB,
                started_in_seconds=None if starting else 10.0,
                heartbeat_age_seconds=None,
                caches=None,
                cached=None,
                workflow_slots=None,
                activity_slots=None,
                activity_slots_used=None,
            )
            for row in seen.workers
        )
        seen = with_workers(seen, rows)
        began = fleet.now
        limited = replace(seen, target=replace(seen.target, memory_limit_bytes=limit_mib * MIB))
        fleet.tick(limited, Operator())
        fleet.now = began + timedelta(seconds=5)

    assert Mode.EMERGENCY not in {step.decision.mode for step in fleet.steps}
    assert fleet.size.cache == 100


def _growing(fill: float) -> set[Mode]:
    """The modes while two workers grow by 80 MiB in five seconds, to 380 of 512 MiB, their caches so full."""
    fleet = life(workers=2, cache=100)
    for tick in range(5):
        seen = fleet.observe(0.5, fill)
        rows = tuple(replace(row, memory_bytes=(60 + 80 * tick) * MIB, memory_age_seconds=0.0) for row in seen.workers)
        began = fleet.now
        fleet.tick(with_workers(seen, rows), Operator())
        fleet.now = began + timedelta(seconds=5)
    return {step.decision.mode for step in fleet.steps}


def test_memory_that_grows_in_workers_whose_caches_are_full_is_no_emergency_far_from_the_limit() -> None:
    assert Mode.EMERGENCY not in _growing(1.0)


def test_memory_that_grows_while_caches_fill_is_one_before_it_reaches_the_limit() -> None:
    assert Mode.EMERGENCY in _growing(0.5)


def test_a_peak_between_two_samples_counts_for_the_safe_cache() -> None:
    """At its peak a worker with 100 runs used 410 MiB, of which 435 are usable: 200 do not fit."""
    fleet = life(cache=200)
    for fill in (0.1, 0.2, 0.3, 0.4, 0.45, 0.5):
        seen = fleet.observe(4.0, fill)
        peaks = tuple(
            replace(row, memory_peak_bytes=int(3.5 * (row.cached or 0) * MIB) + BASE_BYTES) for row in seen.workers
        )
        fleet.tick(with_workers(seen, peaks), Operator())

    assert fleet.size.cache is not None
    assert 60 + 3.5 * fleet.size.cache <= 435
    assert Reason.CACHE_CUT in {reason for step in fleet.steps for reason in step.decision.reasons}
