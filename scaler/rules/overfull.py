"""Counts the heartbeats in which a worker holds more than its cache size: two in a row, and the size is not honoured.

Heartbeats are told apart by their own times: one of them is seen by many observations, and an observation by two
decisions where an update came in between.
"""

from dataclasses import replace
from datetime import timedelta

from scaler.model.observation import WorkerSeen
from scaler.model.remembered import Remembered, WorkerBeat, whole_second
from scaler.rules.situation import Situation

SAME_BEAT = timedelta(seconds=2)
"""Times are kept to the second: those that differ by less may be of one heartbeat."""

MOST_COUNTED = 9


def overfull_counted(situation: Situation, memory: Remembered) -> Remembered:
    """Memory after the newest heartbeats of workers that started under the present cache size."""
    cache = situation.current.cache
    telling = [row for row in situation.seen.ready if cache is not None and row.cache == cache and _tells(row)]
    if cache is None or situation.rolling or not telling:
        return memory
    over = [row for row in telling if (row.cached or 0) > cache * (row.caches or 1)]
    if not over:
        return replace(memory, overfull=0, overfull_beat=None)
    last = memory.overfull_beat
    watched = next((row for row in over if last is not None and row.name == last.worker), None)
    if watched is None or last is None:
        beat = _beat(situation, over[0])
        return replace(memory, overfull=max(memory.overfull, 1), overfull_beat=beat)
    beat = _beat(situation, watched)
    if beat.at - last.at < SAME_BEAT:
        return memory
    return replace(memory, overfull=min(memory.overfull + 1, MOST_COUNTED), overfull_beat=beat)


def _tells(row: WorkerSeen) -> bool:
    return row.cached is not None and row.heartbeat_age_seconds is not None


def _beat(situation: Situation, row: WorkerSeen) -> WorkerBeat:
    age = timedelta(seconds=row.heartbeat_age_seconds or 0.0)
    return WorkerBeat(row.name, whole_second(situation.seen.observed_at - age))
