"""How a change of the cache size reaches the workers: capacity is surged before any is replaced. Pure.

Where a rollout stands follows from the record and from the cache size each worker started under, so that whoever
decides next goes on from there.
"""

from dataclasses import dataclass

from scaler.model.common import Size
from scaler.model.observation import WorkerSeen, WorkerState
from scaler.model.record import RolloutStep
from scaler.rules.situation import EMERGENCY_FRACTION, Situation

COMES_BACK = 2.0
"""Workers fill so many times as fast as by their load alone while others leave, whose runs come back one by one (in a
simulated crash loop with 112 MiB/s where the load alone would have been 51)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The rollout part of a plan."""

    step: RolloutStep = RolloutStep.NONE
    surge: int = 0
    replace: tuple[str, ...] = ()


def next_stage(situation: Situation, size: Size, *, emergency: bool) -> Stage:
    """The next idempotent step that brings all workers to the cache size."""
    old = _old(situation, size)
    if not old:
        return _ending(situation, size)
    surge = situation.surge
    ready_new = any(worker.cache == size.cache for worker in situation.seen.ready)
    if not emergency and not situation.breaching and surge > 0 and not ready_new:
        return Stage(step=RolloutStep.SURGE, surge=surge)
    leaving = _leaving(situation, old, [worker for worker in old if _outgrows(worker, size)])
    return Stage(step=RolloutStep.REPLACE, surge=surge, replace=leaving)


def _outgrows(worker: WorkerSeen, size: Size) -> bool:
    """Whether a worker that still starts would come up with a larger cache than is safe.

    It serves nothing yet; it would take over what those before it held, and fill and be killed before it ever told of
    itself (seen in simulated crash loops, 25 s after the emergency).
    """
    if worker.state is not WorkerState.STARTING or worker.cache is None or size.cache is None:
        return False
    return worker.cache > size.cache


def _old(situation: Situation, size: Size) -> list[WorkerSeen]:
    """Workers to be replaced, the fullest first: they are the ones at risk."""
    if size.cache is None or situation.seen.caches <= {None, size.cache}:
        return []
    old = [worker for worker in situation.seen.live if worker.cache not in (None, size.cache)]
    return sorted(old, key=lambda worker: worker.memory_bytes or 0, reverse=True)


def _ending(situation: Situation, size: Size) -> Stage:
    """The surge goes once as many workers are ready as are wanted; until then it makes up for those that start."""
    record = situation.record
    if record is None or record.step is RolloutStep.NONE or record.intended is None:
        return Stage()
    if len(situation.seen.ready) >= size.workers:
        return Stage()
    return Stage(step=RolloutStep.CONFIRM, surge=record.surge)


def _leaving(situation: Situation, old: list[WorkerSeen], outgrowing: list[WorkerSeen]) -> tuple[str, ...]:
    """As many as the surge makes up for while it is ready; those about to be killed go in any case.

    Of those that only grow towards it, no more than leave half of the workers: who is left takes the others' workflows
    over, and fills within seconds (seen: four went at once, and the fifth was killed). Who of these would not last goes
    too: to be drained is better than to be killed (seen: of ten in two halves five were killed, else none).
    """
    ready = situation.seen.ready
    urgent = {worker.name for worker in situation.breaching[: max(len(ready) // 2, len(situation.full))]}
    going = _with_whom_would_not_last(situation, urgent)
    staying = any(worker.name not in going for worker in ready)
    room = max(0, max(situation.surge, 1) - (len(situation.seen.live) - len(ready)))
    # A whole fleet that starts shares the load as one did before; a few that start would fill one after the other.
    hopeless = outgrowing if staying or len(outgrowing) < len(ready) else ()
    going |= {worker.name for worker in (*old[:room], *hopeless)}
    return tuple(worker.name for worker in old if worker.name in going)


def _with_whom_would_not_last(situation: Situation, leaving: set[str]) -> set[str]:
    """Who leaves, and who of the rest is full before a new one serves, as fast as all have filled since their start.

    The fewer stay, the more of the load comes to each, so that one who does not last may take others along.
    """
    memory, start_seconds = situation.estimate.memory, situation.estimate.start_seconds
    limit_bytes, empty_bytes = EMERGENCY_FRACTION * (memory.limit_bytes or 0), memory.corners[0].bytes
    filled = {
        worker.name: max((worker.memory_bytes or 0) - empty_bytes, 0) / worker.age_seconds
        if worker.age_seconds
        else 0.0
        for worker in situation.seen.ready
    }
    going: set[str] = set()
    while leaving:
        going |= leaving
        staying = [worker for worker in situation.seen.ready if worker.name not in going]
        left = sum(filled[worker.name] for worker in staying)
        more = COMES_BACK * sum(filled.values()) / left if left else 1.0
        leaving = {
            worker.name
            for worker in staying
            if (worker.memory_bytes or 0) + more * filled[worker.name] * start_seconds > limit_bytes
        }
    return going


def victims(situation: Situation, size: Size) -> tuple[str, ...]:
    """The order in which workers go when there are too many: not yet serving, old cache, idlest, emptiest.

    Only as many are named as may have to go at once: the rest would be weight in the history.
    """
    live = sum(total.workers - total.draining for total in situation.seen.totals)
    excess = live - size.workers
    if excess <= 0:
        return ()

    def dearness(worker: WorkerSeen) -> tuple[bool, bool, int, int]:
        busy = (worker.activity_slots_used or 0) + (worker.workflow_slots_used or 0)
        return worker.state is WorkerState.READY, worker.cache == size.cache, busy, worker.cached or 0

    return tuple(worker.name for worker in sorted(situation.seen.live, key=dearness)[:excess])
