"""Figures of runs that were written by hand."""

import math
from dataclasses import replace

import pytest

from scaler.model.common import Size
from scaler.model.observation import ExitReason, WorkerExit
from scaler.simulation.clock import moment
from scaler.simulation.score import Account, over_seeds, scored
from scaler.simulation.simulated_platform import SizeChange
from scaler.simulation.tally import Tally, Waits


def account() -> Account:
    return Account(
        tally=Tally(workflow=Waits(0.2, 10), activity=Waits(1.0, 10)),
        turns=10,
        exits=(),
        changes=(),
        decided_on=(),
        worker_seconds=7200,
        memory_limit_bytes=100.0,
        percentile=95.0,
        warm_up_seconds=120.0,
    )


def moved(*steps: tuple[float, int, int]) -> tuple[SizeChange, ...]:
    return tuple(SizeChange(at, Size(before, 10), Size(after, 10)) for at, before, after in steps)


def killed(*at: float) -> tuple[WorkerExit, ...]:
    return tuple(WorkerExit(worker="w", reason=ExitReason.OOM_KILLED, at=moment(each)) for each in at)


def test_shares_are_weighted_by_tasks_over_both_types_and_leave_the_warm_up_out() -> None:
    run = account()
    run.tally.workflow.add_many(30, 9.0, 1000, 1.0)  # in the warm-up
    run.tally.workflow.add_many(200, 0.0, 90)
    run.tally.activity.add_many(200, 5.0, 10, 1.0)

    score = scored(run)
    assert score.slo_violation_task_share == pytest.approx(0.1)
    assert (score.workflow_violation_share, score.activity_violation_share) == (0, 1)


def test_a_minute_is_bad_where_either_type_misses_its_percentile() -> None:
    run = account()
    run.tally.workflow.add_many(180, 0.0, 96)
    run.tally.workflow.add_many(180, 1.0, 4, 1.0)  # 4 %: allowed
    run.tally.activity.add_many(240, 0.0, 94)
    run.tally.activity.add_many(240, 2.0, 6, 1.0)  # 6 %
    run.tally.activity.add(300, 2.0)  # the only one of its minute

    assert scored(run).slo_violation_minutes == 2


def test_reversals_are_turns_within_ten_minutes() -> None:
    changes = moved((200, 5, 8), (500, 8, 7), (700, 7, 6), (1500, 6, 9), (1600, 9, 7))
    score = scored(replace(account(), changes=changes))

    assert score.size_changes == 5
    assert score.reversals_10m == 2


def test_kills_count_after_the_first_decision_that_could_have_seen_one() -> None:
    decided_on = [(100.0, 95.0), (106.0, 101.0), (111.0, 106.0)]
    run = replace(account(), exits=killed(100.0, 103.0, 107.0, 120.0), decided_on=decided_on)

    assert scored(run).oom_kills == 4
    assert scored(run).oom_kills_after_first_decision == 2
    assert scored(replace(run, decided_on=())).oom_kills_after_first_decision == 0


def test_percentiles_are_upper_bounds_to_a_tenth_of_a_decade() -> None:
    waits = Waits(1.0, 1)
    waits.add_many(0, 0.0, 94)
    waits.add_many(0, 3.0, 6)

    assert 3.0 <= waits.percentile_seconds(95) <= 3.0 * 10**0.1
    assert waits.percentile_seconds(90) == pytest.approx(0.001)
    assert Waits(1.0, 1).percentile_seconds(95) == 0
    waits.add(0, 1e9)
    assert waits.percentile_seconds(100) == math.inf


def test_over_seeds_kills_and_memory_are_the_worst_and_all_else_the_mean() -> None:
    one = scored(replace(account(), exits=killed(10.0)))
    other = replace(scored(account()), worker_hours=4.0, max_memory_fraction=0.9)
    both = over_seeds([one, other])

    assert (both["oom_kills"], both["max_memory_fraction"]) == (1, 0.9)
    assert both["worker_hours"] == 3.0
