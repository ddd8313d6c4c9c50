"""A fleet whose cache is not set from here scales both ways, and is told in an emergency what a person has to do."""

from dataclasses import replace
from datetime import timedelta

from scaler.decide import decide
from scaler.model.common import Generation
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation
from scaler.state import State
from scaler.words.explain import explain
from tests.support import plausible
from tests.support.lives import calm, passed
from tests.support.plausible import Life, with_workers
from tests.support.strategies import declared

FIXED = declared(workers={"min": 1, "max": 30}, cache={"delivery": "fixed"})


def _busy_fleet() -> Life:
    life = calm(10)
    passed(life, 12, 30.0)
    return life


def _overfull(seen: Observation) -> Observation:
    return with_workers(seen, tuple(replace(worker, cached=61) for worker in seen.workers))


def test_a_fleet_that_declares_its_cache_fixed_scales_in() -> None:
    life = _busy_fleet()
    life.fleet = FIXED

    passed(life, 240, 0.5)

    assert life.size.workers == 1


def test_a_fleet_that_declares_its_cache_fixed_scales_out() -> None:
    life = calm(2)
    life.fleet = FIXED

    passed(life, 40, 60.0)

    assert life.size.workers >= 12


def test_a_fleet_whose_workers_do_not_keep_to_the_cache_size_scales_in() -> None:
    life = _busy_fleet()

    step = passed(life, 240, 0.5, _overfull)

    assert step.decision.cache_bound is Constraint.FIXED
    assert life.size.workers == 1


def test_an_emergency_that_no_cut_can_answer_says_what_a_person_has_to_do() -> None:
    life = _busy_fleet()
    life.fleet = FIXED
    before = life.size.workers

    step = passed(life, 1, 0.5, lambda seen: plausible.full_worker(seen, life.now))

    assert step.decision.mode is Mode.EMERGENCY
    assert step.wanted.workers == before
    assert Reason.CACHE_TO_CUT_BY_HAND in step.decision.reasons
    state = State(fleet=life.fleet, generation=Generation(1.0, 5), observation=step.seen)
    assert "give the workers a smaller one" in explain(state.decided(step.decision, step.after))


def _one_worker_over(seen: Observation, age_seconds: float, worker: str = "w-0") -> Observation:
    rows = tuple(
        replace(row, heartbeat_age_seconds=age_seconds, cached=61 if row.name == worker else 30) for row in seen.workers
    )
    return with_workers(seen, rows)


def _calm_four() -> Life:
    life = calm(4)
    passed(life, 12, 4.0)
    return life


def test_one_heartbeat_counts_once_however_often_it_is_decided_on() -> None:
    life = _calm_four()
    seen = _one_worker_over(life.observe(4.0, 0.5), 1.0)
    memory = life.memory
    for second in range(3):
        decision, memory = decide(seen, life.fleet, memory, life.now + timedelta(seconds=second))

    assert Reason.CACHE_FIXED not in decision.reasons


def test_one_heartbeat_counts_once_however_many_observations_tell_of_it() -> None:
    life = _calm_four()
    beat_at = life.now
    for _ in range(4):
        age = (life.now - beat_at).total_seconds()
        step = passed(life, 1, 4.0, lambda seen, age=age: _one_worker_over(seen, age))  # type: ignore[misc]

    assert Reason.CACHE_FIXED not in step.decision.reasons


def test_a_second_heartbeat_of_the_same_worker_shows_that_the_size_is_not_kept() -> None:
    life = _calm_four()
    first = passed(life, 1, 4.0, lambda seen: _one_worker_over(seen, 1.0))
    life.now += timedelta(seconds=45)
    second = passed(life, 1, 4.0, lambda seen: _one_worker_over(seen, 1.0))

    assert Reason.CACHE_FIXED not in first.decision.reasons
    assert Reason.CACHE_FIXED in second.decision.reasons


def test_heartbeats_of_two_workers_are_not_two_of_one() -> None:
    life = _calm_four()
    passed(life, 1, 4.0, lambda seen: _one_worker_over(seen, 1.0, "w-0"))
    step = passed(life, 1, 4.0, lambda seen: _one_worker_over(seen, 1.0, "w-1"))

    assert Reason.CACHE_FIXED not in step.decision.reasons
