"""What declared windows ask for at a moment. Outside the pure core, because time zones are read from files."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scaler.fleet import ScheduleWindow
from scaler.model.observation import ScheduleSeen

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAYS_AHEAD = 8
"""An edge is looked for in so many days: a window that recurs does so within a week."""


def schedule_at(windows: Sequence[ScheduleWindow], now: datetime) -> ScheduleSeen:
    """The highest floor of the windows that are open, and the next moment at which one opens or closes."""
    spans = [(start, end, window.min) for window in windows for start, end in _spans(window, now)]
    floor = max((minimum for start, end, minimum in spans if start <= now < end), default=0)
    edges = [edge for start, end, _ in spans for edge in (start, end) if edge > now]
    return ScheduleSeen(floor, min(edges, default=None))


def _spans(window: ScheduleWindow, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The window's openings around `now`; one that ends before it starts reaches into the next day."""
    zone = _zone(window.zone)
    start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
    today = now.astimezone(zone).date()
    for offset in range(-1, DAYS_AHEAD):
        day = today + timedelta(days=offset)
        if DAYS[day.weekday()] in window.days:
            last = day if end > start else day + timedelta(days=1)
            yield datetime.combine(day, start, zone), datetime.combine(last, end, zone)


def is_zone(name: str) -> bool:
    """Whether this host knows the time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _zone(name: str) -> ZoneInfo:
    """The door refuses unknown zones; one that only this host does not know counts as UTC rather than end the loop."""
    return ZoneInfo(name if is_zone(name) else "UTC")
