"""How far the count moves in one step, which workers go first, and how a change of the cache reaches them."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from scaler.model.common import Quality, Size
from scaler.model.decision import Mode, Reason
from scaler.model.observation import ExitReason, Observation, ReplaySeen, WorkerExit, WorkerState
from scaler.model.record import Applied, RolloutStep, StepOutcome, TargetRecord
from scaler.model.remembered import Operator
from tests.support.lives import calm, passed, waiting
from tests.support.plausible import STAMPED, Life, with_workers
from tests.support.strategies import OWNER, declared


def counts(life: Life, ticks: int, rate: float) -> list[int]:
    found = [life.size.workers]
    for _ in range(ticks):
        life.tick(life.observe(rate, 0.1), Operator())
        found.append(life.size.workers)
    return found


@pytest.mark.parametrize("workers", [4, 9, 10, 20, 27])
def test_one_step_takes_a_fifth_of_the_workers_at_most_and_one_at_least(workers: int) -> None:
    life = calm(workers)
    passed(life, 20, workers * 8 / 1.5 * 0.8)
    steps = [(before, after) for before, after in pairwise(counts(life, 160, 0.1)) if after < before]

    assert steps
    assert all(before - after <= max(1, before // 5) for before, after in steps)


def test_the_largest_step_is_taken_where_nothing_else_holds() -> None:
    life = calm(20, behaviour={"scale_in_window": "20s"})
    passed(life, 20, 90.0)

    assert any(before - after == before // 5 >= 3 for before, after in pairwise(counts(life, 60, 0.1)))


@pytest.mark.parametrize(("workers", "most"), [(3, 7), (4, 8), (5, 10), (10, 20)])
def test_one_step_doubles_the_workers_at_most_or_adds_four(workers: int, most: int) -> None:
    life = calm(workers, bounds={"min": 1, "max": 100})
    passed(life, 12, workers * 8 / 1.5 * 0.6)
    life.size = Size(workers, 60)

    step = passed(life, 1, 500.0, waiting(20, 2.9))

    assert step.wanted.workers == most
    assert Reason.HELD_BY_STEP in step.decision.reasons


def test_what_waits_for_more_than_three_objectives_lifts_the_limit_of_the_step() -> None:
    life = calm(4, bounds={"min": 1, "max": 100})
    passed(life, 12, 12.0)
    life.size = Size(4, 60)

    step = passed(life, 1, 500.0, waiting(2000, 3.1))

    assert step.wanted.workers > 8
    assert Reason.HELD_BY_STEP not in step.decision.reasons


def test_the_busiest_worker_is_the_last_to_go() -> None:
    life = calm(6)
    passed(life, 12, 20.0)

    def one_is_busy(seen: Observation) -> Observation:
        rows = tuple(
            replace(row, activity_slots_used=3 if row.name == "w-0" else int(row.name == "w-1")) for row in seen.workers
        )
        return with_workers(seen, rows)

    for _ in range(60):
        plan = passed(life, 1, 0.5, one_is_busy).decision.plan
        if plan.victims:
            assert "w-0" not in plan.victims[:-1]
            assert plan.victims[0] not in ("w-0", "w-1")
            return
    raise AssertionError("no worker ever went")


@pytest.mark.parametrize("reason", [ExitReason.CRASHED, ExitReason.OOM_KILLED])
def test_a_worker_that_ended_and_is_back_keeps_the_others(reason: ExitReason) -> None:
    """It is gone from the totals of those that restart, and what ended it may end the next."""
    life = calm(10, behaviour={"scale_in_window": "0s"})
    passed(life, 12, 40.0)
    before = life.size.workers

    def ended(at: datetime) -> WorkerExit:
        return WorkerExit(worker="w-0", reason=reason, at=at, cache=9999)

    step = passed(life, 1, 0.1, lambda seen: replace(seen, exits=(ended(life.now),)))

    assert step.wanted.workers == before
    assert Reason.HELD_BY_CRASHES in step.decision.reasons


def dear(at: datetime) -> ReplaySeen:
    gaps = tuple(max(0, 20 - abs(place - 20)) for place in range(42))
    return ReplaySeen(
        at=at,
        quality=Quality.FRESH,
        sticky_samples=100,
        sticky_seconds=0.01,
        normal_samples=60,
        normal_seconds=1.5,
        events=100.0,
        gaps=gaps,
        silences=gaps,
        closed=40,
    )


def raising() -> Life:
    """A fleet whose cache is worth raising, just before it is."""
    life = Life(declared(workers={"min": 60, "max": 60}), Size(60, 20), 2**18, ReplaySeen())
    for _ in range(40):
        life.replay = dear(life.now)
        life.tick(life.observe(60.0, 1.0), Operator())
        if Reason.CACHE_RAISED in life.steps[-1].decision.reasons:
            return life
    raise AssertionError("the cache was never raised")


def test_a_voluntary_change_surges_by_a_quarter_before_it_replaces() -> None:
    plan = raising().steps[-1].decision.plan

    assert (plan.step, plan.surge, plan.replace) == (RolloutStep.SURGE, 15, ())


def rolling(life: Life, step: RolloutStep, ready_new: int, starting_new: int = 0) -> Observation:
    """The fleet in its rollout: all of the old ones serve still, and so many new ones beside them."""
    seen = life.observe(60.0, 1.0)
    assert life.size.cache is not None
    old = tuple(replace(row, cache=20) for row in seen.workers)
    new = tuple(
        replace(
            seen.workers[0],
            name=f"n-{number}",
            state=WorkerState.READY if number < ready_new else WorkerState.STARTING,
        )
        for number in range(ready_new + starting_new)
    )
    record = TargetRecord(owner=OWNER, generation=STAMPED, intended=life.size, previous=life.size, step=step, surge=15)
    applied = Applied(generation=STAMPED, outcome=StepOutcome.APPLIED, record=record)
    return replace(with_workers(seen, (*old, *new)), found=record, applied=applied)


def test_none_is_replaced_while_the_surge_starts() -> None:
    life = raising()
    life.tick(rolling(life, RolloutStep.SURGE, ready_new=0, starting_new=15), Operator())
    plan = life.steps[-1].decision.plan

    assert (plan.step, plan.surge, plan.replace) == (RolloutStep.SURGE, 15, ())


def test_as_many_are_replaced_as_the_surge_makes_up_for() -> None:
    life = raising()
    life.tick(rolling(life, RolloutStep.SURGE, ready_new=15), Operator())
    plan = life.steps[-1].decision.plan

    assert (plan.step, plan.surge) == (RolloutStep.REPLACE, 15)
    assert len(plan.replace) == 15
    assert all(name.startswith("w-") for name in plan.replace)


def test_the_surge_stays_until_as_many_new_ones_serve_as_are_wanted() -> None:
    life = raising()
    full = rolling(life, RolloutStep.REPLACE, ready_new=59, starting_new=16)
    new = tuple(row for row in full.workers if row.name.startswith("n-"))
    life.tick(with_workers(full, new), Operator())
    waits = life.steps[-1].decision.plan
    full = rolling(life, RolloutStep.CONFIRM, ready_new=life.size.workers)
    new = tuple(row for row in full.workers if row.name.startswith("n-"))
    life.tick(with_workers(full, new), Operator())
    ended = life.steps[-1].decision.plan

    assert (waits.step, waits.surge) == (RolloutStep.CONFIRM, 15)
    assert (ended.step, ended.surge) == (RolloutStep.NONE, 0)


def test_a_rollout_holds_the_count_and_the_cache() -> None:
    life = raising()
    before = life.size
    life.tick(rolling(life, RolloutStep.REPLACE, ready_new=15), Operator())

    assert life.size == before
    assert life.steps[-1].decision.mode is Mode.ROLLOUT


def test_a_cache_is_changed_four_times_at_once_and_then_once_in_an_hour_and_never_twice_in_three_minutes() -> None:
    life = Life(declared(workers={"min": 1, "max": 100}), Size(60, 20), 2**16, ReplaySeen())
    changed: list[datetime] = []
    for tick in range(240):
        life.replay = dear(life.now)
        before = life.size
        life.tick(life.observe(60.0, 1.0), Operator())
        if life.size.cache != before.cache:
            changed.append(life.now)
        if tick % 30 == 29:
            life.size = replace(life.size, cache=20)

    assert 4 <= len(changed) <= 5
    assert all(later - sooner >= timedelta(minutes=3) for sooner, later in pairwise(changed))


def test_the_cache_grows_to_twice_what_was_ever_seen_full_at_most() -> None:
    life = Life(declared(workers={"min": 1, "max": 100}), Size(60, 20), 2**14, ReplaySeen())
    for _ in range(40):
        life.replay = dear(life.now)
        life.tick(life.observe(60.0, 1.0), Operator())
        if life.size.cache != 20:
            break

    assert life.size.cache == 40
