"""What a worker just saw of itself, as part of the newest observation. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from scaler.model.observation import Observation, WorkerSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One worker's own figures; None is not known."""

    worker: str
    queue: str | None = None
    slots_used: int | None = None
    slots: int | None = None
    cache: int | None = None
    memory_bytes: int | None = None
    guard: str | None = None


def with_hint(seen: Observation, hint: Hint, now: datetime) -> Observation:
    """The observation with the worker's own figures in its row; an unknown worker changes nothing."""
    age = (seen.observed_at - now).total_seconds()
    rows = tuple(_updated(row, hint, age) if row.name == hint.worker else row for row in seen.workers)
    return replace(seen, workers=rows)


def _updated(row: WorkerSeen, hint: Hint, age_seconds: float) -> WorkerSeen:
    """Ages count from the observation, so what is newer than it has a negative one."""
    if hint.memory_bytes is not None:
        row = replace(row, memory_bytes=hint.memory_bytes, memory_age_seconds=age_seconds)
    if hint.slots_used is not None:
        row = replace(
            row,
            activity_slots_used=hint.slots_used,
            activity_slots=hint.slots if hint.slots is not None else row.activity_slots,
            heartbeat_age_seconds=age_seconds,
        )
    return row
