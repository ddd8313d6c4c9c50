"""A worker that runs its workflow tasks step by step: what it replays, and for how long anybody waits for it."""

from scaler.model.common import TaskType
from scaler.simulation.fluid import SteppedWorker
from scaler.simulation.run import Mode
from scaler.simulation.scenario import Platform, Workload
from scaler.simulation.worker import Build
from tests.simulation.worlds import declared, run_for, world


def stepped(cache: int = 100) -> SteppedWorker:
    return SteppedWorker(Build.of(Platform(), Workload()), 1, cache)


def test_a_replay_is_given_up_once_and_goes_on_all_the_same() -> None:
    one = stepped()
    one.take_replay(7, seconds=60, now=0.0)
    one.take_replay(8, seconds=1, now=5.0)

    assert one.given_up(9.0, 10) == []
    assert one.given_up(10.0, 10) == [7]
    assert one.given_up(11.0, 10) == []
    assert one.given_up(15.0, 10) == [8]
    assert len(one.replaying) == 2


def test_a_replay_that_began_later_is_given_up_later_also_when_an_earlier_one_has_ended() -> None:
    one = stepped()
    one.take_replay(7, seconds=0.5, now=0.0)
    one.take_replay(8, seconds=60, now=4.0)
    ended = one.work(2.0)

    assert ended == [7]
    assert one.given_up(13.0, 10) == []
    assert one.given_up(14.0, 10) == [8]


def test_tasks_that_found_nobody_with_room_are_taken_as_soon_as_there_is_some() -> None:
    """Two slots for each worker and replays of seconds: the queue grows, and drains when nobody comes any more."""
    scenario = declared(
        arrivals={
            "kind": "flash_crowd",
            "turns_per_second": 0.05,
            "factor": 100,
            "at": "1m",
            "rise": "1s",
            "hold": "5s",
        },
        platform={"slots": {"workflow": 2, "activity": 10}},
        workload={"replay": {"cpu": "0.7s"}, "sessions": {"turns": 6, "gap": {"mean": "300s"}, "patience": "1h"}},
        start={"workers": 2, "cache": 10},
    )
    running = world(scenario, Mode.STEPS)
    most = 0
    while running.now < 600:
        run_for(running, 10)
        most = max(most, running.figures(TaskType.WORKFLOW).waiting)

    assert most > 5
    assert running.figures(TaskType.WORKFLOW).waiting == 0
    assert running.tally.answered > 30
