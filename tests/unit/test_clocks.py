"""One observation from a controller whose clock is an hour ahead freezes nothing: learning goes on with the next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scaler.learn.level import not_ahead
from scaler.model.observation import Observation
from scaler.model.remembered import Demand, Level, Operator
from tests.support.lives import calm, passed
from tests.support.plausible import ACTIVITIES, Life

AHEAD = timedelta(hours=1)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def _ahead(seen: Observation) -> Observation:
    def later(at: datetime | None) -> datetime | None:
        return None if at is None else at + AHEAD

    return replace(
        seen,
        observed_at=seen.observed_at + AHEAD,
        target=replace(seen.target, at=later(seen.target.at)),
        queues=tuple(replace(each, at=later(each.at)) for each in seen.queues),
        task_times=tuple(replace(each, at=later(each.at)) for each in seen.task_times),
    )


def _twelvefold(life: Life, minutes: int) -> Life:
    passed(life, 4 * minutes, 12.0)
    return life


@pytest.mark.parametrize("minutes", [5, 30])
def test_a_clock_that_was_ahead_once_delays_nothing(minutes: int) -> None:
    skewed, right = calm(1), calm(1)
    for life in (skewed, right):
        passed(life, 20, 1.0)
    skewed.tick(_ahead(skewed.observe(1.0, 0.5)), Operator())
    passed(right, 1, 1.0)

    assert _twelvefold(skewed, minutes).size.workers == _twelvefold(right, minutes).size.workers == 3
    assert skewed.demand(ACTIVITIES).arrivals_per_second.value == pytest.approx(12.0, rel=0.01)


def test_nothing_that_is_remembered_of_a_queue_lies_ahead_after_the_next_reading() -> None:
    life = calm(4)
    passed(life, 20, 1.0)
    life.tick(_ahead(life.observe(1.0, 0.5)), Operator())
    now = life.now
    passed(life, 1, 1.0)
    demand = life.demand(ACTIVITIES)

    levels = (demand.arrivals_per_second, demand.busy_slots, demand.service_seconds, *demand.levels_before)
    assert all(level.at is None or level.at <= now for level in levels)
    assert demand.since is not None
    assert demand.since <= now
    assert demand.backlog.at is None or demand.backlog.at <= now


def test_what_is_remembered_of_limits_waits_and_capacity_is_cut_back_to_the_reading_as_it_is_written() -> None:
    """To the millisecond and the second: another time in memory than in the state would be another decision."""
    at = NOON + timedelta(microseconds=123_456)
    ahead = Demand(limited_at=at + AHEAD, waiting_since=at + AHEAD, most_done=Level(3.0, NOON + AHEAD))

    cut = not_ahead(ahead, at)

    millisecond = NOON + timedelta(milliseconds=123)
    assert (cut.limited_at, cut.waiting_since, cut.most_done) == (millisecond, millisecond, Level(3.0, NOON))
    assert not_ahead(cut, at) == cut


@pytest.mark.parametrize(
    "ahead",
    [Demand(limited_at=NOON + AHEAD), Demand(waiting_since=NOON + AHEAD), Demand(most_done=Level(3.0, NOON + AHEAD))],
)
def test_one_moment_ahead_is_enough(ahead: Demand) -> None:
    cut = not_ahead(ahead, NOON)

    assert {cut.limited_at, cut.waiting_since, cut.most_done.at} == {NOON, None}
