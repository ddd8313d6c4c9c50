"""A cache size that somebody else set is put back once; the second time within an hour it is left to them. Pure."""

from dataclasses import replace
from datetime import timedelta

from scaler.model.common import Quality
from scaler.model.remembered import Remembered, whole_second
from scaler.rules.situation import Situation

AGAIN_WITHIN = timedelta(hours=1)


def cache_hand_watched(situation: Situation, memory: Remembered) -> Remembered:
    """Memory of when a cache size was last put back, and of whether it is left to somebody else now.

    Each plan carries the size, so that the next step puts it back. It stays theirs until it is back at what was
    decided here, or an operator resumes.
    """
    if not _set_by_another(situation):
        return replace(memory, cache_foreign_since=None, cache_left_since=None)
    if memory.cache_foreign_since is not None:
        return replace(memory, cache_left_since=None) if _resumed(memory) else memory
    now, repaired_at = whole_second(situation.now), memory.cache_repaired_at
    again = repaired_at is not None and now - repaired_at < AGAIN_WITHIN
    return replace(
        memory,
        cache_foreign_since=now,
        cache_repaired_at=repaired_at if again else now,
        cache_left_since=now if again else None,
    )


def _resumed(memory: Remembered) -> bool:
    resumed_at, left = memory.operator.resumed_at, memory.cache_left_since
    return resumed_at is not None and left is not None and resumed_at >= left


def _set_by_another(situation: Situation) -> bool:
    """Whether the target would give new workers another cache size than this product wrote to it."""
    target, record = situation.seen.target, situation.record
    if record is None or record.intended is None or record.intended.cache is None or target.cache is None:
        return False
    if not situation.fleet.decides_cache or situation.memory.unechoed is not None:
        return False
    ours = {record.intended.cache, record.previous.cache if record.previous is not None else None}
    known = situation.target_quality is Quality.FRESH and situation.seen.applied.settled
    return known and target.cache not in ours
