"""Who leaves because its memory is about to run out although no smaller cache is on its way. Pure.

A worker that was asked to leave takes no more tasks, which is right whatever fills it: running activities, runs that an
SDK keeps after their eviction, or a cache that is not set from here.
"""

from scaler.model.observation import WorkerState
from scaler.rules.situation import Situation


def relieved(situation: Situation) -> tuple[str, ...]:
    """Workers to be replaced before they are killed, the fullest first; at most half of those that serve.

    Only where memory grows so fast that the fullest would be killed by the time a later decision took effect: workers
    that keep to a high level would be replaced for ever. None takes the place of a worker that alone serves, and none
    is replaced for a poisonous workflow, which would fill its successor too.
    """
    memory = situation.estimate.memory
    if memory.limit_bytes is None or situation.poisoned or (memory.soonest_bytes or 0.0) < memory.limit_bytes:
        return ()
    growing = (worker.name for worker in situation.breaching if worker.state is WorkerState.READY)
    return tuple(growing)[: situation.seen.ready_count // 2]
