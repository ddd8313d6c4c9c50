"""Which workers of a large fleet an observation names; counts come from its totals, which are complete. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from scaler.learn.freshness import HEARTBEAT
from scaler.model.observation import MAX_WORKER_ROWS, WorkerSeen, WorkerState

FULLEST_ROWS = 10
"""Rows for the workers with most memory in use: those that an emergency is about."""


def rows_kept(workers: Sequence[WorkerSeen]) -> tuple[WorkerSeen, ...]:
    """All workers of a fleet of up to a hundred; of a larger one the fullest, and the idlest of each kind.

    A kind is a cache size and a version. All kinds get as many rows, as far as they have workers: while a rollout runs
    the last few workers with the old size are neither the fullest nor the idlest of the fleet, and a rollout that does
    not see them never replaces them.
    """
    if len(workers) <= MAX_WORKER_ROWS:
        return tuple(workers)
    fullest = sorted(workers, key=lambda worker: worker.memory_bytes or 0, reverse=True)[:FULLEST_ROWS]
    named = {worker.name for worker in fullest}
    kinds = _kinds(worker for worker in workers if worker.name not in named)
    return (*fullest, *_shared_out(kinds, MAX_WORKER_ROWS - len(fullest)))


def _kinds(workers: Iterable[WorkerSeen]) -> list[list[WorkerSeen]]:
    """The workers of each cache size and version, the idlest first; the smallest kind first."""
    kinds: dict[tuple[int | None, str], list[WorkerSeen]] = defaultdict(list)
    for worker in workers:
        kinds[worker.cache, worker.version].append(worker)
    return sorted((sorted(kind, key=_occupation) for kind in kinds.values()), key=len)


def _shared_out(kinds: Sequence[Sequence[WorkerSeen]], rows: int) -> Iterator[WorkerSeen]:
    """So many rows in equal parts; what a small kind does not need goes to the larger ones after it."""
    for index, kind in enumerate(kinds):
        part = kind[: rows // (len(kinds) - index)]
        rows -= len(part)
        yield from part


def _occupation(worker: WorkerSeen) -> tuple[bool, bool, bool, int]:
    """Sorts by how soon a worker can be spared: not serving yet, idle, busy, silent; those that leave anyway last."""
    leaving, serves = worker.state is WorkerState.DRAINING, worker.state is WorkerState.READY
    age_seconds = worker.heartbeat_age_seconds
    silent = serves and (age_seconds is None or age_seconds > HEARTBEAT.fresh.total_seconds())
    return leaving, serves, silent, (worker.activity_slots_used or 0) + (worker.workflow_slots_used or 0)
