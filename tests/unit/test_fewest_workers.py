"""The fewest workers whose memory holds their activities, by literal values."""

from dataclasses import replace

import pytest

from scaler.model.common import Quality
from scaler.model.estimate import Corner, MemoryUse
from scaler.size.activity_memory import RunningActivities, fewest_workers

MIB = 2**20
MEMORY = MemoryUse(
    corners=(Corner(0, 100 * MIB),),
    slope_bytes=MIB,
    largest_cached=80,
    caches=1,
    limit_bytes=512 * MIB,
    fullest_bytes=None,
    soonest_bytes=None,
    quality=Quality.FRESH,
    measured=True,
    activity_bytes=20 * MIB,
)
RUNNING = RunningActivities(taken=36.0, slots=50)


@pytest.mark.parametrize(
    ("cache", "usable_mib", "fewest"),
    [
        # 100 MiB and 50 cached leave 250 of 400: 12.5 activities on one at the 99th percentile, 6.5 on average.
        (50, 400, 6),
        # No fuller than a quarter more than any was seen, 100: 200 MiB are left, 10 at most, 4.9 on average.
        (1000, 400, 8),
        (None, 400, 8),
        (50, 169, None),  # not one fits
        (50, 2000, 0),  # all slots fit
    ],
)
def test_activities_of_each_fit_beside_its_cache(cache: int | None, usable_mib: int, fewest: int | None) -> None:
    assert fewest_workers(MEMORY, RUNNING, cache, usable_mib * MIB) == fewest


def test_activities_that_take_nothing_ask_for_nobody() -> None:
    assert fewest_workers(replace(MEMORY, activity_bytes=0.0), RUNNING, 50, 200 * MIB) == 0
