"""One observation from a controller whose clock is an hour ahead freezes nothing: learning goes on with the next."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pydantic import TypeAdapter

from scaler.model.observation import Observation
from scaler.model.remembered import Operator, Remembered
from tests.support.lives import calm, passed
from tests.support.plausible import ACTIVITIES, Life

AHEAD = timedelta(hours=1)
MEMORY_JSON = TypeAdapter(Remembered)


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


def test_what_a_clock_that_was_ahead_saw_of_limits_and_waits_is_of_no_later_than_the_next_reading() -> None:
    """What is cut back to the reading is remembered to the millisecond, as it is written."""
    life = calm(4)
    passed(life, 20, 1.0)

    def limited(seen: Observation) -> Observation:
        held = replace(seen.queues[-1], rate_limited=True, backlog_tasks=400, backlog_age_seconds=20.0)
        return replace(seen, queues=(*seen.queues[:-1], held))

    life.tick(_ahead(limited(life.observe(1.0, 0.5))), Operator())
    life.now += timedelta(microseconds=123)
    waiting = life.observe(1.0, 0.5)
    waits = replace(waiting.queues[-1], backlog_tasks=400, backlog_age_seconds=20.0)
    life.tick(replace(waiting, queues=(*waiting.queues[:-1], waits)), Operator())

    demand, written = life.demand(ACTIVITIES), MEMORY_JSON.dump_json(life.memory)
    moments = (demand.limited_at, demand.waiting_since, demand.most_done.at)
    assert all(at is None or at <= life.now for at in moments), moments
    assert MEMORY_JSON.validate_json(written) == life.memory
