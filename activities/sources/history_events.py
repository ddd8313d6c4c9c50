"""What the events of one workflow run tell of its tasks: times and sizes only, payloads are never looked at. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from temporalio.api.enums.v1 import EventType, TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent

ACTIVITY_ENDS = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
}

RUN_ENDS = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
)
"""How a run ends with its worker's knowledge. One that was terminated or timed out stays in the cache."""

FIRST_SCHEDULED_EVENT = 2
"""Event id of a run's first workflow task; before it there is nothing to replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowTaskSample:
    """One completed first attempt of a workflow task."""

    queue: str | None  # None for a sticky one: its queue's name says only which worker it was
    scheduled_at: datetime
    waited_seconds: float
    ran_seconds: float
    replayed_events: int  # 0 where the run was in a cache, or had no history yet

    @property
    def sticky(self) -> bool:
        """Whether it went to the worker that had the run in its cache."""
        return self.queue is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitySample:
    """One ended first attempt of an activity."""

    queue: str
    scheduled_at: datetime
    waited_seconds: float
    ran_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSample:
    """What a stretch of one run's history tells; `gaps_seconds` lie between its workflow tasks."""

    workflow_tasks: tuple[WorkflowTaskSample, ...] = ()
    activities: tuple[ActivitySample, ...] = ()
    gaps_seconds: tuple[float, ...] = ()
    newest: datetime | None = None  # when its newest workflow task was scheduled
    closed: bool = False


def sampled(events: Iterable[HistoryEvent]) -> RunSample:
    """Read a stretch of events, in any order; tasks whose beginning or end lies outside it are left out."""
    by_id = {event.event_id: event for event in events}
    ordered = [by_id[event_id] for event_id in sorted(by_id)]
    scheduled = [_at(event) for event in ordered if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED]
    gaps = tuple((later - sooner).total_seconds() for sooner, later in pairwise(scheduled))
    return RunSample(
        workflow_tasks=tuple(_workflow_tasks(ordered, by_id)),
        activities=tuple(_activities(ordered, by_id)),
        gaps_seconds=gaps,
        newest=max(scheduled, default=None),
        closed=any(event.event_type in RUN_ENDS for event in ordered),
    )


def _workflow_tasks(ordered: list[HistoryEvent], by_id: dict[int, HistoryEvent]) -> Iterator[WorkflowTaskSample]:
    for event in ordered:
        if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            continue
        completed = event.workflow_task_completed_event_attributes
        scheduled, started = by_id.get(completed.scheduled_event_id), by_id.get(completed.started_event_id)
        if scheduled is None or started is None:
            continue
        task = scheduled.workflow_task_scheduled_event_attributes
        if task.attempt > 1:
            continue
        sticky = task.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
        first = scheduled.event_id == FIRST_SCHEDULED_EVENT
        yield WorkflowTaskSample(
            queue=None if sticky else task.task_queue.name,
            scheduled_at=_at(scheduled),
            waited_seconds=_seconds(scheduled, started),
            ran_seconds=_seconds(started, event),
            replayed_events=0 if sticky or first else started.event_id,
        )


def _activities(ordered: list[HistoryEvent], by_id: dict[int, HistoryEvent]) -> Iterator[ActivitySample]:
    for event in ordered:
        attributes = ACTIVITY_ENDS.get(event.event_type)
        if attributes is None:
            continue
        ended = getattr(event, attributes)
        scheduled, started = by_id.get(ended.scheduled_event_id), by_id.get(ended.started_event_id)
        if scheduled is None or started is None or started.activity_task_started_event_attributes.attempt > 1:
            continue
        yield ActivitySample(
            queue=scheduled.activity_task_scheduled_event_attributes.task_queue.name,
            scheduled_at=_at(scheduled),
            waited_seconds=_seconds(scheduled, started),
            ran_seconds=_seconds(started, event),
        )


def _at(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)


def _seconds(first: HistoryEvent, second: HistoryEvent) -> float:
    """Server clocks stamp both, but not always the same server's: never negative."""
    return max((_at(second) - _at(first)).total_seconds(), 0.0)
