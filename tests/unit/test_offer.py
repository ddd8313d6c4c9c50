"""What one worker offers to workflow tasks, by literal values."""

from dataclasses import replace

import pytest

from scaler.model.common import Quality, Size, TaskType
from scaler.model.estimate import CacheUse, Corner, Estimate, MemoryUse
from scaler.size.offer import Offers
from tests.support.strategies import LOAD, NOW

TASKS = replace(LOAD, task_type=TaskType.WORKFLOW, arrivals_per_second=1.0, service_seconds=0.01, slots_per_worker=100)
MEMORY = MemoryUse(
    corners=(Corner(0, 0),),
    slope_bytes=1.0,
    largest_cached=0,
    caches=1,
    limit_bytes=None,
    fullest_bytes=None,
    soonest_bytes=None,
    quality=Quality.FRESH,
    measured=False,
)
ESTIMATE = Estimate(
    at=NOW,
    loads=(TASKS,),
    memory=MEMORY,
    cache=CacheUse(hit_seconds=None, replay_seconds=None),
    workflow_cores=None,
    start_seconds=1.0,
    answered_until=None,
    schedule_floor=0,
    ready=1,
    starting=0,
    restarting=0,
    new_oom_kills=(),
    new_crashes=0,
)


@pytest.mark.parametrize(
    ("cache", "slots"),
    [(None, 100.0), (1000, 100.0), (30, 26.0), (5, 1.0), (4, 1.0)],
    ids=["not decided", "large", "four are held by polls", "one is left", "one in any case"],
)
def test_a_small_cache_holds_workflow_tasks_back(cache: int | None, slots: float) -> None:
    service = Offers(ESTIMATE).service(TASKS, Size(2, cache))

    assert service is not None
    assert service.slots == slots
