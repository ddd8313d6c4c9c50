"""Which workers go first where there are too many. Pure."""

from scaler.model.common import Size
from scaler.model.observation import WorkerSeen, WorkerState
from scaler.rules.situation import Situation


def victims(situation: Situation, size: Size, surge: int = 0) -> tuple[str, ...]:
    """Names of the workers that are too many, beside a rollout's surge: those that lose nothing first.

    Of those that may leave: not serving yet, with the old cache size or version, idle, least busy, emptiest cache. No
    more are named than may have to go at once; the rest would be weight in the history.
    """
    excess = situation.seen.live_count - size.workers - surge
    if excess <= 0:
        return ()
    may_leave = situation.running_work.names

    def cost(worker: WorkerSeen) -> tuple[bool, bool, bool, int, int]:
        serves = worker.state is WorkerState.READY
        renewed = worker.cache == size.cache and worker.version not in situation.outdated
        return worker.name not in may_leave, serves, renewed, _slots_used(worker), worker.cached or 0

    return tuple(worker.name for worker in sorted(situation.seen.live, key=cost)[:excess])


def _slots_used(worker: WorkerSeen) -> int:
    """Tasks of any kind that a worker last reported to run."""
    elsewhere = worker.elsewhere_slots_used or 0
    return (worker.activity_slots_used or 0) + (worker.workflow_slots_used or 0) + elsewhere


def losing_work(situation: Situation, named: tuple[str, ...]) -> bool:
    """Whether any of these workers may be killed with a task under way."""
    return not situation.running_work.names.issuperset(named)
