"""Every scale-out is a trial for each queue whose tasks wait, and what it did not bring is not asked for again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from scaler.model.common import Size, TaskType
from scaler.model.decision import Constraint, Reason
from scaler.model.observation import Observation, QueueSeen, WorkerState
from scaler.model.remembered import Operator
from tests.support.lives import calm, passed
from tests.support.plausible import SLOTS, Life, with_workers

QUEUES = [{"name": "agents"}, {"name": "slow", "types": ["activity"]}]
ACTIVITIES = [{"name": "agents", "types": ["activity"]}]
Changed = Callable[[QueueSeen], QueueSeen]


def _queues(seen: Observation, changes: dict[tuple[str, TaskType], Changed]) -> Observation:
    slow = replace(seen.queues[-1], queue="slow", arrivals_per_second=0.2, dispatches_per_second=0.2)
    queues = (*seen.queues, slow)
    return replace(seen, queues=tuple(changes.get((each.queue, each.task_type), _as_it_is)(each) for each in queues))


def _as_it_is(queue: QueueSeen) -> QueueSeen:
    return queue


def _waiting(tasks: int, age_seconds: float, *, limited: bool = False) -> Changed:
    return lambda queue: replace(queue, backlog_tasks=tasks, backlog_age_seconds=age_seconds, rate_limited=limited)


@pytest.mark.parametrize(("task_type", "at_least"), [(TaskType.WORKFLOW, 10), (TaskType.ACTIVITY, 30)])
def test_a_queue_at_its_limit_holds_no_other_queue_back(task_type: TaskType, at_least: int) -> None:
    life = calm(4, task_queues=QUEUES)
    for tick in range(40):
        late = max(tick - 20, 0)
        changes = {("slow", TaskType.ACTIVITY): _waiting(2, 1.0, limited=True)}
        if late:
            changes["agents", task_type] = _waiting(3000 + 200 * late, 30.0 + 15 * late)
        life.tick(_queues(life.observe(8.0, 0.5), changes), Operator())

    assert life.size.workers >= at_least


def test_a_queue_that_more_workers_bring_nothing_holds_no_other_queue_back() -> None:
    life = calm(4, task_queues=QUEUES)
    passed(life, 20, 8.0, lambda seen: _queues(seen, {}))
    life.size = Size(4, 60)
    for _ in range(12):
        stuck = _queues(life.observe(8.0, 0.5), {("slow", TaskType.ACTIVITY): _waiting(50, 40.0)})
        life.tick(stuck, Operator())
    held = life.size.workers
    assert held <= 8

    for _ in range(8):
        both = {
            ("slow", TaskType.ACTIVITY): _waiting(50, 40.0),
            ("agents", TaskType.WORKFLOW): _waiting(4000, 40.0),
        }
        life.tick(_queues(life.observe(8.0, 0.5), both), Operator())

    assert life.size.workers >= 12


def _nothing_is_taken(seen: Observation, age_seconds: float) -> Observation:
    """Two tasks a second wait from some moment on: no poll is answered any more, and every slot is free."""
    rows = tuple(
        replace(
            row,
            activity_slots_used=0,
            activities_per_second=0.0,
            workflow_tasks_per_second=0.0,
        )
        for row in seen.workers
    )
    queue = replace(
        seen.queues[-1],
        backlog_tasks=int(2 * age_seconds),
        backlog_age_seconds=age_seconds,
        arrivals_per_second=2.0,
        dispatches_per_second=0.0,
    )
    return replace(with_workers(seen, rows), queues=(seen.queues[0], queue))


def _two_workers() -> Life:
    life = calm(2, bounds={"min": 2, "max": 40}, task_queues=ACTIVITIES)
    passed(life, 20, 2.0)
    return life


def _turned_away(life: Life, minutes: float) -> list[int]:
    """Counts while nobody is let poll for so long."""
    began, counts = life.now, []
    while life.now - began < timedelta(minutes=minutes):
        age = (life.now - began).total_seconds() + 5.0
        life.tick(_nothing_is_taken(life.observe(2.0, 0.5), age), Operator())
        counts.append(life.size.workers)
    return counts


def test_a_scale_out_from_zero_throughput_is_judged_too() -> None:
    """Tasks wait beside free slots for an hour: one probing step at a time, no ramp, and each is taken back."""
    life = _two_workers()

    counts = _turned_away(life, 60)

    assert max(counts) <= 4
    assert max(counts[40:]) == 3
    assert min(counts[40:]) == 2
    steps_out = sum(later > sooner for sooner, later in pairwise(counts[40:]))
    assert 3 <= steps_out <= 5
    reasons = {reason for step in life.steps[-40:] for reason in step.decision.reasons}
    assert {Reason.INEFFECTIVE_SCALE_OUT, Reason.WAITS_BESIDE_FREE_SLOTS} <= reasons
    assert life.steps[-1].decision.workers_bound is Constraint.NO_GAIN


def test_one_worker_is_tried_at_once_where_tasks_wait_beside_free_slots_however_many_should_do() -> None:
    """By what they did before, eight workers are plenty; for half a minute they took nothing."""
    life = calm(8, bounds={"min": 8, "max": 40}, task_queues=ACTIVITIES)
    passed(life, 20, 2.0)

    life.tick(_nothing_is_taken(life.observe(2.0, 0.5), 30.0), Operator())

    tried = life.steps[-1].decision
    assert (life.size.workers, tried.workers_bound) == (9, Constraint.PROBE)
    assert {Reason.SCALE_OUT_BACKLOG, Reason.WAITS_BESIDE_FREE_SLOTS} <= set(tried.reasons)

    life.tick(_nothing_is_taken(life.observe(2.0, 0.5), 45.0), Operator())
    assert life.size.workers == 9


def test_no_worker_is_tried_while_one_is_on_its_way() -> None:
    life = calm(8, bounds={"min": 8, "max": 40}, task_queues=ACTIVITIES)
    passed(life, 20, 2.0)
    seen = _nothing_is_taken(life.observe(2.0, 0.5), 30.0)
    starting = replace(seen.workers[-1], state=WorkerState.STARTING)

    life.tick(with_workers(seen, (*seen.workers[:-1], starting)), Operator())

    assert life.size.workers == 8


def test_no_worker_is_tried_at_the_limit_of_a_queue() -> None:
    life = calm(8, bounds={"min": 8, "max": 40}, task_queues=ACTIVITIES)
    passed(life, 20, 2.0)
    seen = _nothing_is_taken(life.observe(2.0, 0.5), 30.0)
    limited = tuple(replace(queue, rate_limited=True) for queue in seen.queues)

    life.tick(replace(seen, queues=limited), Operator())

    assert life.size.workers == 8


def test_once_polls_are_answered_again_workers_are_added_for_what_waits() -> None:
    life = _two_workers()
    _turned_away(life, 16)
    assert life.size.workers <= 3

    def drained(seen: Observation) -> Observation:
        rate = 5.0 * life.size.workers
        rows = tuple(replace(row, activity_slots_used=SLOTS, activities_per_second=5.0) for row in seen.workers)
        queue = replace(seen.queues[-1], backlog_tasks=2000, backlog_age_seconds=600.0, dispatches_per_second=rate)
        return replace(with_workers(seen, rows), queues=(seen.queues[0], queue))

    passed(life, 8, 30.0, drained)
    assert life.size.workers >= 6
    passed(life, 40, 30.0, drained)
    assert life.size.workers >= 12


def _of_five_minutes(life: Life, waiting: int) -> Observation:
    """Tasks of five minutes: all slots are taken, none of what began lately has ended."""
    seen = life.observe(1.0, 0.5)
    rows = tuple(replace(row, activity_slots_used=SLOTS, activities_per_second=70 / 300 / 10) for row in seen.workers)
    queue = replace(
        seen.queues[-1],
        backlog_tasks=waiting,
        backlog_age_seconds=2.5 if waiting else 0.0,
        arrivals_per_second=90 / 300,
        dispatches_per_second=90 / 300,
    )
    times = replace(seen.task_times[-1], service_mean_seconds=300.0)
    return replace(with_workers(seen, rows), queues=(seen.queues[0], queue), task_times=(seen.task_times[0], times))


def test_slots_taken_are_the_effect_of_a_scale_out_for_long_tasks() -> None:
    life = calm(10, bounds={"min": 10, "max": 300})
    for _ in range(20):
        life.tick(_of_five_minutes(life, 0), Operator())
    for _ in range(40):
        life.tick(_of_five_minutes(life, 4), Operator())

    reasons = {reason for step in life.steps for reason in step.decision.reasons}
    assert Reason.INEFFECTIVE_SCALE_OUT not in reasons


def test_workers_that_no_slot_of_long_tasks_was_taken_on_were_added_in_vain() -> None:
    """As many run as before, though more workers offer slots."""
    life = calm(10, bounds={"min": 10, "max": 300})
    for _ in range(20):
        life.tick(_of_five_minutes(life, 0), Operator())
    before = life.size.workers
    for _ in range(40):
        seen = _of_five_minutes(life, 4)
        rows = tuple(replace(row, activity_slots_used=int(place < before)) for place, row in enumerate(seen.workers))
        life.tick(with_workers(seen, rows), Operator())

    reasons = {reason for step in life.steps for reason in step.decision.reasons}
    assert Reason.INEFFECTIVE_SCALE_OUT in reasons
    assert life.size.workers <= before + 1


def _saturated(life: Life, rate: float, used: int = SLOTS) -> Observation:
    """So many slots of each are taken, and a downstream lets so many through however many workers ask it."""
    seen = life.observe(rate, 0.5)
    rows = tuple(
        replace(row, activity_slots_used=used, activities_per_second=rate / len(seen.workers)) for row in seen.workers
    )
    queue = replace(seen.queues[-1], backlog_tasks=400, backlog_age_seconds=2.0, dispatches_per_second=rate)
    return replace(with_workers(seen, rows), queues=(seen.queues[0], queue))


def _four_workers() -> Life:
    life = calm(4, bounds={"min": 4, "max": 30}, task_queues=ACTIVITIES)
    passed(life, 20, 10.0)
    return life


def test_a_scale_out_at_a_saturated_downstream_is_not_followed_by_another() -> None:
    life = _four_workers()

    counts = [passed(life, 1, 0.0, lambda _: _saturated(life, 20.0)).wanted.workers for _ in range(40)]

    assert counts[0] == 8
    assert max(counts) <= 24
    assert counts[10:] == [counts[10]] * 30
    assert Reason.INEFFECTIVE_SCALE_OUT in life.steps[-1].decision.reasons


def test_workers_that_brought_nothing_go_down_to_the_count_before_them_while_tasks_are_late() -> None:
    life = _four_workers()
    life.fleet = calm(4, bounds={"min": 1, "max": 30}, task_queues=ACTIVITIES).fleet
    passed(life, 8, 0.0, lambda _: _saturated(life, 20.0))
    assert life.size.workers >= 8

    counts = [passed(life, 1, 0.0, lambda _: _saturated(life, 20.0, used=1)).wanted.workers for _ in range(30)]

    assert counts[-1] == 4
    assert min(counts) == 4


def test_a_scale_out_that_helps_is_followed_by_more() -> None:
    life = _four_workers()
    for _ in range(40):
        life.tick(_saturated(life, 5.0 * life.size.workers), Operator())

    assert life.size.workers == 30


def test_an_effect_that_chance_may_hide_is_no_verdict() -> None:
    """One more worker of a hundred brings one percent: what a minute's count can't show, it does not deny."""
    life = calm(100, bounds={"min": 1, "max": 120}, task_queues=ACTIVITIES)
    passed(life, 20, 500.0)
    life.size = Size(100, 60)
    life.tick(_saturated(life, 500.0), Operator())
    life.size = Size(101, 60)
    life.fleet = calm(1, bounds={"min": 1, "max": 101}, task_queues=ACTIVITIES).fleet
    for _ in range(30):
        life.tick(_saturated(life, 499.0), Operator())

    assert all(Reason.INEFFECTIVE_SCALE_OUT not in step.decision.reasons for step in life.steps)
