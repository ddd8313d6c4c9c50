"""Who dominates whom on the plane of worker-hours and late tasks. Pure.

A policy's curve is what it comes to at each of its settings, as means over the same cells. Its choices are what can be
had from it: two points of a curve can't be mixed.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

HOURS_TOLERANCE: Final = 0.01
"""Worker-hours that differ by less than this part count as the same."""

SHARE_TOLERANCE: Final = 0.0005
"""Shares of late tasks that differ by less count as the same."""

MOST_LATE: Final = 0.05
"""Late tasks that objectives allow: their percentile is the 95th."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a policy comes to at one setting."""

    setting: float
    worker_hours: float
    late_share: float
    oom_kills: int

    def at_least_as_good_as(self, other: "Point") -> bool:
        """In both, within the tolerances."""
        return (
            self.worker_hours <= other.worker_hours * (1 + HOURS_TOLERANCE)
            and self.late_share <= other.late_share + SHARE_TOLERANCE
        )

    def better_than(self, other: "Point") -> bool:
        """In both, and by more than the tolerance in one."""
        return self.at_least_as_good_as(other) and (
            self.worker_hours < other.worker_hours * (1 - HOURS_TOLERANCE)
            or self.late_share < other.late_share - SHARE_TOLERANCE
        )


Curve = Sequence[Point]


def curves(rows: Iterable[Mapping[str, Any]]) -> dict[str, Curve]:
    """Each policy's curve over the runs of one scenario, the same for all."""
    found: defaultdict[tuple[str, float], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["policy"], row["setting"]].append(row)
    by_policy: defaultdict[str, list[Point]] = defaultdict(list)
    for (policy, setting), runs in sorted(found.items()):
        by_policy[policy].append(
            Point(
                setting=setting,
                worker_hours=fmean(row["worker_hours"] for row in runs),
                late_share=fmean(row["slo_violation_task_share"] for row in runs),
                oom_kills=max(row["oom_kills"] for row in runs),
            )
        )
    return dict(by_policy)


def dominates(one: Curve, other: Curve) -> bool:
    """For whatever can be had from the other, something at least as good can be had from the one, and once better."""
    covered = all(any(mine.at_least_as_good_as(theirs) for mine in one) for theirs in other)
    return covered and any(mine.better_than(theirs) for mine in one for theirs in other)


def hours_at_equal_lateness(one: Curve, other: Curve) -> float:
    """The one's cheapest worker-hours where it is as punctual as the other at its cheapest useful setting, as a ratio.

    Useful is a setting with at most one task in twenty late. Infinite where the one is nowhere as punctual; 0 where
    the other has no useful setting.
    """
    useful = [point for point in other if point.late_share <= MOST_LATE]
    if not useful:
        return 0.0
    cheapest = min(useful, key=lambda point: point.worker_hours)
    equals = [point.worker_hours for point in one if point.late_share <= cheapest.late_share + SHARE_TOLERANCE]
    return min(equals, default=math.inf) / cheapest.worker_hours
