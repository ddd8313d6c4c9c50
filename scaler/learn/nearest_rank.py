"""A percentile that was really seen: the value of the nearest rank, never one between two. Pure."""

import math
from collections.abc import Iterable


def nearest_rank(values: Iterable[float], percentile: float) -> float | None:
    """The smallest of the values that so many per cent of them do not exceed; None without any."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = math.ceil(len(ordered) * percentile / 100)
    return ordered[min(max(rank, 1), len(ordered)) - 1]
