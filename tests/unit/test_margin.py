"""The margin above the load: as large as what surprised before, and used up before workers are added for it."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from scaler.fleet import Fleet
from scaler.learn.arrivals import fed, load
from scaler.learn.level import level_after
from scaler.learn.margin import (
    HIGHEST_BEATEN,
    LARGEST_MARGIN,
    SURPRISE_EDGES,
    SURPRISE_TIME,
    News,
    highest_after,
    levels_after,
    margin_per_second,
    surprises_after,
)
from scaler.learn.seen_queue import seen_queue
from scaler.model.common import Size
from scaler.model.decision import Reason
from scaler.model.estimate import Load
from scaler.model.observation import Observation, ReplaySeen
from scaler.model.remembered import Demand, Level, Operator
from scaler.rules.situation import MARGIN_SPARED
from tests.support.plausible import ACTIVITIES, TICK, Life, Step, remembered_of
from tests.support.strategies import declared

TICKS = 120
PER_SECOND = 60.0


def _settled(seed: int = 1) -> Life:
    """A fleet that has watched an uneven load for half an hour."""
    chance = random.Random(seed)
    life = Life(declared(workers={"min": 1, "max": 100}), Size(20, 100), 2**18, ReplaySeen())
    for _ in range(TICKS):
        life.tick(life.observe(max(1.0, chance.gauss(PER_SECOND, 6.0)), 0.5), Operator())
    return life


def _waiting(seen: Observation, tasks: int) -> Observation:
    queues = (replace(queue, backlog_tasks=tasks, backlog_age_seconds=0.2) for queue in seen.queues)
    return replace(seen, queues=tuple(queues))


def _after(life: Life, seen: Observation) -> Step:
    life.tick(seen, Operator())
    return life.steps[-1]


def test_a_load_that_grows_uses_its_margin_up_before_workers_are_added() -> None:
    life = _settled()
    margin_per_second = _load(life.fleet, life.observe(PER_SECOND, 0.5), life.demand(ACTIVITIES)).margin_per_second

    steps = [_after(life, life.observe(PER_SECOND + part / 8 * margin_per_second, 0.5)) for part in range(40)]
    grown = next(number for number, step in enumerate(steps) if step.wanted.workers > step.current.workers)
    held = [step for step in steps[:grown] if Reason.HELD_BY_MARGIN in step.decision.reasons]

    assert any(step.decision.predicted.size.workers > step.current.workers for step in held if step.decision.predicted)


def test_workers_go_only_if_the_load_would_still_have_room_to_grow() -> None:
    steps = [step for seed in (1, 2, 3) for step in _settled(seed).steps if Reason.SCALE_IN in step.decision.reasons]

    assert steps
    assert all(_margins_left(step) >= MARGIN_SPARED for step in steps)


def test_a_load_that_uses_its_whole_margin_adds_workers() -> None:
    life = _settled()
    before = life.size.workers

    step = _after(life, life.observe(1.6 * PER_SECOND, 0.5))

    assert step.wanted.workers > before
    assert Reason.HELD_BY_MARGIN not in step.decision.reasons


def test_while_tasks_wait_no_margin_holds_workers_back() -> None:
    steps = [_after(life := _settled(seed), _waiting(life.observe(PER_SECOND, 0.5), 400)) for seed in range(5)]

    assert all(Reason.HELD_BY_MARGIN not in step.decision.reasons for step in steps)
    assert all(step.wanted.workers > step.current.workers for step in steps)


def test_one_more_surprise_changes_the_margin_by_little() -> None:
    """A margin that jumps from edge to edge, by half and more, moves workers where nothing happened."""
    life, chance = _settled(), random.Random(2)
    demand, margins = life.demand(ACTIVITIES), []
    for _ in range(400):
        seen = life.observe(max(1.0, chance.gauss(PER_SECOND, 6.0)), 0.5)
        demand = fed(demand, seen_queue(seen, life.fleet, ACTIVITIES))
        margins.append(_load(life.fleet, seen, demand).margin_per_second)
        life.now += TICK

    assert max(abs(later / sooner - 1) for sooner, later in pairwise(margins)) < 0.45


def test_a_stricter_objective_leaves_more_room() -> None:
    life = _settled()
    margins = [
        _load(declared(objective={"percentile": percentile}), life.observe(PER_SECOND, 0.5), life.demand(ACTIVITIES))
        for percentile in (50, 90, 95, 99)
    ]

    assert [found.margin_per_second for found in margins] == sorted({found.margin_per_second for found in margins})


def test_who_lets_most_tasks_be_late_needs_no_margin() -> None:
    life = _settled()
    found = _load(declared(objective={"percentile": 25}), life.observe(PER_SECOND, 0.5), life.demand(ACTIVITIES))

    assert found.margin_per_second == 0.0


def test_a_load_that_jumps_between_two_levels_leaves_little_room_above_the_upper_one() -> None:
    life, low_per_second, strict = _settled(), 3.0, declared(objective={"percentile": 99})
    for per_second in (low_per_second, PER_SECOND, low_per_second, PER_SECOND):
        for _ in range(20):
            life.tick(life.observe(per_second, 0.5), Operator())
    upper = _load(strict, life.observe(PER_SECOND, 0.5), life.demand(ACTIVITIES))
    for _ in range(20):
        life.tick(life.observe(low_per_second, 0.5), Operator())
    lower = _load(strict, life.observe(low_per_second, 0.5), life.demand(ACTIVITIES))

    assert upper.margin_per_second <= 1.1 * HIGHEST_BEATEN * upper.arrivals_per_second
    assert lower.margin_per_second == LARGEST_MARGIN * lower.arrivals_per_second


def test_before_anything_surprised_a_margin_is_kept_that_fades_if_nothing_does() -> None:
    life = Life(declared(workers={"min": 1, "max": 100}), Size(20, 100), 2**18, ReplaySeen())
    first = _load(life.fleet, life.observe(PER_SECOND, 0.5), life.demand(ACTIVITIES))
    for _ in range(TICKS):
        life.tick(life.observe(PER_SECOND, 0.5), Operator())
    settled = _load(life.fleet, life.observe(PER_SECOND, 0.5), life.demand(ACTIVITIES))

    assert first.margin_per_second > math.sqrt(PER_SECOND)
    assert settled.margin_per_second < first.margin_per_second / 3


@pytest.mark.parametrize("tick_seconds", [5, 15, 60])
def test_a_surprise_fades_however_short_the_ticks_are(tick_seconds: int) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    demand = Demand(surprises=(0.0,) * len(SURPRISE_EDGES) + (1.0,))
    for tick in range(int(2 * SURPRISE_TIME.total_seconds() / tick_seconds) + 1):
        at = start + timedelta(seconds=tick * tick_seconds)
        news = News(rate=PER_SECOND, level=Level(PER_SECOND, at), at=at, learning=False)
        surprises, levels_before = surprises_after(demand, news), levels_after(demand, news)
        demand = replace(demand, surprises=surprises, levels_before=levels_before, arrivals_per_second=news.level)

    assert demand.surprises[-1] == pytest.approx(math.exp(-2), rel=0.1)


def test_a_reading_within_half_of_the_margin_does_not_pass_for_a_higher_load() -> None:
    life = _settled()
    level = _load(life.fleet, life.observe(PER_SECOND, 0.5), life.demand(ACTIVITIES))
    wavering = life.observe(level.arrivals_per_second + level.margin_per_second / 4, 0.5)
    jumping = life.observe(level.arrivals_per_second + 2 * level.margin_per_second, 0.5)

    assert _load(life.fleet, wavering, life.demand(ACTIVITIES)).arrivals_per_second == level.arrivals_per_second
    assert _load(life.fleet, jumping, life.demand(ACTIVITIES)).arrivals_per_second > level.arrivals_per_second


def test_a_load_that_nobody_reads_may_be_back_where_it_was() -> None:
    life, low_per_second = _settled(), 10.0
    for _ in range(20):
        life.tick(life.observe(low_per_second, 0.5), Operator())
    unread = life.observe(low_per_second, 0.5)
    loads = [_load_after(life, unread, seconds).arrivals_per_second for seconds in (0, 60, 120)]
    life.now += timedelta(seconds=120)
    step = _after(life, unread)

    assert loads[0] == loads[1] == pytest.approx(low_per_second, rel=0.3)
    assert loads[2] > 2 * low_per_second
    assert step.wanted.workers > step.current.workers
    assert Reason.UNREAD_LOAD in step.decision.reasons


def _load_after(life: Life, seen: Observation, seconds: float) -> Load:
    now = seen.observed_at + timedelta(seconds=seconds)
    return load(seen_queue(seen, life.fleet, ACTIVITIES), life.fleet, life.demand(ACTIVITIES), now)


def _margins_left(step: Step) -> float:
    """How many margins lie between the load and what the workers that are left can do."""
    found = _load(step.fleet, step.seen, remembered_of(step.after, ACTIVITIES))
    assert found.service_seconds is not None
    done_per_second = step.wanted.workers * found.slots_per_worker / found.service_seconds
    return (done_per_second - found.arrivals_per_second) / found.margin_per_second


def _load(fleet: Fleet, seen: Observation, demand: Demand) -> Load:
    return load(seen_queue(seen, fleet, ACTIVITIES), fleet, demand, seen.observed_at)


def test_surprises_count_by_how_long_they_lasted_not_by_how_often_they_were_read() -> None:
    """A burst of two minutes in every ten, read every 15 s throughout, and every 5 s while it lasts, as ticks are."""
    assert _margin_of_bursts(every_seconds=5) == pytest.approx(_margin_of_bursts(every_seconds=15), rel=0.3)


def _margin_of_bursts(every_seconds: int) -> float:
    demand, began, second = Demand(), datetime(2026, 1, 1, tzinfo=UTC), 0
    while second < 7200:
        phase = second % 600
        rate = 10.0 + (30.0 * (1 - math.exp(-phase / 30)) if phase < 120 else 0.0)
        at = began + timedelta(seconds=second)
        level = level_after(demand.arrivals_per_second, rate, at, timedelta(seconds=35))
        news = News(rate=rate, level=level, at=at, learning=second < 120)
        demand = Demand(
            arrivals_per_second=level,
            surprises=surprises_after(demand, news),
            levels_before=levels_after(demand, news),
            highest_per_second=highest_after(demand, news),
        )
        second += every_seconds if phase < 150 else 15
    return margin_per_second(demand, 10.0, 95.0)
