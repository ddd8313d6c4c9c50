"""Each end of a worker counts once, whatever times its platform gives it and whenever it reports it."""

from dataclasses import replace
from datetime import timedelta

from scaler.learn.learning import EXITS_COUNTED, learn
from scaler.model.observation import ExitReason, Observation, WorkerExit
from scaler.model.remembered import Remembered
from tests.support.states import NOW, fleet, observation

AT = NOW - timedelta(seconds=4)
KILL = WorkerExit(worker="pod-a", reason=ExitReason.OOM_KILLED, at=AT, cache=120, process="0")


def seen(seconds: int, *exits: WorkerExit) -> Observation:
    return replace(observation(), observed_at=NOW + timedelta(seconds=seconds), exits=exits)


def kills(memory: Remembered, seconds: int, *exits: WorkerExit) -> tuple[list[str], Remembered]:
    """The workers whose end is new in one observation more."""
    estimate, memory = learn(seen(seconds, *exits), fleet(), memory, NOW + timedelta(seconds=seconds))
    return [ended.worker for ended in estimate.new_oom_kills], memory


def test_two_kills_within_one_second_are_two() -> None:
    first, memory = kills(Remembered(), 0, KILL)
    second, memory = kills(memory, 5, KILL, replace(KILL, worker="pod-b"))
    third, _ = kills(memory, 10, KILL, replace(KILL, worker="pod-b"))

    assert (first, second, third) == (["pod-a"], ["pod-b"], [])


def test_two_ends_of_one_worker_within_one_second_are_two() -> None:
    _, memory = kills(Remembered(), 0, KILL)
    again, _ = kills(memory, 5, KILL, replace(KILL, process="1"))

    assert again == ["pod-a"]


def test_an_end_that_is_reported_late_is_new_all_the_same() -> None:
    later = [replace(KILL, worker=f"pod-{number}", at=AT + timedelta(seconds=number)) for number in range(10)]
    _, memory = kills(Remembered(), 20, *later)
    late, _ = kills(memory, 25, replace(KILL, worker="late", at=AT - timedelta(seconds=30)), *later)

    assert late == ["late"]


def test_an_end_whose_time_its_platform_corrects_is_the_same_end() -> None:
    _, memory = kills(Remembered(), 0, KILL)
    corrected, _ = kills(memory, 5, replace(KILL, at=AT + timedelta(seconds=1)))

    assert corrected == []


def test_of_a_crash_loop_as_many_are_remembered_as_are_told_lately_and_none_counts_twice() -> None:
    loop = [replace(KILL, process=str(number), at=AT + timedelta(seconds=number)) for number in range(60)]
    first, memory = kills(Remembered(), 60, *loop)
    again, memory = kills(memory, 65, *loop)
    one_more, _ = kills(memory, 70, *loop, replace(KILL, process="60", at=AT + timedelta(seconds=61)))

    assert len(first) == 60
    assert (again, one_more) == ([], ["pod-a"])
    assert len(memory.exits_counted) == EXITS_COUNTED


def test_a_look_that_tells_of_no_ends_forgets_none() -> None:
    _, memory = kills(Remembered(), 0, KILL)
    _, memory = kills(memory, 5)

    assert kills(memory, 10, KILL)[0] == []


def test_what_a_version_remembered_that_knew_ends_by_their_times_counts_no_end_twice() -> None:
    before = Remembered(exits_known=(AT,))
    known, memory = kills(before, 0, KILL)
    new, _ = kills(memory, 5, KILL, replace(KILL, worker="pod-b"))

    assert (known, new) == ([], ["pod-b"])
