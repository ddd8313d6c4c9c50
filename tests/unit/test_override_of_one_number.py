"""An override of one number leaves the rules of the other in force."""

from datetime import timedelta

import pytest

from scaler.model.decision import Constraint, Reason
from scaler.model.remembered import Operator, Override
from tests.support.lives import calm, passed
from tests.support.strategies import NOW, declared

CACHE_ONLY = Operator(override=Override(reason="a look", until=NOW + timedelta(hours=9), cache=60))
WORKERS_ONLY = Operator(override=Override(reason="a look", until=NOW + timedelta(hours=9), workers=2))


def _counts(operator: Operator) -> list[int]:
    life = calm(20)
    passed(life, 20, 90.0, operator=operator)
    return [passed(life, 1, 0.5, operator=operator).wanted.workers for _ in range(40)]


def test_with_the_cache_overridden_workers_go_as_slowly_as_ever() -> None:
    counts = _counts(CACHE_ONLY)

    assert counts == _counts(Operator())
    assert counts[0] > counts[-1]


def test_with_the_cache_overridden_a_scale_in_is_on_trial() -> None:
    life = calm(20)
    passed(life, 20, 90.0, operator=CACHE_ONLY)
    passed(life, 20, 0.5, operator=CACHE_ONLY)

    assert life.memory.scale_in is not None


def test_an_overridden_count_is_gone_to_at_once_and_says_who_wants_it() -> None:
    life = calm(8)
    passed(life, 12, 30.0)

    step = passed(life, 1, 0.5, operator=WORKERS_ONLY)

    assert step.wanted.workers == 2
    assert Reason.OVERRIDDEN in step.decision.reasons
    assert Reason.SCALE_IN not in step.decision.reasons


def test_an_override_above_the_need_is_no_scale_out_for_a_load() -> None:
    life = calm(2)
    passed(life, 12, 4.0)
    operator = Operator(override=Override(reason="a sale", until=NOW + timedelta(hours=9), workers=9))

    step = passed(life, 1, 4.0, operator=operator)

    assert step.wanted.workers == 9
    assert Reason.SCALE_OUT_ACTIVITY not in step.decision.reasons


@pytest.mark.parametrize(
    ("asked", "cache", "bound"),
    [(40, 40, Constraint.OVERRIDE), (3, 10, Constraint.CACHE_MIN), (90, 80, Constraint.CACHE_MAX)],
)
def test_an_overridden_cache_says_what_it_is_for(asked: int, cache: int, bound: Constraint) -> None:
    life = calm(4)
    life.fleet = declared(workers={"min": 1, "max": 30}, cache={"max": 80})
    passed(life, 12, 4.0)
    operator = Operator(override=Override(reason="a look", until=NOW + timedelta(hours=9), cache=asked))

    step = passed(life, 1, 4.0, operator=operator)

    assert step.wanted.cache == cache
    assert step.decision.cache_bound is bound
    assert passed(life, 1, 4.0, operator=operator).decision.cache_bound is bound
