"""What one worker offers to workflow tasks, by literal values."""

from dataclasses import replace

import pytest

from scaler.model.common import Size, TaskType
from scaler.size.offer import Offers
from tests.support.strategies import ESTIMATE, LOAD

TASKS = replace(LOAD, task_type=TaskType.WORKFLOW, arrivals_per_second=1.0, service_seconds=0.01, slots_per_worker=100)


@pytest.mark.parametrize(
    ("cache", "slots"),
    [(None, 100.0), (1000, 100.0), (30, 26.0), (5, 1.0), (4, 1.0)],
    ids=["not decided", "large", "four are held by polls", "one is left", "one in any case"],
)
def test_a_small_cache_holds_workflow_tasks_back(cache: int | None, slots: float) -> None:
    service = Offers(replace(ESTIMATE, loads=(TASKS,))).service(TASKS, Size(2, cache))

    assert service is not None
    assert service.slots == slots
