"""How long a lower need must have held before a worker goes."""

from datetime import timedelta

import pytest

from scaler.model.common import Size
from scaler.model.observation import ReplaySeen
from scaler.model.remembered import Operator
from scaler.rules.scale_in_window import LONGEST_WINDOW, MOST_STRETCHED
from tests.support.plausible import Life
from tests.support.strategies import declared


def _waited(**objective: float) -> timedelta:
    """Until the first of the workers goes that a load needed which has ended."""
    life = Life(declared(workers={"min": 1, "max": 100}, objective=objective), Size(5, 100), 2**18, ReplaySeen())
    for _ in range(20):
        life.tick(life.observe(20.0, 0.5), Operator())
    ended, workers = life.now, life.size.workers
    while life.size.workers == workers:
        life.tick(life.observe(0.5, 0.5), Operator())
    return life.now - ended


def test_where_hardly_a_task_may_be_late_a_worker_stays_for_longer() -> None:
    usual, strict = _waited(percentile=95), _waited(percentile=99.9)

    assert strict > 3 * usual
    assert strict <= MOST_STRETCHED * LONGEST_WINDOW


@pytest.mark.parametrize("percentile", [50, 80])
def test_who_lets_more_be_late_than_usual_waits_as_long_as_usual(percentile: float) -> None:
    assert _waited(percentile=percentile) == _waited(percentile=95)
