"""What single events of a run tell of its tasks: waits from their beginning, lengths without it, what may still run."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType, TaskQueueKind, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

from activities.sources.history_events import sampled

BEGAN = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
STICKY, NORMAL = TaskQueueKind.TASK_QUEUE_KIND_STICKY, TaskQueueKind.TASK_QUEUE_KIND_NORMAL


def _event(number: int, kind: EventType.ValueType, after_seconds: float) -> HistoryEvent:
    event = HistoryEvent(event_id=number, event_type=kind)
    event.event_time.FromDatetime(BEGAN + timedelta(seconds=after_seconds))
    return event


def _scheduled(number: int, after_seconds: float, kind: TaskQueueKind.ValueType) -> HistoryEvent:
    event = _event(number, EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, after_seconds)
    attributes = event.workflow_task_scheduled_event_attributes
    attributes.attempt, attributes.task_queue.kind = 1, kind
    attributes.task_queue.name = "1@host:sticky" if kind == STICKY else "q"
    attributes.task_queue.normal_name = "q" if kind == STICKY else ""
    return event


def _left_lying(number: int, after_seconds: float, scheduled: int) -> HistoryEvent:
    event = _event(number, EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, after_seconds)
    event.workflow_task_timed_out_event_attributes.scheduled_event_id = scheduled
    event.workflow_task_timed_out_event_attributes.timeout_type = TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
    return event


def _done(number: int, after_seconds: float, scheduled: int) -> list[HistoryEvent]:
    """It began 0.02 s before."""
    event = _event(number, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, after_seconds)
    attributes = event.workflow_task_completed_event_attributes
    attributes.scheduled_event_id, attributes.started_event_id, attributes.identity = scheduled, number - 1, "2@host"
    return [_event(number - 1, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, after_seconds - 0.02), event]


LEFT_LYING = [
    _scheduled(10, 0, STICKY),
    _left_lying(11, 10, 10),
    _scheduled(12, 10, NORMAL),
    *_done(14, 10.05, 12),
]
"""A workflow task waits for a worker that is gone, times out there, and is done by another."""


def test_a_wait_that_ended_in_a_time_out_of_the_sticky_queue_is_told_whole() -> None:
    [task] = sampled(LEFT_LYING).workflow_tasks

    assert task.waited_seconds == pytest.approx(10.03)
    assert task.ran_seconds == pytest.approx(0.02)
    assert task.scheduled_at == BEGAN
    assert (task.queue, task.sticky, task.replayed_events) == ("q", False, 13)


def test_a_task_that_was_scheduled_again_is_one_task() -> None:
    """The ten seconds of its time-out are no time between two tasks, after which a cached run is used again."""
    before = [_scheduled(4, -300, NORMAL), *_done(6, -299.9, 4)]

    told = sampled([*before, *LEFT_LYING])

    assert told.gaps_seconds == (300.0,)
    assert told.workflow_tasks[-1].gap_seconds == 300.0


def test_of_a_task_whose_beginning_was_not_read_no_wait_is_told() -> None:
    assert sampled(LEFT_LYING[1:]).workflow_tasks == ()


def test_what_was_read_in_any_order_is_the_same() -> None:
    assert sampled(reversed(LEFT_LYING)) == sampled(LEFT_LYING)


def _activity(number: int, after_seconds: float) -> HistoryEvent:
    event = _event(number, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, after_seconds)
    event.activity_task_scheduled_event_attributes.task_queue.name = "gpu"
    return event


def _ended(number: int, after_seconds: float, scheduled: int, ran_seconds: float) -> list[HistoryEvent]:
    started = _event(number - 1, EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, after_seconds - ran_seconds)
    started.activity_task_started_event_attributes.scheduled_event_id = scheduled
    started.activity_task_started_event_attributes.attempt = 1
    event = _event(number, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, after_seconds)
    attributes = event.activity_task_completed_event_attributes
    attributes.scheduled_event_id, attributes.started_event_id = scheduled, number - 1
    return [started, event]


def test_an_activity_that_was_scheduled_before_what_was_read_tells_its_length() -> None:
    """A run with hundreds of activities at once schedules them all before the first ends."""
    [activity] = sampled(_ended(900, 60, scheduled=17, ran_seconds=4.0)).activities

    assert activity.ran_seconds == 4.0
    assert activity.waited_seconds is None
    assert activity.queue == ""
    assert activity.scheduled_at == BEGAN + timedelta(seconds=56)


def test_an_activity_that_has_not_ended_may_run() -> None:
    began = _event(1, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, 0)
    ended = [began, _activity(2, 1), *_ended(4, 3, scheduled=2, ran_seconds=1.0)]

    assert not sampled(ended).may_run_activities
    assert sampled([*ended, _activity(5, 4)]).may_run_activities


def test_one_may_run_that_was_scheduled_before_what_was_read() -> None:
    assert sampled(LEFT_LYING).may_run_activities


def test_none_runs_once_the_run_is_over() -> None:
    over = _event(15, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, 11)

    assert not sampled([*LEFT_LYING, over]).may_run_activities
