"""Somebody else's hand on count or cache is adopted, held, reported, and comes to an end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.model.common import Size
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation
from scaler.model.remembered import Operator
from tests.support import plausible
from tests.support.lives import Seen, calm, passed
from tests.support.plausible import Life


def _with_rival(seen: Observation) -> Observation:
    return replace(seen, target=replace(seen.target, other_scaler="horizontalpodautoscaler/agents"))


def _with_cache(cache: int) -> Seen:
    return lambda seen: replace(seen, target=replace(seen.target, cache=cache))


def _learned(workers: int = 4) -> Life:
    life = calm(workers)
    passed(life, 16, 8.0)
    return life


@pytest.mark.parametrize("rate", [0.5, 60.0], ids=["too many workers", "too few"])
def test_while_another_autoscaler_moves_the_target_the_count_is_left_to_it(rate: float) -> None:
    life = _learned()
    before = life.size.workers

    step = passed(life, 200, rate, _with_rival)

    assert life.size.workers == before
    assert step.decision.mode is Mode.FOREIGN_HOLD
    assert step.decision.workers_bound is Constraint.FOREIGN_HAND
    assert Reason.OTHER_SCALER in step.decision.reasons


def test_what_another_autoscaler_sets_is_adopted() -> None:
    life = _learned()

    step = passed(life, 1, 8.0, lambda seen: plausible.foreign_count(_with_rival(seen), life.now))

    assert step.wanted.workers == step.current.workers + 5
    assert step.decision.mode is Mode.FOREIGN_HOLD


def test_the_count_is_decided_again_once_the_other_autoscaler_has_gone() -> None:
    life = _learned()
    passed(life, 20, 60.0, _with_rival)

    step = passed(life, 20, 60.0)

    assert step.decision.mode is not Mode.FOREIGN_HOLD
    assert life.size.workers >= 12


def test_an_operator_may_have_both_go_on() -> None:
    life = _learned()
    passed(life, 20, 60.0, _with_rival)

    step = passed(life, 20, 60.0, _with_rival, Operator(resumed_at=life.now))

    assert life.size.workers >= 12
    assert Reason.OTHER_SCALER in step.decision.reasons


def test_a_resume_from_before_a_hold_does_not_end_it() -> None:
    life = _learned()
    operator = Operator(resumed_at=life.now - timedelta(minutes=1))
    passed(life, 1, 0.5, lambda seen: plausible.foreign_count(seen, life.now), operator)
    held = life.size.workers

    step = passed(life, 40, 0.5, operator=operator)

    assert life.size.workers == held
    assert step.decision.mode is Mode.FOREIGN_HOLD


def test_a_hold_for_a_count_ends_after_half_an_hour() -> None:
    life = _learned()
    passed(life, 1, 0.5, lambda seen: plausible.foreign_count(seen, life.now))
    began, held = life.now, life.size.workers
    while life.size.workers == held:
        life.tick(life.observe(0.5, 0.5), Operator())
        assert life.now - began < timedelta(minutes=40)

    assert life.now - began >= timedelta(minutes=29, seconds=30)


def test_a_cache_size_that_somebody_changed_is_put_back_once() -> None:
    life = _learned()

    step = passed(life, 1, 8.0, _with_cache(500))

    assert step.decision.plan.size is not None
    assert step.decision.plan.size.cache == 60
    assert Reason.FOREIGN_CACHE in step.decision.reasons
    assert Reason.FOREIGN_CACHE not in passed(life, 1, 8.0).decision.reasons


def test_a_cache_size_that_is_changed_again_within_an_hour_is_left_to_whoever_does() -> None:
    life = _learned()
    passed(life, 2, 8.0, _with_cache(500))
    passed(life, 80, 8.0)

    step = passed(life, 8, 8.0, _with_cache(500))

    assert step.decision.plan.size is not None
    assert step.decision.plan.size.cache is None
    assert step.decision.cache_bound is Constraint.FIXED
    assert {Reason.FOREIGN_CACHE, Reason.CACHE_FIXED} <= set(step.decision.reasons)
    back = passed(life, 1, 8.0)
    assert back.decision.plan.size is not None
    assert back.decision.plan.size.cache == 60


def test_after_an_hour_a_changed_cache_size_is_put_back_again() -> None:
    life = _learned()
    passed(life, 2, 8.0, _with_cache(500))
    passed(life, 245, 8.0)

    step = passed(life, 2, 8.0, _with_cache(500))

    assert step.decision.plan.size is not None
    assert step.decision.plan.size.cache == 60


def test_an_operator_may_have_a_changed_cache_size_put_back() -> None:
    life = _learned()
    passed(life, 2, 8.0, _with_cache(500))
    passed(life, 2, 8.0)
    passed(life, 2, 8.0, _with_cache(500))

    step = passed(life, 1, 8.0, _with_cache(500), Operator(resumed_at=life.now))

    assert step.decision.plan.size is not None
    assert step.decision.plan.size.cache == 60


def test_the_size_from_before_a_change_of_its_own_is_nobody_elses() -> None:
    life = _learned()
    life.size = Size(life.size.workers, 40)

    def lagging(seen: Observation) -> Observation:
        assert seen.applied.record is not None
        record = replace(seen.applied.record, previous=Size(life.size.workers, 60))
        return replace(_with_cache(60)(seen), found=record, applied=replace(seen.applied, record=record))

    assert Reason.FOREIGN_CACHE not in passed(life, 1, 8.0, lagging).decision.reasons


def test_a_target_that_does_not_tell_its_cache_size_shows_no_hand() -> None:
    life = _learned()

    def untold(seen: Observation) -> Observation:
        return replace(seen, target=replace(seen.target, cache=None))

    assert Reason.FOREIGN_CACHE not in passed(life, 1, 8.0, untold).decision.reasons


def test_signals_that_are_all_gone_are_named() -> None:
    life = _learned()

    step = passed(life, 1, 8.0, lambda seen: replace(seen, queues=(), task_times=()))

    assert Reason.ALL_SIGNALS_GONE in step.decision.reasons
    assert step.wanted.workers == step.current.workers


def test_bounds_that_do_not_allow_what_late_tasks_need_are_named() -> None:
    life = calm(3, bounds={"min": 1, "max": 3})
    passed(life, 16, 8.0)

    def late(seen: Observation) -> Observation:
        queue = replace(seen.queues[-1], backlog_tasks=500, backlog_age_seconds=30.0)
        rows = tuple(replace(row, activity_slots_used=8) for row in seen.workers)
        return replace(plausible.with_workers(seen, rows), queues=(seen.queues[0], queue))

    step = passed(life, 1, 60.0, late)

    assert step.decision.mode is Mode.INFEASIBLE
    assert Reason.BOUNDS_INFEASIBLE in step.decision.reasons


def test_crashing_workers_are_named() -> None:
    life = _learned()

    step = passed(life, 1, 8.0, lambda seen: plausible.restarting_worker(seen, life.now))

    assert Reason.WORKERS_CRASH in step.decision.reasons
