"""What calibration reads from workers, and what it makes of it with the product's own estimates."""

import csv
import io
from itertools import accumulate

import pytest

from benchmarks.calibration.cache_misses import Access, accesses, replay_seen
from benchmarks.calibration.memory_sight import envelope_after, growth_after
from benchmarks.calibration.out_of_memory import spread
from benchmarks.calibration.statistics_lag import PHASES, Look, Truth, compared
from benchmarks.calibration.waits import inside
from benchmarks.calibration.worker_process import summed

MIB = 2**20


def test_metrics_are_summed_over_their_labels() -> None:
    exposition = (
        "# TYPE temporal_sticky_cache_hit counter\n"
        'temporal_sticky_cache_hit{task_queue="a"} 3\n'
        'temporal_sticky_cache_hit{task_queue="b"} 4\n'
        "temporal_sticky_cache_size 7\n"
    )
    assert summed(exposition) == {"sticky_cache_hit": 7.0, "sticky_cache_size": 7.0}


def test_the_envelope_of_a_straight_worker_is_its_line() -> None:
    samples = [(float(cached), cached, (80 + cached) * MIB) for cached in (0, 20, 40, 80)]
    assert envelope_after(samples, 512 * MIB).predicted_bytes(200) == pytest.approx(280 * MIB, rel=0.01)


def test_an_envelope_without_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a sample"):
        envelope_after([], MIB)


def test_growth_of_a_worker_that_does_not_grow_is_nothing() -> None:
    assert growth_after([(float(at), 10, 100 * MIB) for at in range(10)], 512 * MIB) == 0.0


def test_only_every_so_many_sessions_are_taken_and_in_order() -> None:
    file = io.StringIO("t_s,session_id,turn\n6.0,12,1\n0.0,0,1\n3.0,1,1\n12.0,0,2\n")
    taken = accesses(csv.DictReader(file))
    assert [access.session for access in taken] == [0, 12, 0]
    assert [access.at_seconds for access in taken] == sorted(access.at_seconds for access in taken)


def test_histories_tell_gaps_and_silences_of_the_sampled_sessions_only() -> None:
    known = [Access(0.0, 1), Access(1.0, 2), Access(5.0, 1), Access(9.0, 1), Access(10.0, 3)]
    seen = replay_seen(known, frozenset({1, 3}))
    assert sum(seen.gaps) == 2
    assert sum(seen.silences) == 2


def test_fifty_milliseconds_are_inside_whatever_the_share() -> None:
    assert inside(0.001, 0.04, 0.15)
    assert inside(1.0, 1.1, 0.15)
    assert not inside(1.0, 1.3, 0.15)


def test_a_spread_holds_the_median_between_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "lowest": 1.0, "highest": 3.0}


def test_statistics_that_are_late_and_right_are_found_to_be_just_that() -> None:
    (quiet, slow), (busy, fast), _ = PHASES
    arrivals = [number / slow for number in range(int(quiet * slow))]
    arrivals += [quiet + number / fast for number in range(int(busy * fast))]
    served = list(accumulate(arrivals, lambda before, at: max(before + 0.25, at)))
    truth = Truth(scheduled=arrivals, started=served, began=0.0)
    looks = [
        Look(at / 2, truth.waiting(at / 2 - 3), 0.0, truth.scheduled_per_second(at / 2 - 37.5, at / 2 - 2.5), 0.0)
        for at in range(int(2 * (quiet + busy + 80)))
    ]
    outcome = compared(looks, truth)
    assert outcome.constants["backlog_lag_seconds"] == pytest.approx(3.0, abs=0.2)
    assert outcome.residuals["lag_errors_seconds"] == pytest.approx({"up": 0.0, "down": 0.0}, abs=1.0)
    assert outcome.residuals["backlog_bias_after_30_s_lag_removed"] == pytest.approx(0.0, abs=0.02)
