"""Simulated time: seconds from the start of a run, and the moments that the product's values carry. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
"""When every run begins; a Monday morning."""


def moment(seconds: float) -> datetime:
    """The moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def elapsed(at: datetime) -> float:
    """Seconds from the start until a moment."""
    return (at - START).total_seconds()
