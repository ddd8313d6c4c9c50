"""The first ticks of a fleet are short: what threatens workers that were just taken over is seen within ten seconds."""

from dataclasses import replace
from datetime import timedelta

from scaler.learn.arrivals import FIRST_RATES
from scaler.model.common import Quality, Size
from scaler.model.observation import Observation, ReplaySeen
from scaler.model.remembered import Operator
from tests.support.plausible import Life
from tests.support.strategies import declared

NOTHING = 0.0


def _found() -> Life:
    return Life(declared(workers={"min": 1, "max": 8}), Size(2, 1000), 2**20, ReplaySeen())


def _tick_seconds(life: Life, seen: Observation) -> float:
    life.tick(seen, Operator())
    step = life.steps[-1]
    return (step.decision.plan.until - step.now).total_seconds()


def _just_claimed(seen: Observation) -> Observation:
    assert seen.applied.record is not None
    record = replace(seen.applied.record, intended=None, previous=None, cut=None)
    return replace(seen, found=None, applied=replace(seen.applied, record=record))


def _without_signals(seen: Observation) -> Observation:
    return replace(seen, queues=tuple(replace(queue, quality=Quality.MISSING, at=None) for queue in seen.queues))


def test_a_fleet_that_was_just_claimed_is_looked_at_again_within_ten_seconds() -> None:
    life = _found()
    assert _tick_seconds(life, _just_claimed(_without_signals(life.observe(NOTHING, 0.0)))) <= 10.0


def test_so_is_one_whose_load_is_known_by_its_first_rates_alone() -> None:
    life = _found()
    life.tick(_just_claimed(_without_signals(life.observe(NOTHING, 0.0))), Operator())
    assert _tick_seconds(life, life.observe(NOTHING, 0.0)) <= 10.0


def test_a_fleet_at_rest_is_then_looked_at_once_a_minute() -> None:
    life = _found()
    began = life.now
    while life.now - began < FIRST_RATES + timedelta(minutes=1):
        seconds = _tick_seconds(life, life.observe(NOTHING, 0.0))
    assert seconds == 60.0


def test_one_of_which_nothing_can_be_read_is_not_asked_all_the_time() -> None:
    life = _found()
    life.tick(_just_claimed(_without_signals(life.observe(NOTHING, 0.0))), Operator())
    assert _tick_seconds(life, _without_signals(life.observe(NOTHING, 0.0))) == 60.0
