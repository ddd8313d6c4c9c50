"""What holds in both worlds: nothing is lost, nothing but the seed decides, and Temporal's rules are kept."""

from typing import Any

import pytest

from scaler.model.common import Size, TaskType
from scaler.model.observation import ExitReason
from scaler.simulation.run import Mode
from scaler.simulation.world import World
from tests.simulation.worlds import MODES, declared, load, run_for, world

BOTH = pytest.mark.parametrize("mode", list(MODES))
MIB = 2**20

CRASHING: dict[str, Any] = {
    "platform": {
        "memory": {"limit": "256Mi", "base": "100Mi", "uncollected": 0},
        "start_up": {"time": {"mean": "10s", "scv": 0}},
    },
    "workload": {"state": {"bytes": "2Mi"}, "activity": {"service": {"mean": "3s"}, "lost_after": "10s"}},
    "start": {"workers": 4, "cache": 1000, "warm": False},
}
"""Every worker is killed after some eighty runs, again and again."""


def drained_out(running: World[Any], workers: int) -> World[Any]:
    """Run to the end of the arrivals, then help until all that is under way can end."""
    run_for(running, running.load.seconds)
    running.platform.resize(Size(workers, 20), running.now)
    for _ in range(1800):
        run_for(running, 1)
        running.platform.roll(running.now)
    return running


@BOTH
def test_every_turn_is_answered_in_the_end_whatever_crashed_on_the_way(mode: Mode) -> None:
    done = drained_out(world(declared(**CRASHING), mode), workers=20)

    kills = [ended for ended in done.platform.exits if ended.reason is ExitReason.OOM_KILLED]
    assert len(kills) > 10
    assert done.tally.lost_activities > 0
    assert done.tally.answered == len(done.load)
    assert len(done.tally.turn_seconds) == done.tally.answered


@BOTH
def test_a_turn_whose_activity_has_no_attempts_left_fails_and_is_not_lost(mode: Mode) -> None:
    changes = CRASHING | {"workload": CRASHING["workload"] | {"activity": {"attempts": 1, "lost_after": "10s"}}}
    done = drained_out(world(declared(**changes), mode), workers=20)

    assert done.tally.failed > 0
    assert done.tally.answered + done.tally.failed == len(done.load)


@BOTH
def test_turns_without_activities_are_answered_too(mode: Mode) -> None:
    running = run_for(world(declared(workload={"turn": {"workflow_tasks": 1, "activities": 0}}), mode), 300)

    assert running.tally.answered > 1000


@BOTH
def test_what_is_not_answered_yet_waits(mode: Mode) -> None:
    """At any moment: arrived = answered + with their session + behind another turn of it."""
    running = run_for(world(declared(start={"workers": 2}), mode), 300)

    at_it = sum(turn >= 0 for turn in running._turn_of)
    behind = sum(len(turns) for turns in running._pending.values())
    arrived = int((running.load.at < running.now).sum())
    assert arrived == running.tally.answered + at_it + behind
    assert at_it > 100


@BOTH
def test_tasks_that_wait_at_the_end_are_late(mode: Mode) -> None:
    running = run_for(world(declared(start={"workers": 1}), mode), 600)
    before = sum(running.tally.activity.late)
    running.finish()

    assert sum(running.tally.activity.late) > before + 100


@BOTH
def test_the_same_seed_gives_the_same_run(mode: Mode) -> None:
    first, again, other = (run_for(world(declared(**CRASHING), mode, seed), 400) for seed in (3, 3, 4))

    assert first.tally == again.tally
    assert first.platform.exits == again.platform.exits
    assert first.tally.turn_seconds != other.tally.turn_seconds


@BOTH
@pytest.mark.parametrize(("workers", "cache"), [(2, 80), (4, 40), (8, 20)])
def test_the_miss_ratio_follows_from_workers_times_cache_alone(mode: Mode, workers: int, cache: int) -> None:
    """Sticky execution parts the runs among the workers: |difference| at most 0.05 (measured: control.md §0.3)."""
    scenario = declared(
        platform={"slots": {"activity": 100}},
        workload={"sessions": {"turns": 8, "gap": {"mean": "60s", "scv": 4}}, "activity": {"service": {"mean": "1s"}}},
        start={"workers": workers, "cache": cache, "warm": False},
        duration="30m",
    )
    running = run_for(world(scenario, mode), 1800)
    misses = sum(worker.misses for worker in running.platform.workers)

    assert misses / len(running.load) == pytest.approx(0.15, abs=0.05)


@BOTH
@pytest.mark.parametrize(("cache", "expected"), [(105, 0.0), (85, 1.0)])
def test_a_cache_just_below_a_cyclic_working_set_finds_nothing(mode: Mode, cache: int, expected: float) -> None:
    """Two workers have a hundred runs each; how unevenly they fell on them is what the five are for."""
    scenario = declared(
        arrivals={"kind": "cyclic", "sessions": 200, "period": "50s"},
        start={"workers": 2, "cache": cache, "warm": False},
        platform={"slots": {"activity": 20}},
        workload={"activity": {"service": {"mean": "0.5s", "scv": 0}}},
    )
    running = world(scenario, mode)
    run_for(running, 60)
    first = sum(worker.misses for worker in running.platform.workers)
    run_for(running, 300)
    misses = sum(worker.misses for worker in running.platform.workers) - first

    assert misses / (4 * 300) == pytest.approx(expected, abs=0.05)


@BOTH
def test_the_first_workflow_task_of_a_run_is_no_miss_and_replays_nothing(mode: Mode) -> None:
    scenario = declared(workload={"sessions": {"turns": 1, "gap": {"mean": "30s"}}}, start={"warm": False})
    running = run_for(world(scenario, mode), 300)

    assert running.tally.replays == 0
    assert sum(worker.done().misses for worker in running.platform.workers) == 0


@BOTH
def test_sticky_tasks_of_a_killed_worker_wait_for_ten_seconds_where_no_backlog_shows_them(mode: Mode) -> None:
    running = run_for(world(declared(), mode), 120)
    backlog_before = running.figures(TaskType.WORKFLOW).waiting
    late_before = sum(running.tally.workflow.late)
    for worker in running.platform.workers[1:]:
        running.platform.kill(worker, ExitReason.CRASHED, running.now)
    run_for(running, 9)
    hidden = running.figures(TaskType.WORKFLOW).waiting
    run_for(running, 15)

    assert backlog_before == hidden == 0
    assert running.tally.sticky_timeouts > 10
    assert sum(running.tally.workflow.late) - late_before >= running.tally.sticky_timeouts
    assert sum(worker.done().misses for worker in running.platform.workers) == 0  # whole histories are no misses
    assert running.tally.replays > 10


@BOTH
def test_a_worker_that_says_goodbye_leaves_nobody_waiting(mode: Mode) -> None:
    running = run_for(world(declared(start={"workers": 6}), mode), 120)
    running.platform.resize(Size(4), running.now)
    run_for(running, 120)

    assert running.tally.sticky_timeouts == 0
    assert running.tally.lost_activities == 0
    assert [ended.reason for ended in running.platform.exits] == [ExitReason.DRAINED] * 2
    assert running.tally.replays > 0  # their runs are loaded elsewhere


@BOTH
def test_lost_activities_run_again_after_their_heartbeat_timeout(mode: Mode) -> None:
    scenario = declared(workload={"activity": {"service": {"mean": "60s", "scv": 0}, "lost_after": "30s"}})
    running = run_for(world(scenario, mode), 120)
    lost = running.platform.workers[0].busy
    added = running.figures(TaskType.ACTIVITY).added
    running.platform.kill(running.platform.workers[0], ExitReason.CRASHED, running.now)
    run_for(running, 28)
    waiting = running.tally.lost_activities
    run_for(running, 4)

    assert lost == waiting > 0
    assert running.figures(TaskType.ACTIVITY).added >= added + lost


@BOTH
def test_a_rate_limited_queue_dispatches_no_more_however_many_workers_there_are(mode: Mode) -> None:
    scenario = declared(workload={"activity": {"service": {"mean": "2s"}, "rate_limit": 5}}, start={"workers": 30})
    running = run_for(world(scenario, mode), 60)
    before = running.figures(TaskType.ACTIVITY).dispatched
    run_for(running, 240)
    figures = running.figures(TaskType.ACTIVITY)

    assert (figures.dispatched - before) / 240 == pytest.approx(5, rel=0.02)
    assert figures.rate_limited
    assert figures.waiting > 100


@BOTH
def test_a_saturated_downstream_slows_everybody(mode: Mode) -> None:
    scenario = declared(workload={"activity": {"service": {"mean": "3s"}, "downstream": 12}}, start={"workers": 30})
    running = run_for(world(scenario, mode), 300)
    done = sum(worker.done().activities for worker in running.platform.workers)

    assert done / 300 < 12 / 3 * 1.2


@BOTH
def test_a_worker_over_its_limit_is_killed_and_none_is_ever_far_over_it(mode: Mode) -> None:
    running = run_for(world(declared(**CRASHING), mode), 300)

    assert any(ended.reason is ExitReason.OOM_KILLED for ended in running.platform.exits)
    assert 256 * MIB < running.tally.largest_memory_bytes < 1.2 * 256 * MIB


@BOTH
def test_a_fleet_without_workers_answers_nothing_and_breaks_nothing(mode: Mode) -> None:
    scenario = declared(platform={"workers": {"min": 0, "max": 10}}, start={"workers": 0})
    running = run_for(world(scenario, mode), 60)

    assert running.tally.answered == 0
    assert running.figures(TaskType.WORKFLOW).waiting > 100


def test_a_warm_fleet_has_full_caches_and_a_cold_one_has_none() -> None:
    warm, cold = world(declared()), world(declared(start={"warm": False}))

    assert [len(worker.runs) for worker in warm.platform.workers] == [100] * 4
    assert [len(worker.runs) for worker in cold.platform.workers] == [0] * 4


def test_the_load_is_the_same_whatever_serves_it() -> None:
    """Common random numbers: an activity takes as long under every policy and in both worlds."""
    assert load(declared()).service_seconds.tolist() == load(declared(start={"workers": 1})).service_seconds.tolist()
