"""What the events of one workflow run tell of its tasks: times and sizes only, payloads are never looked at. Pure."""

from collections.abc import Iterable, Iterator, Mapping
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

SHORTEST_QUEUED_SECONDS = 0.001
"""A task that started sooner was never in a queue: an eager activity starts in the transaction that schedules it."""

FIRST_SCHEDULED_EVENT = 2
"""Event id of a run's first workflow task; before it there is nothing to replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowTaskSample:
    """One completed first attempt of a workflow task."""

    queue: str  # of a sticky one, the queue that its worker polls besides
    sticky: bool  # it was done by the worker that had done the one before, whether the run was still cached or not
    scheduled_at: datetime
    waited_seconds: float
    ran_seconds: float
    replayed_events: int  # 0 for sticky ones, which do not tell, and where there was no history yet
    gap_seconds: float | None = None  # since the run's workflow task before; None where that was not read


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitySample:
    """One ended first attempt of an activity."""

    queue: str
    scheduled_at: datetime
    waited_seconds: float | None  # None where it was started without having been queued
    ran_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSample:
    """What a stretch of one run's history tells; `gaps_seconds` lie between its workflow tasks."""

    workflow_tasks: tuple[WorkflowTaskSample, ...] = ()
    activities: tuple[ActivitySample, ...] = ()
    gaps_seconds: tuple[float, ...] = ()
    newest: datetime | None = None  # when its newest workflow task was scheduled
    last_event_id: int = 0
    closed: bool = False


def sampled(events: Iterable[HistoryEvent], known_until: int = 0) -> RunSample:
    """Read a stretch of events, in any order; tasks whose beginning or end lies outside it are left out.

    Tasks that had ended by event `known_until` were told before and are left out too; a task that was still running
    then, though it began long before, is news.
    """
    by_id = {event.event_id: event for event in events}
    ordered = [by_id[event_id] for event_id in sorted(by_id)]
    scheduled = [event for event in ordered if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED]
    gaps = {later.event_id: (_at(later) - _at(sooner)).total_seconds() for sooner, later in pairwise(scheduled)}
    return RunSample(
        workflow_tasks=tuple(_workflow_tasks(ordered, by_id, gaps, known_until)),
        activities=tuple(_activities((event for event in ordered if event.event_id > known_until), by_id)),
        gaps_seconds=tuple(gaps.values()),
        newest=max(map(_at, scheduled), default=None),
        last_event_id=max(by_id, default=0),
        closed=any(event.event_type in RUN_ENDS for event in ordered),
    )


def _workflow_tasks(
    ordered: Iterable[HistoryEvent], by_id: Mapping[int, HistoryEvent], gaps: Mapping[int, float], known_until: int
) -> Iterator[WorkflowTaskSample]:
    """A task for the worker with the run in its cache goes to another one, unmarked, if that worker has left.

    After an eviction it goes to the same worker, marked as any sticky one: that it replays can't be seen.
    """
    before: str | None = None
    for event in ordered:
        if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            continue
        completed = event.workflow_task_completed_event_attributes
        last, before = before, completed.identity
        scheduled, started = by_id.get(completed.scheduled_event_id), by_id.get(completed.started_event_id)
        if scheduled is None or started is None or event.event_id <= known_until:
            continue
        task = scheduled.workflow_task_scheduled_event_attributes
        if task.attempt > 1:
            continue
        meant_sticky = task.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
        sticky = meant_sticky and last in (None, completed.identity)
        first = scheduled.event_id == FIRST_SCHEDULED_EVENT
        yield WorkflowTaskSample(
            queue=task.task_queue.normal_name if meant_sticky else task.task_queue.name,
            sticky=sticky,
            scheduled_at=_at(scheduled),
            waited_seconds=_seconds(scheduled, started),
            ran_seconds=_seconds(started, event),
            replayed_events=0 if sticky or first else started.event_id,
            gap_seconds=gaps.get(scheduled.event_id),
        )


def _activities(ordered: Iterable[HistoryEvent], by_id: Mapping[int, HistoryEvent]) -> Iterator[ActivitySample]:
    for event in ordered:
        attributes = ACTIVITY_ENDS.get(event.event_type)
        if attributes is None:
            continue
        ended = getattr(event, attributes)
        scheduled, started = by_id.get(ended.scheduled_event_id), by_id.get(ended.started_event_id)
        if scheduled is None or started is None or started.activity_task_started_event_attributes.attempt > 1:
            continue
        waited_seconds = _seconds(scheduled, started)
        yield ActivitySample(
            queue=scheduled.activity_task_scheduled_event_attributes.task_queue.name,
            scheduled_at=_at(scheduled),
            waited_seconds=waited_seconds if waited_seconds >= SHORTEST_QUEUED_SECONDS else None,
            ran_seconds=_seconds(started, event),
        )


def _at(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)


def _seconds(first: HistoryEvent, second: HistoryEvent) -> float:
    """Server clocks stamp both, but not always the same server's: never negative."""
    return max((_at(second) - _at(first)).total_seconds(), 0.0)
