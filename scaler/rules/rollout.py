"""How a change of the cache size or of the version reaches the workers: surge before any is replaced. Pure.

Where a rollout stands follows from the record and from what each worker started under, so that whoever decides next
goes on from there.
"""

from dataclasses import dataclass

from scaler.model.common import Size
from scaler.model.observation import WorkerSeen, WorkerState, WorkerTotals
from scaler.model.record import RolloutStep
from scaler.rules.filling import with_all_that_fill_up
from scaler.rules.relief import relieved
from scaler.rules.situation import Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The rollout part of a plan."""

    step: RolloutStep = RolloutStep.NONE
    surge: int = 0
    replace: tuple[str, ...] = ()
    kept: int = 0  # workers of the surge that count from now on


def next_stage(situation: Situation, size: Size, *, emergency: bool) -> Stage:
    """The next idempotent step that brings all workers to the cache size, and to the version that is started now.

    Args:
        situation: Where the fleet stands.
        size: What it is to come to.
        emergency: Whether workers are being killed for their memory: nothing waits then. Any other change, also one
            that memory asks for, waits for tasks that outlast the drain.

    """
    seen, surge = situation.seen, situation.surge
    if not any(_is_old(situation, group, size) for group in seen.totals if group.live):
        full = relieved(situation)
        return Stage(step=RolloutStep.REPLACE, surge=surge, replace=full) if full else _ending(situation, size)
    if not emergency and not situation.breaching and surge > 0 and not _any_new_serves(situation, size):
        return Stage(step=RolloutStep.SURGE, surge=surge)
    return Stage(step=RolloutStep.REPLACE, surge=surge, replace=_replaced(situation, size, emergency=emergency))


def _ending(situation: Situation, size: Size) -> Stage:
    """What is left of the surge once all workers are new.

    It stays until as many serve as are wanted, since it makes up for those that start. After that workers of it that
    are busy are kept, as far as the bounds allow, and count from then on; the others go as they can be named.
    """
    record = situation.record
    if record is None or record.step is RolloutStep.NONE or record.intended is None:
        return Stage()
    if situation.seen.ready_count < size.workers:
        return Stage(step=RolloutStep.CONFIRM, surge=record.surge)
    kept = workers_kept(situation, size)
    surge = min(record.surge, max(situation.staying - size.workers, 0)) - kept
    return Stage(step=RolloutStep.CONFIRM, surge=surge, kept=kept) if surge > 0 else Stage(kept=kept)


def workers_kept(situation: Situation, size: Size) -> int:
    """How many of the workers that a rollout borrowed stay because what they run would be lost."""
    if situation.record is None or not situation.running_work.busy:
        return 0
    room = min(situation.record.surge, situation.workers_ceiling - size.workers)
    return max(min(situation.staying - size.workers, room), 0)


def _replaced(situation: Situation, size: Size, *, emergency: bool) -> tuple[str, ...]:
    """Workers to be replaced now: as many as the surge makes up for, and in any case those about to be killed.

    Of those that only grow towards a kill, no more than leave half of the workers: the rest take over their workflows
    and fill within seconds (four went at once, and the fifth was killed). Any of the rest that would not last until
    replacements serve go too: to be drained is better than to be killed (of ten in two halves five were killed).
    """
    ready_count = situation.seen.ready_count
    old = _old(situation, size)
    urgent = {worker.name for worker in situation.breaching[: max(ready_count // 2, len(situation.full))]}
    going = with_all_that_fill_up(situation, urgent)
    room = max(0, max(situation.surge, 1) - (situation.seen.live_count - ready_count))
    any_stay = sum(worker.name in going for worker in situation.seen.ready) < ready_count
    going |= {worker.name for worker in _spared(situation, old, emergency=emergency)[:room]}
    going |= _outgrowing(situation, old, size, any_stay=any_stay)
    return tuple(worker.name for worker in old if worker.name in going)


def _old(situation: Situation, size: Size) -> list[WorkerSeen]:
    """Workers with another cache size or version, the fullest first: they are the ones at risk."""
    old = [worker for worker in situation.seen.live if _is_old(situation, worker, size)]
    return sorted(old, key=lambda worker: worker.memory_bytes or 0, reverse=True)


def _is_old(situation: Situation, group: WorkerSeen | WorkerTotals, size: Size) -> bool:
    """Whether it started as something that is to be replaced; what is not known is not."""
    other_cache = size.cache is not None and group.cache not in (None, size.cache)
    return other_cache or group.version in situation.outdated


def _any_new_serves(situation: Situation, size: Size) -> bool:
    groups = [group for group in situation.seen.totals if size.cache is None or group.cache == size.cache]
    return any(group.ready and group.version not in situation.outdated for group in groups)


def _spared(situation: Situation, old: list[WorkerSeen], *, emergency: bool) -> list[WorkerSeen]:
    """Those of the old ones that may be replaced, in their order; in an emergency those that lose work last."""
    may_leave = situation.running_work.names
    free = [worker for worker in old if worker.name in may_leave]
    return free + [worker for worker in old if worker.name not in may_leave] if emergency else free


def _outgrowing(situation: Situation, old: list[WorkerSeen], size: Size, *, any_stay: bool) -> set[str]:
    """Workers that still start and would come up with a larger cache than is safe.

    They serve nothing yet; they would take over what those before them held, and be killed before they ever beat (in
    simulated crash loops 25 s after the emergency). Where all of a fleet starts, none: to begin anew each time that one
    is killed as it comes up would leave the fleet without any.
    """
    if size.cache is None:
        return set()
    starting = [worker for worker in old if worker.state is WorkerState.STARTING]
    names = {worker.name for worker in starting if worker.cache is not None and worker.cache > size.cache}
    return names if any_stay or len(names) < situation.seen.ready_count else set()
