"""A fleet that is given up comes to its end, whoever set its count last and whether or not it was paused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.claims import Standing, record_step
from scaler.decide import decide
from scaler.interventions import paused, stopped
from scaler.model.common import Generation, Size
from scaler.model.observation import Observation
from scaler.model.plan import Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.model.remembered import Pause
from scaler.state import State
from tests.support.lives import calm
from tests.support.strategies import NOW, OWNER

MOST_TICKS = 6


def _ticks_until_given_up(desired: int, *, drain: bool = True, pause: bool = False) -> int | None:
    """After how many ticks a fleet of four is given up whose target is set to this count; None if it is not."""
    life = calm(4)
    state = State(fleet=life.fleet, generation=Generation(1.0, 5))
    record = TargetRecord(owner=OWNER, generation=Generation(1.0, 5), intended=Size(4, 60), previous=Size(4, 60))
    if pause:
        state = replace(state, memory=paused(state.memory, Pause(reason="night", since=NOW)))
    state = replace(state, memory=stopped(state.memory, drain=drain))
    outcome, now = StepOutcome.LOOKED, NOW
    for tick in range(MOST_TICKS):
        life.size, life.now = Size(desired, 60), now
        state = state.saw(_seen(life.observe(0.0, 0.1), record, Applied(generation=state.generation, outcome=outcome)))
        assert state.observation is not None
        decision, memory = decide(state.observation, state.fleet, state.memory, now)
        state = state.decided(decision, memory)
        if state.may_release:
            return tick
        state = state.sent(decision.plan, now)
        stamp = Stamp(owner=OWNER, generation=state.generation, wake_from=now)
        step = record_step(record, decision.plan, stamp, Standing(now=now, owner_lives=True, desired=desired))
        record, outcome = step.write or record, step.outcome
        if outcome is StepOutcome.APPLIED and record.intended is not None:
            desired = record.intended.workers
        now += timedelta(seconds=5)
    return None


def _seen(seen: Observation, record: TargetRecord, applied: Applied) -> Observation:
    return replace(seen, found=record, applied=replace(applied, record=record))


@pytest.mark.parametrize("drain", [True, False])
@pytest.mark.parametrize("pause", [True, False])
@pytest.mark.parametrize("desired", [4, 9, 1])
def test_a_fleet_is_given_up_within_a_few_ticks(desired: int, drain: bool, pause: bool) -> None:
    assert _ticks_until_given_up(desired, drain=drain, pause=pause) is not None


def test_workers_that_report_nothing_are_drained_with_the_others() -> None:
    """Programs without heartbeats were never known to be idle, and `stop --drain` waited for them for ever."""
    life = calm(4)
    seen = life.observe(0.0, 0.1)
    silent = tuple(replace(worker, heartbeat_age_seconds=None, activity_slots_used=None) for worker in seen.workers)
    totals = tuple(replace(total, beating=0, activity_slots_used=0) for total in seen.totals)
    memory = stopped(life.memory, drain=True)

    decision, _ = decide(replace(seen, workers=silent, totals=totals, slots=()), life.fleet, memory, life.now)

    assert decision.plan.size == Size(0)
    assert len(decision.plan.victims) == 4
