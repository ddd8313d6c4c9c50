"""How long a task occupies its slot: samples at first, Little's law once workers have told for a while."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaler.learn.arrivals import fed
from scaler.learn.seen_queue import seen_queue
from scaler.learn.slot_time import COUNTED_TIME, LONGEST_BY_LITTLE, TOLD_FOR
from scaler.learn.slots import SERVED_FOR
from scaler.model.common import Size
from scaler.model.observation import Observation, ReplaySeen
from scaler.model.remembered import Demand, Level
from tests.support.plausible import ACTIVITIES, TICK, Life, with_workers
from tests.support.strategies import declared

PER_SECOND = 6.0
YOUNG = 20.0
OLD = 500.0


def _observed(sampled_seconds: float | None, **of_workers: Any) -> Observation:
    seen = Life(declared(), Size(4, 100), 2**18, ReplaySeen()).observe(PER_SECOND, 0.1)
    times = (replace(each, service_mean_seconds=sampled_seconds) for each in seen.task_times)
    workers = (replace(each, **of_workers) for each in seen.workers)
    return replace(seen, task_times=tuple(times), workers=tuple(workers))


def _taking(seconds: float, age_seconds: float = OLD) -> dict[str, Any]:
    """Workers with two slots taken each whose tasks take so long."""
    return {"activity_slots_used": 2, "activities_per_second": 2 / seconds, "age_seconds": age_seconds}


def _after(demand: Demand, seen: Observation, lasting: timedelta) -> Demand:
    """The same seen for a while."""
    start = demand.arrivals_per_second.at or seen.observed_at
    for number in range(1, lasting // TICK + 1):
        at = start + number * TICK
        queues = tuple(replace(queue, at=at) for queue in seen.queues)
        later = replace(seen, observed_at=at, queues=queues)
        demand = fed(demand, seen_queue(later, declared(), ACTIVITIES))
    return demand


def test_young_workers_leave_the_word_to_samples() -> None:
    demand = _after(Demand(), _observed(2.0, **_taking(9.0, YOUNG)), timedelta(minutes=2))

    assert demand.service_seconds.value == 2.0


def test_what_the_first_seconds_tell_does_not_stay() -> None:
    """Of five tasks under way one has ended: by Little's law each would take ten seconds."""
    demand = Demand()
    for seconds in (10.0, 8.0, 1.5, 1.5, 1.6):
        demand = _after(demand, _observed(seconds, **_taking(9.0, YOUNG)), TICK)

    assert demand.service_seconds.value == pytest.approx(1.5, abs=0.2)


def test_workers_that_have_served_for_a_while_are_believed_before_samples() -> None:
    """Samples of a young fleet show the short tasks only."""
    demand = _after(Demand(), _observed(2.0, **_taking(6.0)), timedelta(minutes=10))

    assert demand.service_seconds.value == pytest.approx(6.0)


def test_what_workers_told_stands_while_others_are_young_and_not_for_ever() -> None:
    told = _after(Demand(), _observed(2.0, **_taking(6.0)), timedelta(minutes=10))
    young = _observed(2.0, **_taking(9.0, YOUNG))

    assert _after(told, young, TOLD_FOR - TICK).service_seconds.value == pytest.approx(6.0)
    assert (_after(told, young, TOLD_FOR + timedelta(minutes=20)).service_seconds.value or 0) < 5.0


def test_a_first_count_replaces_samples_and_a_late_one_hardly_moves_what_was_counted() -> None:
    sampled = _after(Demand(), _observed(2.0, **_taking(9.0, YOUNG)), SERVED_FOR)
    counted = _after(sampled, _observed(2.0, **_taking(6.0)), timedelta(minutes=2))
    settled = _after(counted, _observed(2.0, **_taking(6.0)), COUNTED_TIME)

    assert counted.service_seconds.value == pytest.approx(6.0, rel=0.1)
    assert _after(settled, _observed(2.0, **_taking(12.0)), TICK).service_seconds.value == pytest.approx(6.2, abs=0.2)


def test_while_more_arrives_than_is_done_nothing_is_counted() -> None:
    """Slots fill up at once, and what is done is the mean of the last minute."""
    told = _after(Demand(), _observed(2.0, **_taking(6.0)), timedelta(minutes=10))
    filling = _observed(2.0, **_taking(12.0))
    doing_half = tuple(replace(each, activities_per_second=each.activities_per_second / 2) for each in filling.totals)

    assert _after(told, replace(filling, totals=doing_half), timedelta(minutes=5)).service_seconds.value == 6.0


def test_right_after_a_jump_full_slots_do_not_pass_for_longer_tasks() -> None:
    """Heartbeats count slots at once; the levels of what arrives and of what is done know nothing of the jump yet."""
    told = _after(Demand(), _observed(2.0, **_taking(6.0)), timedelta(minutes=10))
    jumped = _observed(2.0, activity_slots_used=8, activities_per_second=2 / 6.0, age_seconds=OLD)
    full = tuple(replace(each, activity_slots_used=8 * each.workers) for each in jumped.totals)

    assert _after(told, replace(jumped, totals=full), TICK).service_seconds.value == 6.0


def test_long_tasks_are_sampled() -> None:
    """While a load of them grows, slots fill up for minutes before any more are done."""
    seconds = 4 * LONGEST_BY_LITTLE.total_seconds()
    demand = _after(Demand(), _observed(seconds, **_taking(3 * seconds)), timedelta(minutes=10))

    assert demand.service_seconds.value == pytest.approx(seconds)


def test_workers_without_heartbeats_are_sampled() -> None:
    silent = replace(_observed(2.0, activities_per_second=None, activity_slots_used=None), totals=())
    demand = _after(Demand(), silent, timedelta(minutes=10))

    assert demand.service_seconds.value == 2.0


def test_a_missing_slot_time_leaves_what_is_known() -> None:
    known = _after(Demand(), _observed(2.0, **_taking(9.0, YOUNG)), TICK)
    missing = replace(_observed(None), task_times=(), workers=(), totals=())

    assert _after(known, missing, TICK).service_seconds.value == 2.0


def _none_taken(per_second: float) -> Observation:
    """No history is read, and no worker has a slot taken at the moment that it tells of."""
    seen = _observed(None, activity_slots_used=0, activities_per_second=per_second, age_seconds=OLD)
    return with_workers(replace(seen, task_times=()), seen.workers)


def test_tasks_too_short_to_be_seen_taking_a_slot_are_known_to_be_short() -> None:
    """No history is read, and of six tasks a second on each of four workers none is ever seen under way."""
    quick = _none_taken(6.0)

    assert _after(Demand(), quick, timedelta(minutes=10)).service_seconds.value == pytest.approx(1 / 24, rel=0.01)


@pytest.mark.parametrize(
    ("taken", "per_second", "known"),
    [
        (90.0, 1.5, None),  # ninety tasks that took their time have just ended: they are no short ones
        (0.5, 1.5, 1 / 6),  # fewer than one at a time counts as one
        (2.5, 1.5, 2.5 / 6),
        (0.5, 12.0, None),  # eight times as many are done as arrive
    ],
)
def test_tasks_of_which_none_is_taken_now_last_no_longer_than_those_of_late_or_one_at_a_time(
    taken: float, per_second: float, known: float | None
) -> None:
    seen = _none_taken(1.5)
    before = _after(Demand(), seen, timedelta(minutes=3))
    before = replace(before, service_seconds=Level(), busy_slots=replace(before.busy_slots, value=taken))
    at = seen.observed_at + timedelta(minutes=3) + timedelta(seconds=1)
    queues = tuple(replace(queue, at=at) for queue in seen.queues)

    now = replace(_none_taken(per_second), observed_at=at, queues=queues)
    value = fed(before, seen_queue(now, declared(), ACTIVITIES)).service_seconds.value

    assert value == (None if known is None else pytest.approx(known, rel=0.02))
