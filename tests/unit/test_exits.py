"""The end of a worker counts once, however often and in whatever company it is told."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from scaler.learn.learning import EXITS_KNOWN, learn
from scaler.model.common import Size
from scaler.model.observation import ExitReason, Observation, ReplaySeen, WorkerExit
from scaler.model.remembered import Remembered
from tests.support.plausible import Life
from tests.support.strategies import NOW, declared

FLEET = declared()


def _died(seconds_ago: float, reason: ExitReason = ExitReason.OOM_KILLED) -> WorkerExit:
    return WorkerExit(worker=f"w-{seconds_ago}", reason=reason, at=NOW - timedelta(seconds=seconds_ago))


def _seen(exits: Iterable[WorkerExit]) -> Observation:
    return replace(Life(FLEET, Size(4, 100), 2**20, ReplaySeen()).observe(5.0, 0.5), exits=tuple(exits))


def _kills(exits: Iterable[WorkerExit], memory: Remembered) -> tuple[int, Remembered]:
    estimate, memory = learn(_seen(exits), FLEET, memory, NOW)
    return len(estimate.new_oom_kills), memory


def test_a_kill_counts_once() -> None:
    first, memory = _kills([_died(30)], Remembered())
    second, memory = _kills([_died(30)], memory)
    third, _ = _kills([_died(30), _died(10)], memory)

    assert (first, second, third) == (1, 0, 1)


def test_a_kill_that_is_told_later_than_another_counts() -> None:
    _, memory = _kills([_died(10)], Remembered())

    assert _kills([_died(12), _died(10)], memory)[0] == 1


def test_a_target_that_could_not_be_read_makes_no_kill_new() -> None:
    _, memory = _kills([_died(30)], Remembered())
    _, memory = _kills([], memory)

    assert _kills([_died(30)], memory)[0] == 0


def test_more_kills_than_are_remembered_do_not_count_again() -> None:
    kills = [_died(seconds) for seconds in range(3 * EXITS_KNOWN, 0, -1)]
    first, memory = _kills(kills, Remembered())

    assert first == len(kills)
    assert _kills(kills, memory)[0] == 0
    assert _kills([*kills, _died(0)], memory)[0] == 1


def test_workers_that_were_asked_to_go_push_no_kill_out() -> None:
    drained = [_died(seconds, ExitReason.DRAINED) for seconds in range(100)]
    _, memory = _kills([_died(200)], Remembered())
    _, memory = _kills([_died(200), *drained], memory)

    assert _kills([_died(200), *drained], memory)[0] == 0
