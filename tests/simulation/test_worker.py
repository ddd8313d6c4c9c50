"""One life of a worker: its cache, what lies behind it in memory, and the CPU that its tasks share."""

import pytest

from scaler.simulation.scenario import Platform, Workload
from scaler.simulation.shared_cpu import SharedCpu
from scaler.simulation.worker import Build, Worker

MIB = 2**20


def worker(cache: int, **memory: float) -> Worker:
    platform = Platform.model_validate({"memory": {"base": "100Mi", "uncollected": 0, "retained": 0.0} | memory})
    return Worker(Build.of(platform, Workload()), 1, cache)


def hits(cache: int, runs: int, rounds: int) -> int:
    """Hits of cyclic access to so many runs after the first round."""
    one = worker(cache)
    for run in range(runs):
        one.load(run, MIB)
    return sum(one.load(run, MIB) for _ in range(rounds) for run in range(runs))


@pytest.mark.parametrize(("cache", "expected"), [(40, 1.0), (38, 0.0)])
def test_cyclic_access_falls_off_a_cliff_just_below_the_working_set(cache: int, expected: float) -> None:
    """As measured with the real SDK: 40 runs, cache 40: all hits; cache 38: none."""
    assert hits(cache, runs=40, rounds=5) == expected * 40 * 5


def test_memory_is_base_and_cached_runs_and_running_activities() -> None:
    one = worker(10)
    for run in range(3):
        one.load(run, 2 * MIB)
    one.busy = 4

    assert one.memory_bytes() == (100 + 3 * 2 + 4 * 2) * MIB


def test_a_run_that_grows_is_counted_once() -> None:
    one = worker(10)
    one.load(7, MIB)
    one.load(7, 5 * MIB)

    assert one.memory_bytes() == 105 * MIB


def test_evicted_runs_stay_in_memory_until_the_collector_has_seen_enough_of_them() -> None:
    """Python with a cache of 10 and runs of 1 MiB had 60 to 80 evicted ones alive (temporal.md §12)."""
    one = worker(10, uncollected=70)
    for run in range(1000):
        one.load(run, MIB)

    assert one.memory_bytes() == (100 + 10 + 70) * MIB


def test_the_allocator_keeps_a_part_of_what_is_freed() -> None:
    one = worker(100, retained=0.5)
    for run in range(100):
        one.load(run, MIB)
    full = one.memory_bytes()
    for run in range(100):
        one.evict(run)

    assert full == 200 * MIB
    assert one.memory_bytes() == 150 * MIB


@pytest.mark.parametrize(("cache", "concurrency"), [(10, 6), (4, 1), (24, 20), (1000, 100)])
def test_a_small_cache_holds_workflow_tasks_back(cache: int, concurrency: int) -> None:
    assert worker(cache).concurrency == concurrency


def test_tasks_share_a_core_and_a_short_one_passes_a_long_one() -> None:
    cpu = SharedCpu(1.0)
    cpu.add(1, 1.0, now=0.0)
    cpu.add(2, 0.1, now=0.0)

    assert cpu.next_end() == pytest.approx(0.2)
    assert cpu.end_first(0.2) == 2
    assert cpu.next_end() == pytest.approx(1.1)


def test_no_task_uses_more_than_one_core() -> None:
    cpu = SharedCpu(4.0)
    cpu.add(1, 1.0, now=0.0)

    assert cpu.next_end() == pytest.approx(1.0)


def test_an_end_that_was_foretold_is_void_once_something_changed() -> None:
    cpu = SharedCpu(1.0)
    cpu.add(1, 1.0, now=0.0)
    foretold = cpu.changes
    cpu.add(2, 1.0, now=0.5)

    assert cpu.changes != foretold
    assert cpu.next_end() == pytest.approx(1.5)


def test_a_run_that_came_back_by_a_replay_is_heavier_until_it_is_dropped() -> None:
    workload = Workload.model_validate({"state": {"replayed_factor": 2.8}})
    one = Worker(Build.of(Platform(), workload), 1, 10)
    one.load(1, 100.0, has_history=True)
    one.load(1, 110.0)
    one.load(2, 100.0)

    assert one.cached_bytes == pytest.approx(408.0)
    one.evict(1)
    one.load(1, 100.0)
    assert one.cached_bytes == pytest.approx(200.0)


def test_a_worker_that_collects_nothing_keeps_every_run_that_it_evicts() -> None:
    one = worker(10, collects=False)
    for run in range(100):
        one.load(run, MIB)

    assert len(one.runs) == 10
    assert one.memory_bytes() == (100 + 100) * MIB
