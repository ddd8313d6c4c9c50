"""How a reading ages: what was fresh when it was taken is stale later and missing in the end. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from scaler.model.common import Quality, Reading


@dataclass(frozen=True, slots=True)
class Lifetime:
    """For how long a kind of reading is fresh, and after what time it says nothing any more."""

    fresh: timedelta
    usable: timedelta

    def quality(self, reading: Reading, now: datetime) -> Quality:
        """The quality of a reading at `now`: never better than it was when taken."""
        if reading.at is None or reading.quality in (Quality.MISSING, Quality.UNKNOWN):
            return Quality.MISSING
        return self.quality_at_age((now - reading.at).total_seconds(), reading.quality)

    def quality_at_age(self, age_seconds: float | None, taken_as: Quality = Quality.FRESH) -> Quality:
        """The quality of something measured so many seconds ago."""
        if age_seconds is None or age_seconds > self.usable.total_seconds():
            return Quality.MISSING
        return taken_as if age_seconds <= self.fresh.total_seconds() else Quality.STALE


QUEUE_STATISTICS = Lifetime(fresh=timedelta(seconds=30), usable=timedelta(minutes=5))
"""The server caches its statistics for 5 s and averages rates over 30 s."""

TARGET = Lifetime(fresh=timedelta(seconds=90), usable=timedelta(minutes=5))
WORKER_MEMORY = Lifetime(fresh=timedelta(seconds=90), usable=timedelta(minutes=5))

HEARTBEAT = Lifetime(fresh=timedelta(seconds=150), usable=timedelta(minutes=5))
"""Workers beat every 60 s by default, and the first beat comes one interval after the start."""

HISTORIES = Lifetime(fresh=timedelta(minutes=5), usable=timedelta(hours=1))
"""Service and replay times change with code and load, not within a minute."""
