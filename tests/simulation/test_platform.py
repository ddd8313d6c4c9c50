"""What runs the workers carries out plans as levels, by the product's own record rules, and restarts what crashes."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from scaler.model.common import Generation, Owner, Size
from scaler.model.observation import ExitReason, WorkerState
from scaler.model.plan import Plan, Stamp
from scaler.model.record import RolloutStep, StepOutcome
from scaler.simulation.clock import START, moment
from scaler.simulation.simulated_platform import Platform
from scaler.simulation.worker import Build, Worker
from tests.simulation.worlds import declared

OWNER = Owner("default", "worker-scaler/simulated")


class Told:
    """Remembers what the platform says of its workers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def opened(self, worker: Worker) -> None:
        self.events.append(("opened", worker.name))

    def closed(self, worker: Worker) -> None:
        self.events.append(("closed", worker.name))

    def lost(self, worker: Worker) -> None:
        self.events.append(("lost", worker.name))


def platform(ready: int, **changes: Any) -> tuple[Platform[Worker], Told]:
    start_up = {"time": {"mean": "20s", "scv": 0}}
    scenario = declared(platform={"start_up": start_up, "drain": "60s"} | changes)
    build = Build.of(scenario.platform, scenario.workload)
    made = Platform(scenario, lambda number, cache: Worker(build, number, cache), np.random.default_rng(1))
    told = Told()
    made.begin(told, ready)
    return made, told


def stamp(counter: int) -> Stamp:
    return Stamp(owner=OWNER, generation=Generation(START.timestamp(), counter), wake_from=START)


def claim(made: Platform[Worker]) -> None:
    made.take(Plan(size=None, until=START), stamp(1), 0.0)


def plan(workers: int, cache: int | None = None, **changes: Any) -> Plan:
    return Plan(size=Size(workers, cache), until=START + timedelta(seconds=5), **changes)


def names(made: Platform[Worker], state: WorkerState) -> list[str]:
    return [worker.name for worker in made.of_state(state)]


def test_a_plan_is_refused_until_a_look_has_claimed_the_target() -> None:
    made, _ = platform(2)

    refused = made.take(plan(5), stamp(1), 0.0)
    claim(made)
    applied = made.take(plan(5), stamp(2), 1.0)

    assert refused.applied.outcome is StepOutcome.REFUSED_OWNER
    assert applied.applied.outcome is StepOutcome.APPLIED
    assert len(made.workers) == 5


def test_a_late_plan_of_an_older_generation_changes_nothing() -> None:
    made, _ = platform(2)
    claim(made)
    made.take(plan(5), stamp(3), 1.0)

    late = made.take(plan(1), stamp(2), 2.0)

    assert late.applied.outcome is StepOutcome.REFUSED_GENERATION
    assert made.desired == 5


def test_new_workers_poll_after_their_start_up() -> None:
    made, told = platform(0)
    claim(made)
    made.take(plan(1), stamp(2), 10.0)
    made.advance(29.0)
    before = list(told.events)
    made.advance(30.0)

    assert before == []
    assert told.events == [("opened", "w-1")]


def test_victims_go_first_and_drain() -> None:
    made, told = platform(4)
    claim(made)
    made.take(plan(2, victims=("w-3", "w-1", "w-2", "w-4")), stamp(2), 1.0)

    assert names(made, WorkerState.DRAINING) == ["w-1", "w-3"]
    assert ("closed", "w-3") in told.events


def test_a_drain_that_takes_too_long_ends_in_a_kill() -> None:
    made, told = platform(2)
    claim(made)
    made.take(plan(1), stamp(2), 10.0)
    made.advance(70.0)

    assert [ended.reason for ended in made.exits] == [ExitReason.KILLED]
    assert made.exits[0].at == moment(70.0)
    assert ("lost", "w-2") in told.events


def test_replaced_workers_get_successors_under_the_new_cache() -> None:
    made, _ = platform(2)
    claim(made)
    made.take(plan(2, 50, surge=1, replace=("w-1",), step=RolloutStep.REPLACE), stamp(2), 1.0)

    fresh = [worker for worker in made.workers if worker.state is WorkerState.STARTING]
    assert names(made, WorkerState.DRAINING) == ["w-1"]
    assert [worker.cache for worker in fresh] == [50, 50]


def test_the_same_plan_twice_is_the_same_plan_once() -> None:
    made, _ = platform(3)
    claim(made)
    made.take(plan(5, 50), stamp(2), 1.0)
    workers = list(made.workers)
    made.take(plan(5, 50), stamp(3), 2.0)

    assert made.workers == workers


def test_restarts_back_off_as_the_kubelet_does() -> None:
    """The first at once, then 10 s, 20 s, 40 s … up to 300 s; after ten minutes of running all is forgiven."""
    made, _ = platform(1)
    now, waits = 0.0, []
    for _ in range(8):
        made.kill(made.workers[0], ExitReason.OOM_KILLED, now)
        waits.append(made.due - now)
        now = made.due
        made.advance(now)  # it starts
        now = made.due
        made.advance(now)  # it is ready
    made.kill(made.workers[0], ExitReason.OOM_KILLED, now + 600)

    assert waits == pytest.approx([0, 10, 20, 40, 80, 160, 300, 300])
    assert made.due == now + 600
    assert made.workers[0].restarts == 9


def test_a_restarted_worker_keeps_its_name_and_loses_its_cache() -> None:
    made, _ = platform(1)
    made.workers[0].load(1, 100.0)
    made.kill(made.workers[0], ExitReason.OOM_KILLED, 5.0)

    again = made.workers[0]
    assert (again.name, again.state, len(again.runs)) == ("w-1", WorkerState.RESTARTING, 0)


def test_every_worker_that_exists_is_paid_for() -> None:
    made, _ = platform(2)
    claim(made)
    made.take(plan(3), stamp(2), 100.0)
    made.take(plan(0), stamp(3), 200.0)
    for worker in list(made.workers):
        made.drained(worker, 260.0)

    assert made.worker_seconds(1000.0) == 2 * 100 + 3 * 100 + 2 * 60  # the third was not ready yet and went at once


def test_another_scaler_rolls_a_new_cache_out_a_quarter_at_a_time() -> None:
    made, _ = platform(8)
    made.resize(Size(8, 50), 0.0)
    at_first = (len(names(made, WorkerState.DRAINING)), len(names(made, WorkerState.STARTING)))
    now = 0.0
    while any(worker.cache == 100 for worker in made.workers):
        now += 1.0
        made.advance(now)
        for worker in made.of_state(WorkerState.DRAINING):
            made.drained(worker, now)
        made.roll(now)
        assert sum(worker.serving for worker in made.workers) >= 6

    assert at_first == (2, 4)
    assert len(made.workers) == 8


def test_other_scalers_are_held_to_the_bounds() -> None:
    made, _ = platform(2, workers={"min": 1, "max": 5})
    made.resize(Size(50), 0.0)

    assert made.desired == 5
