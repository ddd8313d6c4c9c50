"""Situations that people reported of their autoscalers, played to the production decision second by second."""

from collections.abc import Callable
from random import Random

from scaler.model.common import TaskType
from tests.support.lab.loop import Lab
from tests.support.lab.sight import Sight
from tests.support.lab.world import LabWorld, Queue

Arrivals = Callable[[int, Random], int]


def test_a_schedule_window_holds_its_count_without_a_change_and_is_left_in_steps() -> None:
    queue = Queue(
        "foo", lambda _, chance: int(chance.random() < 0.9), lambda chance: chance.expovariate(1 / 30), slots=8
    )
    fleet = {
        **_activities("foo", least=0, most=56),
        "schedule": [{"start": "03:00", "end": "12:30", "min": 45}],
    }
    lab = Lab.of(fleet, [queue], 50).run(3000)

    assert lab.moves_between(600, 1800) == []
    assert lab.desired <= 20  # its activities may outlast a drain of a minute, so only idle workers go
    assert queue.lost == 0


def test_a_crash_loop_by_replays_is_waited_out() -> None:
    """Each worker ends 40 s after it began to poll, for ten minutes: no worker goes, and few are added."""
    activities = Queue("evals", _binomial(10, 0.4), lambda chance: chance.expovariate(1 / 5))
    workflow_tasks = Queue(
        "evals", _binomial(10, 0.4), lambda chance: chance.uniform(0.05, 0.4), slots=20, task_type=TaskType.WORKFLOW
    )
    fleet = {**_fleet("evals", least=2, most=20), "task_queues": [{"name": "evals"}]}

    def crash_loop(world: LabWorld) -> None:
        for worker in world.workers if 900 <= world.second < 1500 else []:
            served = world.second - worker.ready_at >= 40 and (worker.back_at or 0) <= world.second
            if served and worker.drain_by is None:
                world.crash(worker, 10)

    lab = Lab.of(fleet, [workflow_tasks, activities], 6, Sight(sdk="temporal-python"), cache=200, each=crash_loop).run(
        2400
    )

    during = lab.moves_between(900, 1560)
    assert all(move.after > move.before for move in during)
    assert max((move.after for move in during), default=6) <= 12
    caches = {each.size.cache for second, each in lab.decisions if 900 <= second <= 1560 and each.size is not None}
    assert len(caches) == 1


def _fleet(name: str, least: int, most: int) -> dict[str, object]:
    return {"name": name, "target": {"kind": "local", "name": name}, "workers": {"min": least, "max": most}}


def _activities(name: str, least: int, most: int) -> dict[str, object]:
    return {**_fleet(name, least, most), "task_queues": [{"name": name, "types": ["activity"]}]}


def _binomial(trials: int, chance_of_each: float) -> Arrivals:
    return lambda _, chance: sum(chance.random() < chance_of_each for _ in range(trials))
