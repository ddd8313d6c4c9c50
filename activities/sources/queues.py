"""Backlog, age and rates of task queues, from the server's own statistics, and who polls them.

A failed call leaves the last reading standing with its own time; it never becomes a zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue as TaskQueueName
from temporalio.api.taskqueue.v1 import TaskQueueStats
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client

from activities.sources.gate import Gate, SourceUnavailable
from activities.sources.paced import Paced
from scaler.model.common import Quality, TaskType
from scaler.model.observation import Fault, QueueSeen

API_TYPES = {
    TaskType.WORKFLOW: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    TaskType.ACTIVITY: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}

PHANTOM_AFTER = timedelta(seconds=15)
"""Three of the server's 5 s statistics: a backlog without an oldest task and without movement is a miscount."""

SHORTEST_INTERVAL = timedelta(seconds=0.9)
"""The server's statistics are up to 5 s old; reading them less often than a watch samples would only add to that."""

POLL_LASTS = timedelta(seconds=70)
"""A long poll takes up to 60 s and is entered when it begins; the list keeps dead pollers for 5 min."""


@dataclass(frozen=True, slots=True)
class QueueKey:
    """One task queue and type in one namespace."""

    namespace: str
    queue: str
    task_type: TaskType


@dataclass(frozen=True, slots=True)
class QueueReading:
    """The statistics of a queue, and who polls it."""

    seen: QueueSeen
    pollers: Mapping[str, datetime] = field(default_factory=dict)  # identities, and when they last began to poll
    fault: Fault | None = None


class QueueSource:
    """Reads queue statistics through one client, and remembers the last reading of each queue."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self._service = client.workflow_service
        self._gate = gate
        self._paced = Paced(self._fetch, self._interval_seconds)
        self._still_since: dict[QueueKey, datetime] = {}

    async def read(self, key: QueueKey) -> QueueReading:
        """The newest reading; the one before, with its own time and a fault, where the server does not answer."""
        kept = await self._paced.read(key)
        reading = kept.value or QueueReading(QueueSeen(queue=key.queue, task_type=key.task_type))
        why = kept.fault or ("not read yet" if kept.value is None else None)
        return reading if why is None else replace(reading, fault=_fault(key, why))

    @property
    def round_time(self) -> timedelta:
        """For how long a round over all queues lasts within the budget."""
        return self._gate.budget.round_time(self, len(self._paced))

    def _interval_seconds(self, _: QueueReading | None) -> float:
        return max(SHORTEST_INTERVAL, self.round_time).total_seconds()

    async def _fetch(self, keys: Sequence[QueueKey]) -> dict[QueueKey, QueueReading | SourceUnavailable]:
        return {key: await self._read(key) for key in keys}

    async def _read(self, key: QueueKey) -> QueueReading:
        request = DescribeTaskQueueRequest(
            namespace=key.namespace,
            task_queue=TaskQueueName(name=key.queue),
            task_queue_type=API_TYPES[key.task_type],
            report_stats=True,
        )
        answer = await self._gate.call(self._service.describe_task_queue, request)
        return self._reading(key, answer, self._gate.clock.now())

    def _reading(self, key: QueueKey, answer: DescribeTaskQueueResponse, now: datetime) -> QueueReading:
        polls = sorted((poller.last_access_time.ToDatetime(UTC), poller.identity) for poller in answer.pollers)
        pollers = {identity: at for at, identity in polls if at > now - POLL_LASTS}
        if not answer.HasField("stats"):  # a server before 1.25, or statistics switched off
            empty = QueueSeen(queue=key.queue, task_type=key.task_type)
            return QueueReading(empty, pollers, _fault(key, "the server sent no statistics"))
        stats = answer.stats
        phantom = self._is_phantom(key, stats, now) and bool(pollers)
        seen = QueueSeen(
            at=now,
            quality=Quality.FRESH,
            queue=key.queue,
            task_type=key.task_type,
            backlog_tasks=0 if phantom else stats.approximate_backlog_count,
            backlog_age_seconds=_oldest(answer),
            arrivals_per_second=stats.tasks_add_rate,
            dispatches_per_second=stats.tasks_dispatch_rate,
            rate_limited=stats.rate_limiting_active,
        )
        miscount = _fault(key, "its backlog count is a miscount of the server") if phantom else None
        return QueueReading(seen, pollers, miscount)

    def _is_phantom(self, key: QueueKey, stats: TaskQueueStats, now: datetime) -> bool:
        """Servers of 1.31 can count tasks that are not there, after a reload, for ever.

        With somebody polling, real tasks would be dispatched or at least have an oldest one.
        """
        still = (
            stats.approximate_backlog_count > 0
            and stats.approximate_backlog_age.ToTimedelta() == timedelta(0)
            and stats.tasks_add_rate == 0
            and stats.tasks_dispatch_rate == 0
        )
        if not still:
            self._still_since.pop(key, None)
            return False
        return now - self._still_since.setdefault(key, now) >= PHANTOM_AFTER


def _fault(key: QueueKey, why: str) -> Fault:
    return Fault(f"task queue {key.queue} ({key.task_type})", why)


def _oldest(answer: DescribeTaskQueueResponse) -> float:
    """The age of the oldest task in seconds.

    Of several priorities the total reports the oldest, which a starved low priority would dominate; the age that
    workers can do something about is that of the most urgent priority with a backlog.
    """
    waiting = {
        priority: stats for priority, stats in answer.stats_by_priority_key.items() if stats.approximate_backlog_count
    }
    stats = waiting[min(waiting)] if waiting else answer.stats
    return stats.approximate_backlog_age.ToTimedelta().total_seconds()
