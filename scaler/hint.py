"""What a worker says of itself between looks, and which of it is kept. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

BELIEVED = timedelta(minutes=1)
"""The next heartbeat tells as much by then, whatever its interval."""

HINTS_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One worker's own figures; None is not known. A worker is named as in `status`, or by its Temporal identity."""

    worker: str
    at: datetime | None = None  # when it came
    queue: str | None = None
    slots_used: int | None = None
    slots: int | None = None
    cache: int | None = None
    memory_bytes: int | None = None
    guard: str | None = None

    def believed(self, now: datetime) -> bool:
        """Whether it is not too old."""
        return self.at is not None and now - self.at <= BELIEVED


def kept(hints: tuple[Hint, ...], newest: Hint, now: datetime) -> tuple[Hint, ...]:
    """The newest of each worker, while they are believed."""
    others = (hint for hint in hints if hint.worker != newest.worker and hint.believed(now))
    return (*others, newest)[-HINTS_KEPT:]
