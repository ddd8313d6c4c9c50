"""Which workers reach their memory limit before a replacement serves. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from scaler.model.observation import WorkerSeen
from scaler.rules.situation import EMERGENCY_FRACTION, Situation

COMES_BACK = 2.0
"""While workers leave, the others fill so many times as fast as the load alone would fill them: the runs of those that
left come back one by one. (In a simulated crash loop 112 MiB/s, where the load alone would have been 51.)"""


def with_all_that_fill_up(situation: Situation, leaving: AbstractSet[str]) -> set[str]:
    """Workers to be drained: those given, and every other that would be full before a replacement serves.

    Each that leaves puts its share of the load on the others, which may fill up in turn, so the set is extended until
    nothing is added (a fixed point). Rates are those at which each worker has filled since its start.
    """
    rates = {worker.name: _bytes_per_second(situation, worker) for worker in situation.seen.ready}
    going: set[str] = set()
    added = set(leaving)
    while added:
        going |= added
        added = _full_in_time(situation, rates, going)
    return going


def _full_in_time(situation: Situation, rates: Mapping[str, float], going: AbstractSet[str]) -> set[str]:
    """Those of the rest that would be full before a replacement serves, with the load of those that go."""
    staying = [worker for worker in situation.seen.ready if worker.name not in going]
    without_a_row = situation.seen.ready_count - len(rates)
    unseen = without_a_row * sum(rates.values()) / len(rates) if rates else 0.0
    left = sum(rates[worker.name] for worker in staying) + unseen
    factor = COMES_BACK * (sum(rates.values()) + unseen) / left if left else 1.0
    memory, start_seconds = situation.estimate.memory, situation.estimate.start_seconds
    limit_bytes = EMERGENCY_FRACTION * (memory.limit_bytes or 0)
    return {
        worker.name
        for worker in staying
        if (worker.memory_bytes or 0) + factor * rates[worker.name] * start_seconds > limit_bytes
    }


def _bytes_per_second(situation: Situation, worker: WorkerSeen) -> float:
    empty_bytes = situation.estimate.memory.corners[0].bytes
    return max((worker.memory_bytes or 0) - empty_bytes, 0) / worker.age_seconds if worker.age_seconds else 0.0
