"""After a cut of the cache no worker goes for ten good minutes; then the hold is over for good."""

from datetime import timedelta

from scaler.model.decision import Mode
from scaler.model.remembered import Operator
from tests.support import plausible
from tests.support.lives import calm, passed, waiting
from tests.support.plausible import Life


def _cut(life: Life, rate: float) -> None:
    passed(life, 1, rate, lambda seen: plausible.full_worker(seen, life.now))
    assert life.cut is not None


def test_a_fleet_that_was_calm_before_the_cut_is_held_for_ten_minutes_after_it() -> None:
    life = calm(10, cache=200)
    passed(life, 60, 48.0)
    before = life.size.workers
    _cut(life, 48.0)
    cut_at, held = life.now, []
    while life.now < cut_at + timedelta(minutes=20):
        life.tick(life.observe(0.5, 0.1), Operator())
        held.append((life.now - cut_at, life.size.workers))

    assert min(workers for age, workers in held if age < timedelta(minutes=9, seconds=30)) >= before
    assert held[-1][1] < before


def test_lateness_within_the_hold_begins_it_anew() -> None:
    life = calm(10, cache=200)
    passed(life, 20, 48.0)
    _cut(life, 48.0)
    before = life.size.workers
    passed(life, 32, 0.5)
    passed(life, 1, 0.5, waiting(2, 5.0))

    passed(life, 36, 0.5)

    assert life.size.workers == before


def test_lateness_of_three_quarters_of_an_hour_later_is_not_the_cuts_doing() -> None:
    life = calm(10, cache=200)
    passed(life, 20, 48.0)
    _cut(life, 48.0)
    passed(life, 180, 0.5)
    assert life.size.workers == 1
    passed(life, 40, 30.0)
    passed(life, 2, 30.0, waiting(3, 2.0))

    step = passed(life, 4, 0.5)

    assert step.decision.mode is not Mode.HOLD_AFTER_CUT
    passed(life, 24, 0.5)
    assert life.size.workers < 5
