"""Joins what a target knows of its workers with what they say of themselves. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from activities.queue_slots import WorkerTold
from activities.sources.heartbeats import Heartbeat, SlotsSeen
from activities.targets.contract import TargetLook, TargetWorker
from activities.worker_caches import worker_caches
from scaler.model.common import mark
from scaler.model.observation import WorkerSeen, WorkerState, WorkerTotals

WORKFLOW_CORES = {"temporal-python": 1.0}
"""Cores that an SDK's workflow tasks can use in one process; CPython's lock leaves one. Others take what there is."""

LONGEST_START = timedelta(minutes=10)

START_SLACK = timedelta(seconds=10)
"""How far apart a target's and a worker's idea of when it started may be."""

MARK_LENGTH = 4
"""Tells a hundred workers apart; two that look alike are taken for neither."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Every worker of the target with what it told, their identities, and the heartbeats that are of none of them."""

    told: tuple[WorkerTold, ...]
    identities: frozenset[str]
    others: tuple[Heartbeat, ...]

    @property
    def workers(self) -> tuple[WorkerSeen, ...]:
        """A row for each worker."""
        return tuple(each.worker for each in self.told)


def join(look: TargetLook, beats: Iterable[Heartbeat], now: datetime, queues: Container[str]) -> Joined:
    """Join by host name and process id, or by host name alone where each worker has one of its own.

    Args:
        look: The target and its workers.
        beats: Heartbeats of Worker objects, also of those on queues that the fleet does not declare.
        now: The moment of the look.
        queues: The queues that the fleet declares.

    """
    by_place: dict[tuple[str, int | None], list[Heartbeat]] = defaultdict(list)
    for beat in beats:
        by_place[beat.host_name, None if look.own_hosts else beat.process_id].append(beat)
    told: list[WorkerTold] = []
    own: list[Heartbeat] = []
    for worker in look.workers:
        processes = (None,) if look.own_hosts else worker.processes
        places = [(host, each) for host in worker.hosts for each in processes]
        beats_of_it = [beat for place in places for beat in by_place.pop(place, [])]
        own += beats_of_it
        present = [beat for beat in beats_of_it if _of_present_process(worker.seen, beat, now)]
        told.append(WorkerTold(_row(worker, present, now, queues), tuple(present)))
    others = tuple(beat for left in by_place.values() for beat in left if beat.queue in queues)
    return Joined(tuple(told), frozenset(beat.identity for beat in own), others)


def _of_present_process(worker: WorkerSeen, beat: Heartbeat, now: datetime) -> bool:
    """Whether a beat is not one that the process before left behind, in a place where workers are restarted.

    A dead one is listed for minutes, and its last beat stays fresh for three intervals: after it was killed for its
    memory, its cache would be taken for a second one of its successor.
    """
    if worker.age_seconds <= 0 and worker.state is WorkerState.READY:
        return True  # the target does not tell when it started
    began = now - timedelta(seconds=worker.age_seconds)
    return beat.at >= began and beat.started_at >= began - START_SLACK


def _row(worker: TargetWorker, of_process: list[Heartbeat], now: datetime, queues: Container[str]) -> WorkerSeen:
    """What a process tells of the fleet's queues; it is silent where it tells of others only.

    Its caches are counted on whatever queue: all of them take its memory.
    """
    beats = [beat for beat in of_process if beat.queue in queues]
    if not beats:
        return worker.seen
    workflow = [beat.workflow for beat in beats if beat.workflow is not None]
    activity = [beat.activity for beat in beats if beat.activity is not None]
    caches, with_cache = worker_caches(of_process), [beat for beat in beats if beat.cached is not None]
    elsewhere = [slots for beat in of_process if beat.queue not in queues for slots in (beat.workflow, beat.activity)]
    busy_elsewhere = [slots for slots in elsewhere if slots is not None and slots.used]
    return replace(
        worker.seen,
        started_in_seconds=_started_in_seconds(worker.seen, beats, now),
        known_as=mark(min(beat.identity for beat in beats))[:MARK_LENGTH],
        heartbeat_age_seconds=(now - min(beat.at for beat in beats)).total_seconds(),
        caches=len(caches),
        cached=sum(caches),
        workflow_slots=_total(workflow),
        workflow_slots_used=sum(slots.used for slots in workflow),
        activity_slots=_total(activity),
        activity_slots_used=sum(slots.used for slots in activity),
        workflow_tasks_per_second=_sum(slots.tasks_per_second for slots in workflow),
        activities_per_second=_sum(slots.tasks_per_second for slots in activity),
        cache_hits_per_second=_sum(beat.cache_hits_per_second for beat in with_cache),
        cache_misses_per_second=_sum(beat.cache_misses_per_second for beat in with_cache),
        elsewhere_slots_used=sum(slots.used for slots in busy_elsewhere) or None,
        elsewhere_tasks_per_second=_sum(slots.tasks_per_second for slots in busy_elsewhere),
    )


def _started_in_seconds(worker: WorkerSeen, beats: list[Heartbeat], now: datetime) -> float | None:
    """From the start of the worker's process until it polled; the target's own figure where it has one.

    Beats of the process before, in a place where it was restarted, are from before this one's start. A process that
    has replaced what polls in it, to change its cache, began to poll long after it was ready.
    """
    if worker.started_in_seconds is not None:
        return worker.started_in_seconds
    began = now - timedelta(seconds=worker.age_seconds)
    took = min((beat.started_at - began).total_seconds() for beat in beats)
    return took if 0 <= took <= LONGEST_START.total_seconds() else None


def _total(slots: list[SlotsSeen]) -> int | None:
    """Unknown where any supplier's is: a sum that leaves some out would look like all."""
    known = [each.total for each in slots if each.total is not None]
    return sum(known) if len(known) == len(slots) else None


def _sum(rates: Iterable[float | None]) -> float | None:
    all_rates = list(rates)
    known = [rate for rate in all_rates if rate is not None]
    return sum(known) if known and len(known) == len(all_rates) else None


def totals(workers: Sequence[WorkerSeen], fresh_seconds: float) -> tuple[WorkerTotals, ...]:
    """Sums by cache size and version; heartbeats older than `fresh_seconds` count as none."""
    groups: dict[tuple[int | None, str], list[WorkerSeen]] = defaultdict(list)
    for worker in workers:
        groups[worker.cache, worker.version].append(worker)
    return tuple(_total_of(cache, version, group, fresh_seconds) for (cache, version), group in groups.items())


def _total_of(cache: int | None, version: str, workers: Sequence[WorkerSeen], fresh_seconds: float) -> WorkerTotals:
    states = [worker.state for worker in workers]
    beating = [
        worker
        for worker in workers
        if worker.state is WorkerState.READY
        and worker.heartbeat_age_seconds is not None
        and worker.heartbeat_age_seconds <= fresh_seconds
    ]
    memory = [worker.memory_bytes for worker in workers if worker.memory_bytes is not None]
    return WorkerTotals(
        cache=cache,
        version=version,
        workers=len(workers),
        ready=states.count(WorkerState.READY),
        draining=states.count(WorkerState.DRAINING),
        restarting=states.count(WorkerState.RESTARTING),
        memory_bytes=sum(memory),
        memory_max_bytes=max(memory, default=0),
        beating=len(beating),
        cached=sum(worker.cached or 0 for worker in beating),
        workflow_slots=sum(worker.workflow_slots or 0 for worker in beating),
        workflow_slots_used=sum(worker.workflow_slots_used or 0 for worker in beating),
        activity_slots=sum(worker.activity_slots or 0 for worker in beating),
        activity_slots_used=sum(worker.activity_slots_used or 0 for worker in beating),
        workflow_tasks_per_second=sum(worker.workflow_tasks_per_second or 0.0 for worker in beating),
        activities_per_second=sum(worker.activities_per_second or 0.0 for worker in beating),
        cache_hits_per_second=sum(worker.cache_hits_per_second or 0.0 for worker in beating),
        cache_misses_per_second=sum(worker.cache_misses_per_second or 0.0 for worker in beating),
    )


def workflow_cores(beats: Iterable[Heartbeat]) -> float | None:
    """The fewest cores that any worker's workflow tasks can use; None where no SDK limits them."""
    limits = [WORKFLOW_CORES[beat.sdk] for beat in beats if beat.sdk in WORKFLOW_CORES]
    return min(limits, default=None)
