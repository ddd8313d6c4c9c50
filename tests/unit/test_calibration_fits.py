"""The fits that calibration builds on find what was put in."""

import random
from itertools import accumulate
from statistics import fmean

import pytest

from benchmarks.calibration.fits import (
    fifo_waits,
    line,
    lru_misses,
    partitioned_waits,
    percentile,
    relative,
    relative_line,
    scv,
)
from benchmarks.calibration.waits import mean_wait_seconds
from scaler.size.queueing import Stream, wait_seconds


def test_a_line_gives_back_its_own_points() -> None:
    fitted = line((x, 3.0 + 2.0 * x) for x in (0.0, 1.0, 5.0))
    assert fitted.intercept == pytest.approx(3.0)
    assert fitted.slope == pytest.approx(2.0)
    assert fitted.r_squared == pytest.approx(1.0)
    assert fitted.at(10.0) == pytest.approx(23.0)


def test_a_line_says_how_far_off_its_worst_point_is() -> None:
    fitted = line([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 7.0)])
    assert fitted.r_squared < 0.9
    assert fitted.worst_residual == pytest.approx(fitted.at(2.0) - 2.0)


@pytest.mark.parametrize("fit", [line, relative_line])
def test_one_x_is_no_line(fit: object) -> None:
    assert callable(fit)
    with pytest.raises(ValueError, match="two different x"):
        fit([(1.0, 1.0), (1.0, 2.0)])


def test_a_relative_line_cares_for_the_small_as_much_as_for_the_large() -> None:
    bent = [(1.0, 2.0), (10.0, 11.0), (1000.0, 700.0)]
    plain, fair = line(bent), relative_line(bent)
    assert abs(fair.at(1.0) / 2.0 - 1) < abs(plain.at(1.0) / 2.0 - 1)


def test_tasks_that_come_one_at_a_time_never_wait() -> None:
    assert fifo_waits([0.0, 2.0, 4.0], [1.0, 1.0, 1.0], 1) == [0.0, 0.0, 0.0]


def test_a_task_waits_for_the_server_that_is_free_first() -> None:
    assert fifo_waits([0.0, 0.0, 0.0, 0.0], [5.0, 2.0, 2.0, 1.0], 2) == [0.0, 0.0, 2.0, 4.0]


def test_the_exact_queue_agrees_with_the_formula_where_the_formula_is_exact() -> None:
    chance = random.Random(3)
    tasks, servers, stream = 200_000, 4, Stream(arrivals_per_second=3.0, service_seconds=1.0)
    arrivals = list(accumulate(chance.expovariate(3.0) for _ in range(tasks)))
    waits = fifo_waits(arrivals, [chance.expovariate(1.0) for _ in range(tasks)], servers)
    assert fmean(waits) == pytest.approx(mean_wait_seconds(servers, stream), rel=0.08)
    assert percentile(waits, 95) == pytest.approx(wait_seconds(servers, stream, 95), rel=0.08)


def test_an_lru_cache_that_is_one_too_small_misses_every_cyclic_use() -> None:
    accesses = list(range(10)) * 3
    assert lru_misses(accesses, [10]) == 0
    assert lru_misses(accesses, [9]) == 20


def test_keys_stay_with_the_cache_that_they_came_to() -> None:
    assert lru_misses([1, 2, 1, 2], [1, 1]) == 0
    assert lru_misses([1, 2, 1, 2], [1]) == 2


def test_a_first_use_is_no_miss() -> None:
    assert lru_misses(range(100), [10]) == 0


def test_relative_error_of_nothing_is_infinite_unless_nothing_was_told() -> None:
    assert relative(2.0, 3.0) == 0.5
    assert relative(0.0, 0.0) == 0.0
    assert relative(0.0, 1.0) == float("inf")


def test_constant_values_do_not_vary() -> None:
    assert scv([2.0, 2.0, 2.0]) == 0.0
    assert scv([0.0, 2.0]) == 1.0


def test_partitions_change_the_order_and_not_the_mean() -> None:
    chance = random.Random(5)
    arrivals = list(accumulate(chance.expovariate(7.2) for _ in range(20_000)))
    holds = [1.0] * len(arrivals)
    in_order = fifo_waits(arrivals, holds, 8)
    one = partitioned_waits(list(zip(arrivals, holds, strict=True)), 8, 1, seed=1)
    four = partitioned_waits(list(zip(arrivals, holds, strict=True)), 8, 4, seed=1)
    assert sorted(one) == pytest.approx(sorted(in_order), abs=1e-6)
    assert fmean(four) == pytest.approx(fmean(in_order), rel=1e-6)
    assert percentile(four, 99) > percentile(in_order, 99)
