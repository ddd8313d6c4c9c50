"""The Temporal server's time, as far as a controller can know it.

It is what the server stamped last and what this process's own monotonic clock counted since. This host's idea of the
time may be wrong; nothing is compared with it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

REMEMBERED_SECONDS = 300.0
"""How long one stamp is believed: meanwhile the drift of a clock is far below a millisecond a second."""

SET_BACK = timedelta(minutes=1)
"""A stamp so far behind all others was not delivered late: the server's clock was set back."""


def wall_clock() -> datetime:
    """What this host takes for the time."""
    return datetime.now(UTC)


class ServerTime:
    """One for each controller process.

    A stamp is older by the way that it came, so the newest moment that any stamp implies is nearest to the truth.

    Args:
        wall: Asked until the server has stamped anything.
        monotonic: Counts seconds; never set.

    """

    def __init__(
        self, wall: Callable[[], datetime] = wall_clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._zero: datetime | None = None  # the server's time when the monotonic clock stood at zero
        self._newer: datetime | None = None  # the same, of stamps that came lately only
        self._turned_at = 0.0

    def heard(self, stamp: datetime) -> None:
        """Take in a moment that the server stamped just now or a little earlier."""
        now = self._monotonic()
        zero = stamp - timedelta(seconds=now)
        if self._zero is None or self._zero - zero > SET_BACK:
            self._zero, self._newer, self._turned_at = zero, None, now
        elif now - self._turned_at > REMEMBERED_SECONDS:
            self._zero, self._newer, self._turned_at = max(self._newer or zero, zero), None, now
        else:
            self._zero = max(self._zero, zero)
            self._newer = max(self._newer or zero, zero)

    def now(self) -> datetime:
        """The server's time; before it stamped anything, what this host takes for the time."""
        if self._zero is None:
            return self._wall()
        return self._zero + timedelta(seconds=self._monotonic())
