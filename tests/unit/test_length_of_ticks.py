"""How long a tick lasts: short while something is under way."""

from dataclasses import replace

from scaler.model.plan import SHORTEST_TICK
from scaler.model.record import RolloutStep
from scaler.rules.pace import WATCHFUL_TICK
from tests.support.lives import calm, passed
from tests.support.plausible import Step, with_workers


def _lasts(step: Step) -> object:
    return step.decision.plan.until - step.now


def test_a_fleet_under_a_load_that_it_bears_is_watched_in_longer_ticks() -> None:
    assert _lasts(passed(calm(4), 40, 4.0)) == WATCHFUL_TICK


def test_after_workers_were_added_the_next_look_is_soon() -> None:
    """Nothing waits and nobody starts yet: that more were asked for is reason enough."""
    life = calm(2)
    passed(life, 40, 2.0)

    steps = [passed(life, 1, 30.0) for _ in range(10)]

    added = [step for step in steps if step.wanted.workers > step.current.workers]
    assert added
    assert {_lasts(step) for step in added} == {SHORTEST_TICK}


def test_while_workers_are_replaced_the_next_look_is_soon() -> None:
    life = calm(4)
    passed(life, 40, 4.0)
    seen = life.observe(4.0, 0.5)
    rows = (replace(seen.workers[0], cache=40), *seen.workers[1:])

    step = passed(life, 1, 4.0, lambda seen: with_workers(seen, rows))

    assert step.decision.plan.step is RolloutStep.REPLACE
    assert _lasts(step) == SHORTEST_TICK
