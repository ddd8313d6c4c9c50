"""A fleet that is to be given up is, whatever its target says or does not say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scaler import interventions
from scaler.decide import decide_or_hold
from scaler.model.common import Generation, Owner, Quality, Size
from scaler.model.observation import Observation, TargetSeen, WorkerSeen, WorkerState, WorkerTotals
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.state import DRAIN_TRIES, STOP_TRIES, State
from tests.support.states import NOW, OWNER, fleet

OTHER = TargetRecord(
    owner=Owner("default", "worker-scaler/other"), generation=Generation(0.5, 3), intended=Size(3, 120)
)
ASKED_AT_TICK = 5

Answer = Callable[[Stamp, int], tuple[StepOutcome, TargetRecord | None]]


def always(outcome: StepOutcome, record: TargetRecord | None = None) -> Answer:
    return lambda _stamp, _tick: (outcome, record)


def obedient(stamp: Stamp, _: int) -> tuple[StepOutcome, TargetRecord | None]:
    return StepOutcome.LOOKED, TargetRecord(owner=OWNER, generation=stamp.generation, intended=Size(3, 120))


def silent_until(tick: int) -> Answer:
    return lambda stamp, now: obedient(stamp, now) if now >= tick else (StepOutcome.FAILED, None)


def observed(now: datetime, stamp: Stamp, answer: tuple[StepOutcome, TargetRecord | None]) -> Observation:
    outcome, record = answer
    rows = tuple(WorkerSeen(name=f"w-{number}", state=WorkerState.READY) for number in range(3))
    return Observation(
        observed_at=now,
        found=record,
        applied=Applied(generation=stamp.generation, outcome=outcome, record=record, detail="x"),
        target=TargetSeen(at=now, quality=Quality.FRESH, desired=3),
        workers=rows,
        totals=(WorkerTotals(cache=None, version="", workers=3, ready=3),),
    )


def ticks_until_given_up(answer: Answer, *, drain: bool = False, most: int = 400) -> int | None:
    """The loop's own steps, from the tick after it was asked to stop; None if it goes on for ever."""
    state, now = State(fleet=fleet(), generation=Generation(1.0, 0)), NOW
    for tick in range(most):
        seen, release = state.observation, False
        plan = Plan(size=None, until=now)
        if seen is not None:
            decision, memory = decide_or_hold(seen, state.fleet, state.memory, now)
            state = state.decided(decision, memory)
            plan, release = decision.plan, state.may_release
        stamp = replace(state.stamp(plan, seen, OWNER, now), release=release)
        state = state.sent(plan, now)
        now += max(plan.until - now, timedelta(seconds=0.2))
        state = state.saw(observed(now, stamp, answer(stamp, tick)))
        if release and state.given_up(stamp.generation):
            return tick - ASKED_AT_TICK
        if tick == ASKED_AT_TICK:
            state = replace(state, memory=interventions.stopped(state.memory, drain=drain))
    return None


@pytest.mark.parametrize(
    "answer",
    [
        obedient,
        always(StepOutcome.NOT_ALLOWED),
        always(StepOutcome.REFUSED_OWNER, OTHER),
    ],
    ids=["its own", "taken out of the configuration", "another fleet's"],
)
def test_a_target_that_answers_is_given_up_with_the_next_tick(answer: Answer) -> None:
    assert ticks_until_given_up(answer) == 1


@pytest.mark.parametrize("outcome", [StepOutcome.FAILED, StepOutcome.CONFLICT, StepOutcome.UNKNOWN])
def test_a_target_that_does_not_answer_is_given_up_after_a_few_ticks(outcome: StepOutcome) -> None:
    ticks = ticks_until_given_up(always(outcome))

    assert ticks is not None
    assert ticks <= STOP_TRIES + 1


def test_a_target_that_is_to_be_emptied_is_tried_for_longer_but_not_for_ever() -> None:
    ticks = ticks_until_given_up(always(StepOutcome.FAILED), drain=True)

    assert ticks is not None
    assert STOP_TRIES < ticks <= DRAIN_TRIES + 1


def test_another_fleets_target_is_never_emptied() -> None:
    assert ticks_until_given_up(always(StepOutcome.REFUSED_OWNER, OTHER), drain=True) == 1


def test_a_target_that_is_silent_for_a_moment_is_still_given_up_in_order() -> None:
    assert ticks_until_given_up(silent_until(ASKED_AT_TICK + 3)) == 4


def test_a_fleet_with_workers_left_is_not_given_up_while_it_drains() -> None:
    assert ticks_until_given_up(obedient, drain=True) is None
