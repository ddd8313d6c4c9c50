"""How far the count moves in one step, and what holds it: each promise with its own figure."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from scaler.model.common import Size
from scaler.model.decision import Constraint, Reason
from scaler.model.observation import ExitReason, Observation, WorkerExit
from scaler.model.remembered import Operator
from tests.support.lives import calm, passed, waiting
from tests.support.plausible import SLOTS, Life, with_workers


def _idle(workers: int) -> Life:
    """A fleet whose load has gone and whose scale-in window has passed, with so many workers left."""
    life = calm(workers, bounds={"min": 1, "max": 60})
    passed(life, 20, 30.0)
    passed(life, 60, 0.2)
    life.size, life.memory = Size(workers, 60), replace(life.memory, scale_in=None)
    return life


@pytest.mark.parametrize(("workers", "left"), [(20, 16), (14, 12), (5, 4), (4, 3), (2, 1)])
def test_one_step_takes_a_fifth_at_most_and_at_least_one(workers: int, left: int) -> None:
    assert passed(_idle(workers), 1, 0.2).wanted.workers == left


def test_a_fleet_goes_all_the_way_in_such_steps() -> None:
    life = _idle(20)
    counts = [20, *(passed(life, 1, 0.2).wanted.workers for _ in range(60))]

    assert counts[-1] == 1
    assert all(later >= sooner - max(1, sooner // 5) for sooner, later in pairwise(counts))


@pytest.mark.parametrize("reason", [ExitReason.CRASHED, ExitReason.OOM_KILLED])
def test_no_worker_goes_in_the_decision_that_learns_of_an_end(reason: ExitReason) -> None:
    """Under a cache size of the past, so that nothing else holds the count."""
    life = _idle(10)

    def ended(seen: Observation) -> Observation:
        exits = (WorkerExit(worker="w-0", reason=reason, at=life.now - timedelta(seconds=3), cache=500, cached=400),)
        return replace(seen, exits=exits)

    step = passed(life, 1, 0.2, ended)

    assert step.wanted.workers == 10
    assert step.decision.workers_bound is Constraint.CRASHES
    assert Reason.HELD_BY_CRASHES in step.decision.reasons


def _loaded(life: Life, age_seconds: float) -> Observation:
    seen = waiting(400, age_seconds)(life.observe(60.0, 0.5))
    return with_workers(seen, tuple(replace(row, activity_slots_used=SLOTS) for row in seen.workers))


@pytest.mark.parametrize(("workers", "age_seconds", "most"), [(6, 2.5, 12), (3, 2.5, 7), (1, 2.5, 5), (6, 3.5, 60)])
def test_one_step_out_doubles_or_adds_four_unless_tasks_wait_three_times_too_long(
    workers: int, age_seconds: float, most: int
) -> None:
    life = calm(workers, bounds={"min": workers, "max": 60})
    passed(life, 16, 3.0)
    assert life.size.workers == workers

    life.tick(_loaded(life, age_seconds), Operator())

    wanted = life.steps[-1].wanted.workers
    assert wanted == most if most < 60 else wanted > 12


def test_a_scale_out_without_effect_is_no_failure_where_nothing_waits_too_long() -> None:
    life = calm(4, bounds={"min": 4, "max": 60}, task_queues=[{"name": "agents", "types": ["activity"]}])
    passed(life, 16, 10.0)
    life.tick(_loaded(life, 2.0), Operator())
    assert life.size.workers > 4

    steps = [passed(life, 1, 10.0, waiting(1, 0.2)) for _ in range(20)]

    assert all(Reason.INEFFECTIVE_SCALE_OUT not in step.decision.reasons for step in steps)
