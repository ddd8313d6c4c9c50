"""The search: it finds the fewest workers for a cache, and no smaller cache than it considers is worth a change."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from scaler.learn.cache_use import cache_use
from scaler.model.common import Size, TaskType
from scaler.model.estimate import Estimate, Load
from scaler.model.observation import GAP_EDGES_SECONDS, ReplaySeen
from scaler.size.capacity import Asked, workers_needed
from scaler.size.offer import Offers
from scaler.size.search import Search
from tests.support.strategies import ESTIMATE, LOAD, declared

FLEET = declared(workers={"min": 1, "max": 1000}, cache={"min": 10, "max": 2000})
CURRENT = Size(5)  # of a cache that is not known, so that none is cheaper for being there already


@st.composite
def loads(draw: st.DrawFn, task_type: TaskType) -> Load:
    rate = draw(st.just(0.0) | st.floats(0.01, 300.0))
    return replace(
        LOAD,
        task_type=task_type,
        arrivals_per_second=rate,
        margin_per_second=rate * draw(st.floats(0.0, 1.0)),
        service_seconds=draw(st.sampled_from([0.005, 0.1, 3.0])),
        service_scv=draw(st.sampled_from([0.0, 1.0, 4.0])),
        backlog_tasks=draw(st.sampled_from([0, 0, 40, 4000])),
        backlog_growth_per_second=draw(st.sampled_from([0.0, 5.0])),
        slots_per_worker=draw(st.sampled_from([1, 5, 100])),
    )


@st.composite
def uses_of_caches(draw: st.DrawFn) -> ReplaySeen:
    """Runs whose next task comes after about one time, after another, or after any: the first is the LRU's cliff."""
    gaps = [0] * (len(GAP_EDGES_SECONDS) + 1)
    for _ in range(draw(st.integers(1, 4))):
        gaps[draw(st.integers(4, len(gaps) - 2))] += draw(st.integers(30, 300))
    return ReplaySeen(
        hit_samples=100,
        hit_seconds=draw(st.sampled_from([0.002, 0.02])),
        normal_samples=100,
        normal_seconds=draw(st.sampled_from([0.03, 0.4, 3.0])),
        gaps=tuple(gaps),
        closed=draw(st.sampled_from([0, 50])),
    )


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    return replace(
        ESTIMATE,
        loads=(draw(loads(TaskType.WORKFLOW)), draw(loads(TaskType.ACTIVITY))),
        cache=cache_use(draw(uses_of_caches())),
        workflow_cores=draw(st.sampled_from([None, 1.0])),
        start_seconds=draw(st.sampled_from([1.0, 20.0])),
    )


@given(estimates(), st.integers(10, 2000))
def test_the_fewest_workers_are_enough_and_one_less_is_not(estimate: Estimate, cache: int) -> None:
    workers = Search(estimate, FLEET, CURRENT).workers_at(cache)[0]

    assert _enough(estimate, Size(workers, cache))
    assert workers <= 1 or not _enough(estimate, Size(workers - 1, cache))


@given(estimates(), st.integers(10, 2000))
def test_no_smaller_cache_asks_for_fewer_workers_or_costs_less_with_as_many(estimate: Estimate, cache: int) -> None:
    search = Search(estimate, FLEET, CURRENT)
    largest = search.need().safe_cache
    assert largest is not None
    smaller = min(cache, largest)
    workers = search.workers_at(smaller)[0]
    cost, cost_of_largest = (search.predict(Size(workers, each)).cost_per_hour for each in (smaller, largest))

    assert workers >= search.workers_at(largest)[0]
    assert cost is not None
    assert cost_of_largest is not None
    assert cost_of_largest <= cost + 1e-9


def _enough(estimate: Estimate, size: Size) -> bool:
    """Whether neither task type asks for more than these workers, replays of their caches included."""
    offers = Offers(estimate)
    for load in estimate.loads:
        service = offers.service(load, size)
        if service is None:
            continue
        asked = Asked(
            load=load,
            objective_seconds=FLEET.objective_seconds(load.task_type),
            percentile=FLEET.objective.percentile,
            start_seconds=estimate.start_seconds,
        )
        if workers_needed(asked, service)[0] > size.workers:
            return False
    return True
