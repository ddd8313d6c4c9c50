"""What workers say of themselves: slots, caches, work done. One list call reads all workers of a queue.

The list keeps killed workers as running for minutes, so only the age of a heartbeat counts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import DescribeWorkerRequest, ListWorkersRequest, ListWorkersResponse
from temporalio.client import Client

from activities.sources.gate import Gate

LIST_AGE = timedelta(minutes=5)
BEATS_MISSED = 3
"""A worker that missed so many of its own intervals is not there any more."""

FIXED_SLOTS = "Fixed"
"""The only slot supplier whose free slots are known; the others report none free."""

LIST_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsSeen:
    """Slots of one kind; `total` is None where the supplier does not know it."""

    used: int
    total: int | None
    tasks_per_second: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The newest heartbeat of one Worker object."""

    instance_key: str
    identity: str
    host_name: str
    process_id: int | None
    queue: str
    at: datetime
    interval_seconds: float
    workflow: SlotsSeen | None
    activity: SlotsSeen | None
    cached: int | None  # None where it has no workflows
    sdk: str = ""
    cache_hits_per_second: float | None = None
    cache_misses_per_second: float | None = None

    def fresh(self, now: datetime) -> bool:
        """Whether its worker can be taken as alive."""
        return (now - self.at).total_seconds() <= BEATS_MISSED * max(self.interval_seconds, 1.0)


@dataclass(frozen=True, slots=True)
class _CacheCount:
    at: datetime
    hits: int
    misses: int


class HeartbeatSource:
    """Reads worker heartbeats through one client; counters become rates between two beats of one worker."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self._service = client.workflow_service
        self._gate = gate
        self._counts: dict[str, tuple[_CacheCount, _CacheCount]] = {}

    async def read(self, namespace: str, queue: str) -> tuple[Heartbeat, ...]:
        """All fresh heartbeats of a queue's workers; `SourceUnavailable` where the server does not answer."""
        now = datetime.now(UTC)
        since = (now - LIST_AGE).isoformat().replace("+00:00", "Z")
        quoted = queue.replace("'", "''")
        query = f"TaskQueue = '{quoted}' AND WorkerStatus = 'Running' AND HeartbeatTime > '{since}'"
        beats: list[Heartbeat] = []
        token = b""
        while True:
            request = ListWorkersRequest(namespace=namespace, query=query, page_size=LIST_PAGE, next_page_token=token)
            answer = await self._gate.call(self._service.list_workers, request)
            beats += [self._read(beat) for beat in await self._whole(namespace, answer)]
            if not (token := answer.next_page_token):
                break
        self._forget(now)
        return tuple(beat for beat in beats if beat.fresh(now))

    async def _whole(self, namespace: str, answer: ListWorkersResponse) -> list[WorkerHeartbeat]:
        """The heartbeats of a page; servers that list workers without them are asked for each."""
        if answer.workers_info or not answer.workers:
            return [info.worker_heartbeat for info in answer.workers_info]
        requests = [
            DescribeWorkerRequest(namespace=namespace, worker_instance_key=listed.worker_instance_key)
            for listed in answer.workers
        ]
        answers = [await self._gate.call(self._service.describe_worker, request) for request in requests]
        return [described.worker_info.worker_heartbeat for described in answers]

    def _read(self, beat: WorkerHeartbeat) -> Heartbeat:
        interval = _seconds(beat.elapsed_since_last_heartbeat)
        at = beat.heartbeat_time.ToDatetime(UTC)
        polls_workflows = beat.HasField("workflow_poller_info")
        hits, misses = self._cache_rates(beat, at) if polls_workflows else (None, None)
        return Heartbeat(
            instance_key=beat.worker_instance_key,
            identity=beat.worker_identity,
            host_name=beat.host_info.host_name,
            process_id=int(beat.host_info.process_id) if beat.host_info.process_id.isdigit() else None,
            queue=beat.task_queue,
            at=at,
            interval_seconds=interval,
            workflow=_slots(beat.workflow_task_slots_info, interval) if polls_workflows else None,
            activity=_slots(beat.activity_task_slots_info, interval) if beat.HasField("activity_poller_info") else None,
            cached=beat.current_sticky_cache_size if polls_workflows else None,
            sdk=beat.sdk_name,
            cache_hits_per_second=hits,
            cache_misses_per_second=misses,
        )

    def _cache_rates(self, beat: WorkerHeartbeat, at: datetime) -> tuple[float | None, float | None]:
        """Hits and misses per second between the two newest beats; None until there are two, or after a reset."""
        newest = _CacheCount(at, beat.total_sticky_cache_hit, beat.total_sticky_cache_miss)
        earlier, last = self._counts.get(beat.worker_instance_key, (newest, newest))
        if newest.at > last.at:
            earlier, last = last, newest
        self._counts[beat.worker_instance_key] = (earlier, last)
        seconds = (last.at - earlier.at).total_seconds()
        if seconds <= 0 or last.hits < earlier.hits or last.misses < earlier.misses:
            return None, None
        return (last.hits - earlier.hits) / seconds, (last.misses - earlier.misses) / seconds

    def _forget(self, now: datetime) -> None:
        self._counts = {key: counts for key, counts in self._counts.items() if counts[1].at > now - 2 * LIST_AGE}


def _slots(info: WorkerSlotsInfo, interval_seconds: float) -> SlotsSeen:
    known = info.slot_supplier_kind == FIXED_SLOTS
    rate = info.last_interval_processed_tasks / interval_seconds if interval_seconds > 0 else None
    return SlotsSeen(
        used=info.current_used_slots,
        total=info.current_used_slots + info.current_available_slots if known else None,
        tasks_per_second=rate,
    )


def _seconds(duration: Duration) -> float:
    return duration.ToTimedelta().total_seconds()
