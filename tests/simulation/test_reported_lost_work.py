"""Jobs of hours that people lost to their autoscalers, played to the production decision second by second."""

from random import Random

from tests.support.lab.loop import Lab
from tests.support.lab.world import Queue

HOUR = 3600.0


def test_of_workers_with_a_job_of_hours_on_nearly_each_none_that_has_one_is_taken_away() -> None:
    """Five jobs on three of five workers of five slots: they would fit on one, but they run where they run."""
    jobs = {5 + 7 * number for number in range(5)}
    queue = Queue("jobs", lambda second, _: int(second in jobs), lambda chance: chance.uniform(5400, 9000), slots=5)

    lab = Lab.of(_activities("jobs", most=5), [queue], 5, seed=3).run(HOUR)

    assert queue.lost == 0
    assert lab.desired == sum(bool(worker.running) for worker in lab.world.workers) == 3
    assert "It has 3 workers because 3 workers may run tasks that outlast their drain of 1m." in lab.explain()


def test_jobs_that_end_within_a_drain_of_hours_need_not_be_waited_for() -> None:
    queue = Queue("jobs", lambda second, _: int(second in (5, 400)), lambda _: 300.0, slots=5)

    lab = Lab.of(_activities("jobs", most=5) | {"behaviour": {"drain": "3h"}}, [queue], 5, seed=3).run(900)

    assert queue.lost == 0
    assert lab.moves_between(240, 400)
    assert lab.desired <= 2


def test_workers_without_heartbeats_keep_the_jobs_that_histories_do_not_show() -> None:
    """Eleven jobs of two hours among short activities; histories show only what has ended."""
    queue = _mixed()

    lab = Lab.of(_silent(), [queue], 6, seed=5, beat_seconds=1e9).run(2400)

    assert queue.lost == 0
    assert lab.desired == 6
    assert lab.moves == []
    assert "6 workers may run tasks that outlast their drain of 1m" in lab.explain()


def test_workers_with_heartbeats_keep_the_same_jobs() -> None:
    queue = _mixed()

    Lab.of(_silent(), [queue], 6, seed=5).run(2400)

    assert queue.lost == 0


def _mixed() -> Queue:
    """Short activities, and jobs of two hours in the first minute."""
    jobs, now = set(range(10, 70, 5)), [0]

    def arrivals(second: int, chance: Random) -> int:
        now[0] = second
        return int(chance.random() < 0.9) + int(second in jobs)

    def service(chance: Random) -> float:
        return 7200.0 if now[0] in jobs and chance.random() < 0.6 else chance.expovariate(1 / 2)

    return Queue("mix", arrivals, service)


def _silent() -> dict[str, object]:
    return _activities("mix", most=8) | {"workers": {"min": 1, "max": 8, "slots": {"activity": 10}}}


def _activities(name: str, most: int) -> dict[str, object]:
    return {
        "name": name,
        "target": {"kind": "local", "name": name},
        "workers": {"min": 1, "max": most},
        "task_queues": [{"name": name, "types": ["activity"]}],
    }
