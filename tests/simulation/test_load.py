"""What comes from outside follows from scenario, trace and seed, whatever serves it, and looks as declared."""

import numpy as np
import pytest

from scaler.door import Refused
from scaler.simulation import catalogue
from scaler.simulation.future import Future
from scaler.simulation.load import Load, LoadRequest, load_of, workers_needed
from scaler.simulation.traces import Trace
from tests.simulation.worlds import declared, load

LONG = {"duration": "2h", "warm_up": "5m"}


def gaps(found: Load) -> np.ndarray:
    """Seconds between the turns of one session."""
    order = np.lexsort((found.at, found.session))
    same = np.diff(found.session[order]) == 0
    between: np.ndarray = np.diff(found.at[order])[same]
    return between


def test_the_same_seed_is_the_same_load_and_another_is_another() -> None:
    scenario = declared()
    first, again, other = load(scenario, 1), load(scenario, 1), load(scenario, 2)

    np.testing.assert_array_equal(first.at, again.at)
    np.testing.assert_array_equal(first.service_seconds, again.service_seconds)
    assert len(first) != len(other) or not np.array_equal(first.at, other.at)


def test_activities_take_as_long_as_declared() -> None:
    service = load(declared(workload={"activity": {"service": {"mean": "3s", "scv": 2}}}, **LONG)).service_seconds

    assert service.mean() == pytest.approx(3.0, rel=0.03)
    assert service.var() / service.mean() ** 2 == pytest.approx(2.0, rel=0.2)


def test_sessions_come_back_after_gaps_as_declared() -> None:
    found = load(declared(workload={"sessions": {"turns": 6, "gap": {"mean": "30s", "scv": 1}}}, **LONG))

    assert gaps(found).mean() == pytest.approx(30, rel=0.1)
    assert (found.events == 0).mean() == pytest.approx(1 / 6, rel=0.1)


def test_a_crowd_brings_new_sessions() -> None:
    arrivals = {"kind": "flash_crowd", "turns_per_second": 2, "factor": 10, "at": "20m", "hold": "5m"}
    found = load(declared(arrivals=arrivals, **LONG))
    crowd = (found.at > 1200) & (found.at < 1320)

    assert (found.events == 0)[crowd].mean() > 2 * (found.events == 0)[found.at < 1200].mean()


def test_bursts_are_as_dispersed_as_declared() -> None:
    scenario = catalogue.named("bursty")
    found = [load_of(scenario, LoadRequest(seed=seed)) for seed in range(8)]
    counts = np.concatenate([np.histogram(each.at, np.arange(0, 7201, 60))[0] for each in found])

    assert counts.var() / counts.mean() == pytest.approx(164, rel=0.2)


def test_a_trace_is_scaled_to_a_quarter_of_the_workers() -> None:
    scenario = declared(**LONG)
    trace = Trace(at=np.arange(0.0, 86400.0, 60.0), count=np.full(1440, 6000.0))
    found = load_of(scenario, LoadRequest(seed=1, trace=trace))

    assert workers_needed(scenario, found.turns_per_second) == pytest.approx(15, rel=0.02)


def test_a_trace_at_scale_one_has_every_arrival_that_was_counted() -> None:
    trace = Trace(at=np.array([0.0, 60.0, 120.0]), count=np.array([3.0, 0.0, 5.0]))
    found = load_of(declared(), LoadRequest(seed=1, trace=trace, rate_scale=1))

    assert len(found) == 8
    assert found.seconds == 180


def test_a_trace_that_is_played_faster_has_a_higher_rate() -> None:
    trace = Trace(at=np.sort(np.random.default_rng(1).uniform(0, 1000, 2000)))
    slow = load_of(declared(), LoadRequest(seed=1, trace=trace, rate_scale=1))
    fast = load_of(declared(), LoadRequest(seed=1, trace=trace, rate_scale=1, time_scale=0.5))

    assert fast.turns_per_second == pytest.approx(2 * slow.turns_per_second, rel=0.1)


def test_sessions_of_a_trace_stay_whole_when_it_is_scaled() -> None:
    rng = np.random.default_rng(1)
    session = np.repeat(np.arange(300), 4)
    at = np.repeat(rng.uniform(0, 500, 300), 4) + np.tile([0.0, 20.0, 40.0, 60.0], 300)
    order = np.argsort(at)
    trace = Trace(at=at[order], session=session[order], turn=np.tile(np.arange(4), 300)[order])
    found = load_of(declared(), LoadRequest(seed=1, trace=trace, rate_scale=2.5))

    assert np.median(gaps(found)) == pytest.approx(20)
    assert len(found) == pytest.approx(2.5 * 1200, rel=0.1)


def test_a_scenario_whose_arrivals_are_its_point_takes_no_trace() -> None:
    request = LoadRequest(seed=1, trace=Trace(at=np.array([0.0, 1.0])))
    with pytest.raises(Refused, match="its arrivals are its point"):
        load_of(catalogue.named("diurnal"), request)


def test_drift_and_step_show_in_what_is_touched_after_them() -> None:
    state = {"bytes": "1Mi", "per_turn": 0, "scv": 0, "drift_per_hour": 0.5, "step": {"at": "90m", "factor": 2}}
    found = load(declared(workload={"state": state}, **LONG))
    mib = found.state_bytes / 2**20

    assert mib[found.at < 60].mean() == pytest.approx(1.0, rel=0.02)
    assert mib[(found.at > 3570) & (found.at < 3630)].mean() == pytest.approx(1.5, rel=0.02)
    assert mib[found.at > 7140].mean() == pytest.approx(4.0, rel=0.02)


def test_the_future_knows_how_many_slots_will_be_busy() -> None:
    found = load(declared(**LONG))
    busy = Future(found).activity_slots(600.0)

    assert busy[1:-1].mean() == pytest.approx(4 * 2 * 3, rel=0.1)
    assert Future(found).turns_per_second(600.0).mean() == pytest.approx(found.turns_per_second, rel=0.01)
