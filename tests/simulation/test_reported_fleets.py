"""Situations that people reported of their autoscalers, played to the production decision second by second."""

from collections.abc import Callable
from random import Random

from scaler.model.common import TaskType
from scaler.model.decision import Mode, Reason
from tests.support.lab.loop import Lab
from tests.support.lab.sight import Sight
from tests.support.lab.world import LabWorker, LabWorld, Queue

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


def test_workers_are_taken_to_do_what_they_were_seen_to_do() -> None:
    """Each worker begins five a second at most, whatever its ten slots of 0.2 s allow: of 30 a second six just can.

    Until that is seen, how far the count falls is chance: of the late tasks the mean over three lives counts.
    """
    late = [_late_share_at_five_a_second(seed) for seed in (5, 6, 7)]

    assert sum(late) / len(late) <= 0.03


def _late_share_at_five_a_second(seed: int) -> float:
    queue = Queue("billing", _binomial(100, 0.3), lambda chance: chance.expovariate(1 / 0.2), worker_rate=5)
    counts: list[int] = []

    def count(world: LabWorld) -> None:
        counts.append(sum(worker.drain_by is None for worker in world.workers))

    Lab.of(_activities("billing", least=1, most=20), [queue], 8, each=count, seed=seed).run(3600)

    held = counts[len(counts) // 2 :]
    assert min(held) >= 7
    assert max(held) <= 10
    return queue.late / queue.came


def test_where_no_poll_is_answered_workers_are_tried_one_at_a_time() -> None:
    """From the tenth minute on workers start, beat and stay idle, and two tasks a second wait."""
    worlds: list[LabWorld] = []
    queue = Queue(
        "main",
        _binomial(4, 0.5),
        lambda chance: chance.expovariate(1 / 2),
        taken_by=lambda _: worlds[0].second < 720,
    )
    lab = Lab.of(_activities("main", least=1, most=40), [queue], 2)
    worlds.append(lab.world)
    lab.run(3600)

    assert lab.most_workers <= 4
    assert all(move.after - move.before <= 1 for move in lab.moves_between(780, 3720))
    late = [each for second, each in lab.decisions if second > 780]
    assert {each.mode for each in late} == {Mode.LATE}
    assert Reason.WAITS_BESIDE_FREE_SLOTS in late[-1].reasons
    told = lab.explain()
    assert "free slots" in told
    assert "the workers' pollers may be gone" in told


def test_workers_whose_pollers_died_are_named() -> None:
    """Every worker stops polling ten minutes after its start, with 14 of 15 slots free; it lives on and beats."""
    worlds: list[LabWorld] = []

    def polls(worker: LabWorker) -> bool:
        return worlds[0].second < 600 or worlds[0].second - worker.ready_at < 600

    queue = Queue("main", _binomial(1, 1.0), lambda chance: chance.expovariate(1 / 5), slots=15, taken_by=polls)
    lab = Lab.of(_activities("main", least=1, most=10), [queue], 2)
    worlds.append(lab.world)
    lab.run(4200)

    assert lab.most_workers <= 6
    assert queue.late <= 0.12 * queue.came
    found = [each for _, each in lab.decisions if Reason.WAITS_BESIDE_FREE_SLOTS in each.reasons]
    assert found
    assert any(each.taking_nothing for each in found)


def _fleet(name: str, least: int, most: int) -> dict[str, object]:
    return {"name": name, "target": {"kind": "local", "name": name}, "workers": {"min": least, "max": most}}


def _activities(name: str, least: int, most: int) -> dict[str, object]:
    return {**_fleet(name, least, most), "task_queues": [{"name": name, "types": ["activity"]}]}


def _binomial(trials: int, chance_of_each: float) -> Arrivals:
    return lambda _, chance: sum(chance.random() < chance_of_each for _ in range(trials))
