"""While a fresh reading shows tasks that wait longer than the objective, no worker goes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from scaler.interventions import stopped
from scaler.model.common import Quality, Size, TaskType
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation, QueueSeen, TaskTimesSeen
from scaler.model.remembered import Operator, Override, Remembered
from tests.support.lives import Seen, as_it_is, calm, passed, waiting
from tests.support.plausible import Life
from tests.support.strategies import NOW


def _sampled_wait(seconds: float) -> Seen:
    def told(times: TaskTimesSeen) -> TaskTimesSeen:
        return replace(times, schedule_to_start_seconds=seconds)

    return lambda seen: replace(seen, task_times=tuple(told(times) for times in seen.task_times))


def _unread(seen: Observation) -> Observation:
    def told(queue: QueueSeen) -> QueueSeen:
        return replace(queue, quality=Quality.STALE)

    return replace(seen, queues=tuple(told(queue) for queue in seen.queues))


def _idle(workers: int = 10) -> Life:
    """A fleet whose load has fallen to next to nothing, just before it gives workers up."""
    life = calm(workers)
    passed(life, 20, 30.0)
    passed(life, 3, 0.5)
    life.size, life.memory = Size(workers, 60), replace(life.memory, scale_in=None)
    return life


@pytest.mark.parametrize(
    "late",
    [waiting(1, 1.5), waiting(1, 0.3, TaskType.WORKFLOW), _sampled_wait(2.5)],
    ids=["an activity waits", "a workflow task waits", "sampled tasks waited"],
)
def test_no_worker_goes_while_tasks_are_seen_to_be_late(late: Seen) -> None:
    life = _idle()

    step = passed(life, 60, 0.5, late)

    assert life.size.workers == 10
    assert step.decision.workers_bound is Constraint.OBJECTIVE_MISSED
    assert Reason.HELD_BY_MISSED_OBJECTIVE in step.decision.reasons
    assert step.decision.mode is Mode.LATE
    passed(life, 60, 0.5)
    assert life.size.workers == 1


def test_tasks_that_wait_within_the_objective_hold_nobody() -> None:
    life = _idle()

    passed(life, 60, 0.5, waiting(1, 0.8))

    assert life.size.workers < 10


def test_an_override_is_not_bound_by_it() -> None:
    life = _idle()
    operator = Operator(override=Override(reason="less", until=NOW + timedelta(hours=9), workers=3))

    step = passed(life, 1, 0.5, waiting(1, 1.5), operator)

    assert step.wanted.workers == 3


def test_a_lowered_maximum_is_not_bound_by_it() -> None:
    life = _idle()
    life.fleet = calm(10, bounds={"min": 1, "max": 4}).fleet

    step = passed(life, 1, 0.5, waiting(1, 1.5))

    assert step.wanted.workers == 4


def test_a_stop_that_drains_is_not_bound_by_it() -> None:
    life = _idle()

    step = passed(life, 1, 0.5, waiting(1, 1.5), stopped(Remembered(), drain=True).operator)

    assert step.wanted.workers == 0


def test_a_count_that_somebody_else_lowered_is_adopted_all_the_same() -> None:
    life = _idle()

    def lowered(seen: Observation) -> Observation:
        return replace(waiting(1, 1.5)(seen), target=replace(seen.target, desired=6))

    step = passed(life, 1, 0.5, lowered)

    assert step.wanted.workers == 6


CHANGES = (
    as_it_is,
    waiting(1, 1.5),
    waiting(40, 20.0),
    waiting(2, 0.4, TaskType.WORKFLOW),
    _sampled_wait(3.0),
    _unread,
)


@given(
    st.sampled_from([0.1, 0.5, 4.0, 12.0]),
    st.lists(st.tuples(st.sampled_from(CHANGES), st.sampled_from([0.1, 0.5, 4.0, 30.0])), min_size=8, max_size=24),
)
def test_seen_outranks_predicted(rate: float, moments: list[tuple[Seen, float]]) -> None:
    """Rule 13: whatever a learned fleet is told, no worker goes of its own accord while a fresh reading is late."""
    life = _learned(rate)
    for change, now_rate in moments:
        step = passed(life, 1, now_rate, change)
        late = any(
            queue.quality is Quality.FRESH
            and (queue.backlog_age_seconds or 0.0) > step.fleet.objective_seconds(queue.task_type)
            for queue in step.seen.queues
        )
        fewer = step.wanted.workers < step.current.workers
        predicted = step.decision.predicted
        event(f"the prediction would take workers away from late tasks: {late and _fewer_predicted(life, predicted)}")
        event(f"a worker goes: {fewer}")
        assert not (late and fewer)


def _fewer_predicted(life: Life, predicted: object) -> bool:
    size = getattr(predicted, "size", None)
    return isinstance(size, Size) and size.workers < life.size.workers


_LEARNED: dict[float, Life] = {}


def _learned(rate: float) -> Life:
    """A copy of a fleet of twelve that has watched its load for minutes and would give workers up by now."""
    if rate not in _LEARNED:
        life = calm(12)
        passed(life, 16, 30.0)
        life.size = Size(12, 60)
        passed(life, 4, rate)
        _LEARNED[rate] = life
    found = _LEARNED[rate]
    return replace(found, steps=[])
