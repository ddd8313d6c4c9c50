"""What a running activity and a cached workflow cost, fitted; by moments with round results."""

import math
from dataclasses import replace

import pytest

from scaler.learn.activity_bytes import activity_cost
from scaler.learn.footprint import memory_use
from scaler.model.common import Size
from scaler.model.observation import ReplaySeen
from scaler.model.remembered import ActivityFit, Footprint, MemoryPoint
from tests.support.plausible import Life
from tests.support.strategies import LIMIT_BYTES, NOW, declared

MIB = 2**20


def _fit(cached_mib: float, running_mib: float, noise_mib: float = 1.0) -> ActivityFit:
    """A hundred readings of workers with 100 cached, give or take ten, and five running, give or take two."""
    cc, rr = 100 * 10.0**2, 100 * 2.0**2
    mm = cached_mib**2 * cc + running_mib**2 * rr + 97 * noise_mib**2
    return ActivityFit((100.0, 100.0, 5.0, 200.0, cc, rr, mm, 0.0, cached_mib * cc, running_mib * rr))


def test_both_costs_are_told_apart_with_how_certain_they_are() -> None:
    """The errors are the noise by the root of each spread: 1/20 of a MiB and 1/100.

    What runs explains 40,000 of the 40,097 that memory varies by beside the cache; the rest may be its doing as well.
    """
    cost = activity_cost(_fit(cached_mib=1.0, running_mib=10.0))

    assert cost.likely_bytes == pytest.approx((1 - (2 * 0.05 / 10) ** 2) * 10 / math.sqrt(40_000 / 40_097) * MIB)
    assert cost.high_bytes == pytest.approx((10 + 2 * 0.05) * MIB)
    assert cost.workflow_high_bytes == pytest.approx((1 + 2 * 0.01) * MIB)


@pytest.mark.parametrize(("cached_mib", "told"), [(0.031, True), (0.029, False)])
def test_a_workflow_costs_something_where_it_is_three_times_its_error(cached_mib: float, *, told: bool) -> None:
    assert (activity_cost(_fit(cached_mib, 10.0)).workflow_high_bytes is not None) == told


@pytest.mark.parametrize(("running_mib", "known"), [(0.11, True), (0.09, False)])
def test_an_activity_costs_something_where_it_is_twice_its_error(running_mib: float, *, known: bool) -> None:
    assert (activity_cost(_fit(1.0, running_mib)).likely_bytes > 0) == known


@pytest.mark.parametrize(
    ("running", "held", "limit_bytes", "rules"),
    [
        (13, 60, LIMIT_BYTES, True),
        (12, 60, LIMIT_BYTES, False),  # less than a quarter of the limit
        (13, 160, LIMIT_BYTES, False),  # less than what is cached may take, by the fit
        (15, 60, None, False),  # nobody knows what a quarter is
    ],
)
def test_memory_follows_activities_where_they_take_a_quarter_of_the_limit_and_more_than_caches(
    running: int, held: int, limit_bytes: int | None, *, rules: bool
) -> None:
    """Between two points the envelope grows by two MiB a workflow; by the fit a workflow takes one."""
    points = tuple(MemoryPoint(cached, (200 + 2 * cached) * MIB, NOW, running) for cached in (20, held))
    life = Life(declared(), Size(4, 100), MIB, ReplaySeen())
    seen = life.observe(1.0, 0.5)
    seen = replace(seen, target=replace(seen.target, memory_limit_bytes=limit_bytes))

    use = memory_use(Footprint(points=points, activities=_fit(1.0, 10.0)), seen, life.fleet, life.now)

    by_workflow = use.predicted_bytes(held) - use.predicted_bytes(20)
    assert by_workflow == pytest.approx((held - 20) * (1.02 if rules else 2.0) * MIB, rel=0.01)
