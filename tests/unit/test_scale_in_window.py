"""How long a lower need must have held before a worker goes."""

from datetime import timedelta

import pytest

from scaler.model.common import Size
from scaler.model.observation import ReplaySeen
from scaler.model.remembered import Operator, Turns
from scaler.rules.scale_in_window import turned
from tests.support.plausible import Life
from tests.support.strategies import NOW, declared


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
    assert strict <= timedelta(hours=1)


@pytest.mark.parametrize("percentile", [50, 80])
def test_who_lets_more_be_late_than_usual_waits_as_long_as_usual(percentile: float) -> None:
    assert _waited(percentile=percentile) == _waited(percentile=95)


def test_a_load_that_falls_for_long_is_followed_no_faster_than_its_window() -> None:
    """More needs than are remembered lie in ten minutes: no count is below any of them."""
    fleet = declared(workers={"min": 1, "max": 100}, behaviour={"scale_in_window": "10m"})
    life = Life(fleet, Size(60, 100), 2**18, ReplaySeen())
    for tick in range(120):
        life.tick(life.observe(max(1.0, 200.0 - 3 * tick), 0.5), Operator())

    needed = [(step.now, step.decision.predicted.size.workers) for step in life.steps if step.decision.predicted]
    for step in life.steps:
        lately = [workers for at, workers in needed if timedelta(0) <= step.now - at <= timedelta(minutes=10)]
        assert step.wanted.workers >= min(max(lately), step.current.workers)
    assert life.size.workers < 50


@pytest.mark.parametrize(
    ("before", "after", "minutes", "reversals"),
    [(6, 8, 1, 0.0), (6, 5, 1, 1.0), (6, 5, 9, 1.0), (6, 5, 11, 0.0), (6, 6, 1, None)],
    ids=["on in the same direction", "back", "back within ten minutes", "back long after", "no move"],
)
def test_only_a_count_that_turns_around_within_ten_minutes_has_turned(
    before: int, after: int, minutes: int, reversals: float | None
) -> None:
    up = turned(Turns(), 4, 6, NOW)

    later = turned(up, before, after, NOW + timedelta(minutes=minutes))

    assert later.reversals.value == (up.reversals.value if reversals is None else reversals)
