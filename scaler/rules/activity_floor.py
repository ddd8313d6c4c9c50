"""Memory bounds the count from below: with fewer workers the activities of each would not fit. Pure."""

from scaler.rules.situation import Situation
from scaler.size.activity_memory import RunningActivities, fewest_workers
from scaler.size.cache_bounds import usable_bytes


def workers_for_activity_memory(situation: Situation, cache: int | None) -> int:
    """The fewest workers that hold their activities beside such a cache; all that there are where no number does.

    By the most that an activity may take, since nothing is won by trying: who is taken away too many costs kills.
    """
    memory = situation.estimate.memory.cautious
    usable = usable_bytes(memory, situation.fleet)
    if usable is None:
        return 0
    full = cache if cache is not None else situation.current.cache if situation.decides_cache else None
    fewest = fewest_workers(memory, RunningActivities.of(situation.estimate), full, usable)
    return situation.current.workers if fewest is None else min(fewest, situation.workers_ceiling)
