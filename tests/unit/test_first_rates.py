"""The first seconds of a queue: the server's rates overstate them, so that only tasks that wait add workers."""

from dataclasses import replace
from datetime import timedelta

from scaler.learn.arrivals import FIRST_RATES, LEARNING_TIME
from scaler.model.common import Size
from scaler.model.decision import Reason
from scaler.model.observation import Observation, ReplaySeen
from scaler.model.remembered import Operator
from tests.support.plausible import TICK, Life, Step
from tests.support.strategies import declared

PER_SECOND = 6.0
OVERSTATED_PER_SECOND = 60.0


def _begun() -> Life:
    return Life(declared(workers={"min": 1, "max": 100}), Size(4, 100), 2**18, ReplaySeen())


def _step(life: Life, seen: Observation) -> Step:
    life.tick(seen, Operator())
    return life.steps[-1]


def _late(seen: Observation) -> Observation:
    queues = (replace(queue, backlog_tasks=300, backlog_age_seconds=3.0) for queue in seen.queues)
    return replace(seen, queues=tuple(queues))


def test_the_first_rates_of_a_queue_add_no_worker_while_nothing_waits() -> None:
    life = _begun()

    step = _step(life, life.observe(OVERSTATED_PER_SECOND, 0.1))

    assert step.decision.predicted is not None
    assert step.decision.predicted.size.workers > step.current.workers
    assert step.wanted.workers == step.current.workers
    assert Reason.HELD_BY_FIRST_RATES in step.decision.reasons


def test_tasks_that_wait_add_workers_at_once() -> None:
    life = _begun()

    step = _step(life, _late(life.observe(OVERSTATED_PER_SECOND, 0.1)))

    assert step.wanted.workers > step.current.workers


def test_a_load_that_goes_on_is_believed_after_half_a_minute() -> None:
    life = _begun()

    steps = [_step(life, life.observe(OVERSTATED_PER_SECOND, 0.1)) for _ in range(4)]
    believed = next(step for step in steps if step.wanted.workers > step.current.workers)

    assert FIRST_RATES <= believed.now - steps[0].now < FIRST_RATES + TICK


def test_how_fast_free_slots_are_filled_is_not_what_workers_do() -> None:
    """A scale-out measured against it passes for one in vain, and the next ones are held while every slot is busy."""
    life = _begun()

    steps = [_step(life, _late(life.observe(OVERSTATED_PER_SECOND, 0.1))) for _ in range(LEARNING_TIME // TICK)]

    assert steps[0].wanted.workers > steps[0].current.workers
    assert all(step.after.scale_outs == () for step in steps)


def test_what_workers_do_is_what_a_later_scale_out_is_measured_against() -> None:
    life = _begun()
    for _ in range(LEARNING_TIME // TICK + 1):
        _step(life, life.observe(PER_SECOND, 0.1))

    step = _step(life, _late(life.observe(PER_SECOND, 0.1)))

    assert {trial.workers_before for trial in step.after.scale_outs} == {step.current.workers}


def test_the_first_rates_still_start_what_bounds_ask_for() -> None:
    life = _begun()
    life.fleet = declared(workers={"min": 6, "max": 100})

    step = _step(life, life.observe(PER_SECOND, 0.1))

    assert step.wanted.workers == 6


def test_a_queue_that_was_not_read_for_long_is_young_again() -> None:
    life = _begun()
    for _ in range(12):
        _step(life, life.observe(PER_SECOND, 0.1))
    life.now += timedelta(minutes=5)

    step = _step(life, life.observe(OVERSTATED_PER_SECOND, 0.1))

    assert Reason.HELD_BY_FIRST_RATES in step.decision.reasons
