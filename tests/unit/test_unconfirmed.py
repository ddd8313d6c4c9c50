"""After an update the newest plan is not echoed: more workers may be asked for, by the same rules as ever."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scaler.model.common import Size
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation
from scaler.model.remembered import Operator, Override
from tests.support import plausible
from tests.support.lives import Seen, as_it_is, calm, passed, waiting
from tests.support.plausible import Life, Step
from tests.support.strategies import NOW

SPARE_THE_DATABASE = Operator(override=Override(reason="spare it", until=NOW + timedelta(hours=9), workers=2))


def _after_an_update(life: Life, rate: float, change: Seen = as_it_is, operator: Operator | None = None) -> Step:
    life.memory = replace(life.memory, unechoed=life.size)
    return passed(life, 1, rate, change, operator)


def _at(change: Callable[[Observation, datetime], Observation]) -> Seen:
    return lambda seen: change(seen, seen.observed_at)


@pytest.mark.parametrize(
    ("operator", "change"),
    [
        (SPARE_THE_DATABASE, as_it_is),
        (Operator(), _at(plausible.rate_limited)),
        (Operator(), _at(plausible.unschedulable)),
    ],
    ids=["override", "rate limit", "no room"],
)
def test_what_holds_a_fleet_back_holds_it_after_an_update_too(operator: Operator, change: Seen) -> None:
    life = calm(2, bounds={"min": 1, "max": 60}, task_queues=[{"name": "agents", "types": ["activity"]}])
    passed(life, 40, 4.0)
    life.size = Size(2, 60)
    passed(life, 20, 20.0, change, operator)
    assert life.size.workers == 2

    step = _after_an_update(life, 20.0, change, operator)

    assert step.decision.plan.size is None
    assert step.decision.mode is Mode.UNCONFIRMED
    assert step.decision.workers_bound is Constraint.UNCONFIRMED


def test_a_scale_out_after_an_update_goes_one_step() -> None:
    life = calm(6, bounds={"min": 1, "max": 60})
    passed(life, 40, 20.0)
    before = life.size.workers

    step = _after_an_update(life, 200.0, waiting(60, 2.0))

    assert step.wanted.workers == 2 * before
    assert Reason.UNCONFIRMED_PLAN in step.decision.reasons


def test_a_scale_out_after_an_update_is_above_what_may_already_be_there() -> None:
    """The lost plan asked for 14: to plan 12 now would take two away if it was carried out."""
    life = calm(6, bounds={"min": 1, "max": 60})
    passed(life, 40, 20.0)
    life.size = Size(6, 60)
    life.memory = replace(life.memory, unechoed=Size(14, 60))

    step = passed(life, 1, 48.0, waiting(10, 0.5))

    assert step.decision.predicted is not None
    assert 6 < step.decision.predicted.size.workers <= 14
    assert step.decision.plan.size is None


def test_a_scale_out_after_an_update_is_on_trial_like_any_other() -> None:
    life = calm(6, bounds={"min": 1, "max": 60})
    passed(life, 40, 20.0)

    step = _after_an_update(life, 60.0, waiting(60, 2.0))

    assert step.wanted.workers > step.current.workers
    assert [trial.workers_before for trial in step.after.scale_outs] == [step.current.workers]
