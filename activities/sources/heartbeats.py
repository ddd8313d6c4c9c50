"""What workers say of themselves: slots, caches, work done. One list call reads the workers of many queues.

The list keeps killed workers as running for minutes, so only the age of a heartbeat counts. The processes that poll a
queue may poll others, too: the same call asks for all that runs on their hosts, once these are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerPollerInfo, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import DescribeWorkerRequest, ListWorkersRequest, ListWorkersResponse
from temporalio.client import Client

from activities.sources.gate import Gate, SourceUnavailable
from activities.sources.paced import Kept, Paced
from activities.sources.skews import Skews
from activities.sources.worker_query import conditions

SHORTEST_INTERVAL = timedelta(seconds=2)
LIST_AGE = timedelta(minutes=5)
BEATS_MISSED = 3
"""A worker that missed so many of its own intervals is not there any more."""

SHORTEST_BEAT_SECONDS = 0.9
"""The SDKs allow no shorter interval than a second. A beat that comes sooner after the start (some send one) was sent
before all that polls had begun: it tells of no slots where there are some."""

FIXED_SLOTS = "Fixed"
"""The only slot supplier whose free slots are known; the others report none free."""

LIST_PAGE = 200
QUEUES_PER_CALL = 40
"""The server goes through all workers of the namespace for every call, however few it returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsSeen:
    """Slots of one kind; `total` is None where the supplier does not know it."""

    used: int
    total: int | None
    tasks_per_second: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The newest heartbeat of one Worker object; its times are the server's, as far as they can be told."""

    instance_key: str
    identity: str
    host_name: str
    process_id: int | None
    queue: str
    at: datetime
    started_at: datetime  # when it began to poll
    interval_seconds: float
    workflow: SlotsSeen | None
    activity: SlotsSeen | None
    cached: int | None  # None where it has no workflows
    sdk: str = ""
    cache_hits_per_second: float | None = None
    cache_misses_per_second: float | None = None

    def fresh(self, now: datetime) -> bool:
        """Whether its worker can be taken as alive."""
        return self.beats_missed(now) <= BEATS_MISSED

    def beats_missed(self, now: datetime) -> float:
        """For how many of its intervals it has been silent."""
        return (now - self.at).total_seconds() / self.interval_seconds


@dataclass(frozen=True, slots=True)
class _CacheCount:
    at: datetime
    hits: int
    misses: int


Beats = tuple[Heartbeat, ...]


@dataclass(frozen=True, slots=True)
class WorkerQueue:
    """One task queue in one namespace."""

    namespace: str
    queue: str


@dataclass(frozen=True, slots=True)
class _Beats:
    """Of the workers on one queue, and of what else their processes poll."""

    own: Beats = ()
    elsewhere: Beats = ()

    @property
    def hosts(self) -> frozenset[str]:
        """Where the workers on the queue run."""
        return frozenset(beat.host_name for beat in self.own)


class HeartbeatSource:
    """Reads worker heartbeats through one client; counters become rates between two beats of one worker."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self._service = client.workflow_service
        self._gate = gate
        self._paced = Paced(self._fetch, self._interval_seconds, batch=QUEUES_PER_CALL, apart=attrgetter("namespace"))
        self._found: dict[WorkerQueue, _Beats] = {}
        self._counts: dict[str, tuple[_CacheCount, _CacheCount]] = {}
        self._skews = Skews()

    async def read(self, key: WorkerQueue) -> Kept[Beats]:
        """The newest fresh heartbeats of a queue's workers; what was read before ages meanwhile."""
        kept = await self._paced.read(key)
        if kept.value is None:
            return Kept((), kept.fault or "not read yet")
        return Kept(self._fresh(kept.value), kept.fault)

    def elsewhere(self, key: WorkerQueue) -> Beats:
        """What the processes of a queue's workers say of other queues, as far as it was read with them."""
        return self._fresh(self._found.get(key, _Beats()).elsewhere)

    def _fresh(self, beats: Beats) -> Beats:
        now = self._gate.clock.now()
        return tuple(beat for beat in beats if beat.fresh(now))

    def _interval_seconds(self, beats: Beats | None) -> float:
        """Half the shortest interval of a worker: a reading is then at most half a beat late."""
        half_a_beat = min((beat.interval_seconds for beat in beats or ()), default=0.0) / 2
        round_time = self._gate.budget.round_time(self, len(self._paced) / QUEUES_PER_CALL)
        return max(SHORTEST_INTERVAL.total_seconds(), half_a_beat, round_time.total_seconds())

    async def _fetch(self, keys: Sequence[WorkerQueue]) -> dict[WorkerQueue, Beats | SourceUnavailable]:
        """Read queues of one namespace."""
        beats = await self._list(keys[0].namespace, keys)
        found = {key: _of_queue(key.queue, beats) for key in keys}
        self._found |= found
        return {key: beats.own for key, beats in found.items()}

    async def _list(self, namespace: str, keys: Sequence[WorkerQueue]) -> list[Heartbeat]:
        now = self._gate.clock.now()
        since = (now - LIST_AGE).isoformat().replace("+00:00", "Z")
        hosts = [self._found.get(key, _Beats()).hosts for key in keys]
        wanted = conditions([key.queue for key in keys], hosts)
        query = f"WorkerStatus = 'Running' AND HeartbeatTime > '{since}' AND ({wanted})"
        beats: list[Heartbeat] = []
        token = b""
        while True:
            request = ListWorkersRequest(namespace=namespace, query=query, page_size=LIST_PAGE, next_page_token=token)
            answer = await self._gate.call(self._service.list_workers, request)
            read = [self._read(beat) for beat in await self._whole(namespace, answer)]
            beats += [beat for beat in read if beat is not None]
            if not (token := answer.next_page_token):
                break
        self._forget(now)
        return beats

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

    def _read(self, beat: WorkerHeartbeat) -> Heartbeat | None:
        at, started_at = beat.heartbeat_time.ToDatetime(UTC), beat.start_time.ToDatetime(UTC)
        interval = _interval_seconds(beat, at, started_at)
        if interval is None:
            return None
        host = beat.host_info.host_name
        self._skews.heard(host, beat.worker_instance_key, at, self._gate.clock.now())
        skew = self._skews.correction(host)
        polls_workflows = _polls(beat.workflow_poller_info, beat.workflow_task_slots_info)
        polls_activities = _polls(beat.activity_poller_info, beat.activity_task_slots_info)
        hits, misses = self._cache_rates(beat, at) if polls_workflows else (None, None)
        return Heartbeat(
            instance_key=beat.worker_instance_key,
            identity=beat.worker_identity,
            host_name=host,
            process_id=int(beat.host_info.process_id) if beat.host_info.process_id.isdigit() else None,
            queue=beat.task_queue,
            at=at + skew,
            started_at=started_at + skew,
            interval_seconds=interval,
            workflow=_slots(beat.workflow_task_slots_info, interval) if polls_workflows else None,
            activity=_slots(beat.activity_task_slots_info, interval) if polls_activities else None,
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
        oldest = now - 2 * LIST_AGE
        self._counts = {key: counts for key, counts in self._counts.items() if counts[1].at > oldest}
        self._found = {key: beats for key, beats in self._found.items() if any(each.at > oldest for each in beats.own)}
        self._skews.forget(now)


def _slots(info: WorkerSlotsInfo, interval_seconds: float) -> SlotsSeen:
    known = info.slot_supplier_kind == FIXED_SLOTS
    return SlotsSeen(
        used=info.current_used_slots,
        total=info.current_used_slots + info.current_available_slots if known else None,
        tasks_per_second=info.last_interval_processed_tasks / interval_seconds,
    )


def _polls(pollers: WorkerPollerInfo, slots: WorkerSlotsInfo) -> bool:
    """Whether it polls for this kind of task: one that does not reports all zeros, like a free worker without slots."""
    return bool(pollers.current_pollers or slots.current_available_slots or slots.current_used_slots)


def _interval_seconds(beat: WorkerHeartbeat, at: datetime, started_at: datetime) -> float | None:
    """How often it beats. The first beat names no earlier one, and comes one interval after the start."""
    if beat.HasField("elapsed_since_last_heartbeat"):
        return max(beat.elapsed_since_last_heartbeat.ToTimedelta().total_seconds(), SHORTEST_BEAT_SECONDS)
    since_start = (at - started_at).total_seconds()
    return since_start if since_start >= SHORTEST_BEAT_SECONDS else None


def _of_queue(queue: str, beats: Sequence[Heartbeat]) -> _Beats:
    """Heartbeats on a queue, and those of the same processes on others."""
    own = tuple(beat for beat in beats if beat.queue == queue)
    processes = {(beat.host_name, beat.process_id) for beat in own}
    others = (beat for beat in beats if beat.queue != queue and (beat.host_name, beat.process_id) in processes)
    return _Beats(own, tuple(others))
