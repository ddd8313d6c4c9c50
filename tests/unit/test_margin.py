"""The margin above the load: as large as what surprised before, and used up before workers are added for it."""

import random
from dataclasses import replace
from itertools import pairwise

from scaler.demand import Moment, fed, load
from scaler.model.common import Size, TaskType
from scaler.model.decision import Reason
from scaler.model.estimate import Load
from scaler.model.memory import Demand, Operator
from scaler.model.observation import Observation, ReplaySeen
from tests.support.plausible import TICK, Life, Step
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


def test_a_load_that_uses_some_of_its_margin_adds_no_worker() -> None:
    life = _settled()
    seen = life.observe(PER_SECOND, 0.5)
    margin_per_second = _load(life, seen, life.memory.activity).margin_per_second

    steps = [_after(life, life.observe(PER_SECOND + 0.5 * margin_per_second, 0.5)) for _ in range(5)]

    assert all(step.wanted.workers == step.current.workers for step in steps)
    assert any(Reason.HELD_BY_MARGIN in step.decision.reasons for step in steps)


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
    demand, margins = life.memory.activity, []
    for _ in range(400):
        seen = life.observe(max(1.0, chance.gauss(PER_SECOND, 6.0)), 0.5)
        demand = fed(demand, seen, TaskType.ACTIVITY)
        margins.append(_load(life, seen, demand).margin_per_second)
        life.now += TICK

    assert max(abs(later / sooner - 1) for sooner, later in pairwise(margins)) < 0.45


def _load(life: Life, seen: Observation, demand: Demand) -> Load:
    found = load(seen, life.fleet, demand, Moment(TaskType.ACTIVITY, life.now))
    assert found is not None
    return found
