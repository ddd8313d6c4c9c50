"""What the events of one workflow run tell of its tasks: times and sizes only, payloads are never looked at. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from temporalio.api.enums.v1 import EventType, TaskQueueKind, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

ACTIVITY_ENDS = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
}

ACTIVITY_ENDS_UNSTARTED = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}
"""Ends that tell nothing of how long a task takes; some of these never started."""

UNKNOWN_QUEUE = ""
"""Of an activity that was scheduled before the stretch that was read: only that event names the queue."""

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
    """One completed first attempt of a workflow task; one that a worker left lying counts from when it came to it."""

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
    scheduled_at: datetime  # or started, where it was scheduled before what was read
    waited_seconds: float | None  # None where it was started without having been queued, or that was not read
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
    may_run_activities: bool = False  # one that was scheduled has not ended, or began before what was read


def sampled(events: Iterable[HistoryEvent], known_until: int = 0) -> RunSample:
    """Read a stretch of events, in any order; tasks whose beginning or end lies outside it are left out.

    Tasks that had ended by event `known_until` were told before and are left out too; a task that was still running
    then, though it began long before, is news.
    """
    by_id = {event.event_id: event for event in events}
    ordered = [by_id[event_id] for event_id in sorted(by_id)]
    first = _first_scheduled(ordered, by_id)
    scheduled = [event for event in ordered if _is_scheduled(event) and event.event_id not in first]
    closed = any(event.event_type in RUN_ENDS for event in ordered)
    gaps = {later.event_id: (_at(later) - _at(sooner)).total_seconds() for sooner, later in pairwise(scheduled)}
    return RunSample(
        workflow_tasks=tuple(_workflow_tasks(ordered, by_id, _Tasks(first, gaps, known_until))),
        activities=tuple(_activities((event for event in ordered if event.event_id > known_until), by_id)),
        gaps_seconds=tuple(gaps.values()),
        newest=max(map(_at, scheduled), default=None),
        last_event_id=max(by_id, default=0),
        closed=closed,
        may_run_activities=not closed and bool(ordered) and (ordered[0].event_id > 1 or _any_open(ordered)),
    )


@dataclass(frozen=True, slots=True)
class _Tasks:
    """What is known of a stretch's workflow tasks by the events that scheduled them."""

    first: Mapping[int, HistoryEvent | None]
    gaps: Mapping[int, float]
    known_until: int


def _is_scheduled(event: HistoryEvent) -> bool:
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED


def _first_scheduled(
    ordered: Sequence[HistoryEvent], by_id: Mapping[int, HistoryEvent]
) -> dict[int, HistoryEvent | None]:
    """By the event that scheduled a workflow task again, the one that did first; None where that was not read.

    A task for the worker with the run in its cache is scheduled again, for any worker, once that worker has not begun
    it for so long (10 s if not set otherwise): whoever waits has waited since the first time.
    """
    first: dict[int, HistoryEvent | None] = {}
    left: HistoryEvent | None = None
    for event in ordered:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
            timed_out = event.workflow_task_timed_out_event_attributes
            left = event if timed_out.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START else None
        elif _is_scheduled(event) and left is not None:
            before = left.workflow_task_timed_out_event_attributes.scheduled_event_id
            first[event.event_id] = first.get(before, by_id.get(before))
            left = None
    return first


def _any_open(ordered: Iterable[HistoryEvent]) -> bool:
    """Whether an activity was scheduled and has not ended. That it began is in no history before it ends."""
    scheduled, ended = set(), set()
    for event in ordered:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled.add(event.event_id)
        elif (attributes := {**ACTIVITY_ENDS, **ACTIVITY_ENDS_UNSTARTED}.get(event.event_type)) is not None:
            ended.add(getattr(event, attributes).scheduled_event_id)
    return not scheduled <= ended


def _workflow_tasks(
    ordered: Iterable[HistoryEvent], by_id: Mapping[int, HistoryEvent], tasks: _Tasks
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
        if scheduled is None or started is None or event.event_id <= tasks.known_until:
            continue
        came = tasks.first.get(scheduled.event_id, scheduled)
        task = scheduled.workflow_task_scheduled_event_attributes
        if task.attempt > 1 or came is None:
            continue
        meant_sticky = task.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
        sticky = meant_sticky and last in (None, completed.identity)
        first = scheduled.event_id == FIRST_SCHEDULED_EVENT
        yield WorkflowTaskSample(
            queue=task.task_queue.normal_name if meant_sticky else task.task_queue.name,
            sticky=sticky,
            scheduled_at=_at(came),
            waited_seconds=_seconds(came, started),
            ran_seconds=_seconds(started, event),
            replayed_events=0 if sticky or first else started.event_id,
            gap_seconds=tasks.gaps.get(came.event_id),
        )


def _activities(ordered: Iterable[HistoryEvent], by_id: Mapping[int, HistoryEvent]) -> Iterator[ActivitySample]:
    for event in ordered:
        attributes = ACTIVITY_ENDS.get(event.event_type)
        if attributes is None:
            continue
        ended = getattr(event, attributes)
        scheduled, started = by_id.get(ended.scheduled_event_id), by_id.get(ended.started_event_id)
        if started is None or started.activity_task_started_event_attributes.attempt > 1:
            continue
        ran_seconds = _seconds(started, event)
        if scheduled is None:
            yield ActivitySample(
                queue=UNKNOWN_QUEUE, scheduled_at=_at(started), waited_seconds=None, ran_seconds=ran_seconds
            )
            continue
        waited_seconds = _seconds(scheduled, started)
        yield ActivitySample(
            queue=scheduled.activity_task_scheduled_event_attributes.task_queue.name,
            scheduled_at=_at(scheduled),
            waited_seconds=waited_seconds if waited_seconds >= SHORTEST_QUEUED_SECONDS else None,
            ran_seconds=ran_seconds,
        )


def _at(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)


def _seconds(first: HistoryEvent, second: HistoryEvent) -> float:
    """Server clocks stamp both, but not always the same server's: never negative."""
    return max((_at(second) - _at(first)).total_seconds(), 0.0)
