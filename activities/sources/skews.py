"""How far the clocks of workers' hosts are from the server's time, as far as their heartbeats prove it. Pure.

A heartbeat carries its worker's own time alone. It can't be from the future; and one that is new since the list was
read before was sent after that. What lies between the two bounds is taken as right: only what is proven is corrected.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

BELIEVED = timedelta(minutes=15)
"""How long a bound holds: clocks drift, and are set."""

SLACK = timedelta(seconds=2)
"""Heartbeats are on their way, and two servers of one cluster differ, for less than this."""

NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How much must at least, and may at most, be added to a host's times."""

    least: timedelta | None
    most: timedelta
    at: datetime

    @property
    def correction(self) -> timedelta:
        """The smallest that fits."""
        if self.most < NONE:
            return self.most
        return self.least if self.least is not None and self.least > NONE else NONE


class Skews:
    """By host name."""

    def __init__(self) -> None:
        self._bounds: dict[str, _Bounds] = {}
        self._newest: dict[str, tuple[datetime, datetime]] = {}  # by worker instance: its beat, and when it was read

    def heard(self, host: str, instance: str, beat_at: datetime, read_at: datetime) -> None:
        """Take in a heartbeat of one of the host's workers, as it was read just now."""
        before = self._newest.get(instance)
        if before is not None and beat_at <= before[0]:
            self._newest[instance] = (before[0], read_at)
            return
        self._newest[instance] = (beat_at, read_at)
        most = read_at - beat_at
        least = before[1] - beat_at - SLACK if before is not None else None
        self._bounds[host] = _narrowed(self._bounds.get(host), _Bounds(least, most, read_at))

    def correction(self, host: str) -> timedelta:
        """What is to be added to a time of this host."""
        bounds = self._bounds.get(host)
        return bounds.correction if bounds is not None else NONE

    def forget(self, now: datetime) -> None:
        """Drop hosts and workers that were not heard of for long."""
        self._bounds = {host: bounds for host, bounds in self._bounds.items() if now - bounds.at < BELIEVED}
        self._newest = {instance: each for instance, each in self._newest.items() if now - each[1] < BELIEVED}


def _narrowed(known: _Bounds | None, new: _Bounds) -> _Bounds:
    """Both together; where they contradict each other the clock was set, and only the new ones hold."""
    if known is None or new.at - known.at > BELIEVED:
        return new
    least = max((each for each in (known.least, new.least) if each is not None), default=None)
    most = min(known.most, new.most)
    if least is not None and least > most + SLACK:
        return new
    return _Bounds(least, most, new.at)
