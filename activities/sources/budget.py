"""The calls a second that one controller may make, over all its connections and fleets, and how they are shared out."""

from datetime import timedelta

from aiolimiter import AsyncLimiter

SAMPLING_SHARE = 0.3
"""The part of the calls that sampling histories may take; the rest reads queues and worker heartbeats."""


class Budget:
    """One for each controller process."""

    def __init__(self, calls_per_second: float) -> None:
        self.calls_per_second = calls_per_second
        self._all = _limiter(calls_per_second)
        self._sampling = _limiter(SAMPLING_SHARE * calls_per_second)
        self._rounds: dict[object, float] = {}

    async def take(self) -> None:
        """Wait until one more call may be made."""
        await self._all.acquire()

    async def take_for_sampling(self) -> None:
        """Wait until one more call may be made for what nobody waits for."""
        await self._sampling.acquire()
        await self._all.acquire()

    def round_time(self, reader: object, calls: float) -> timedelta:
        """For how long one round of `reader` has to last, if it makes so many calls and all readers get their share."""
        self._rounds[reader] = calls
        share = (1 - SAMPLING_SHARE) * self.calls_per_second
        return timedelta(seconds=sum(self._rounds.values()) / share)

    def sampling_time(self, calls: float) -> timedelta:
        """For how long a round of sampling with so many calls lasts at least."""
        return timedelta(seconds=calls / (SAMPLING_SHARE * self.calls_per_second))


def _limiter(per_second: float) -> AsyncLimiter:
    """Below one call a second a bucket of a second would never hold a whole one."""
    whole = max(per_second, 1.0)
    return AsyncLimiter(whole, whole / per_second)
