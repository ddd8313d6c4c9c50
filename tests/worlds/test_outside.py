"""The entry for worlds outside the project: the example of the documentation, and what a world may do to a loop."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scaler.door import Refused
from scaler.model.decision import Mode, Reason
from scaler.model.observation import Observation, Wake
from scaler.simulation.outside import FleetLoop, Levels
from scaler.simulation.told import Exit, Queue, Slots, Target, Told, Worker, WorkerObject

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MIB = 2**20
FLEET: dict[str, Any] = {
    "name": "jobs",
    "target": {"kind": "local", "name": "jobs"},
    "task_queues": [{"name": "jobs"}],
    "workers": {"min": 1, "max": 20},
}


def told(workers: int = 4, memory_bytes: int = 100 * MIB, **changes: Any) -> Told:
    """A calm fleet with a cache of sixty."""
    beat = WorkerObject(
        queue="jobs",
        workflow=Slots(used=0, total=20, done_per_second=1.0),
        activity=Slots(used=2, total=10, done_per_second=1.0),
        cached=30,
    )
    each = tuple(
        Worker(name=f"w-{n}", age_seconds=600, cache=60, memory_bytes=memory_bytes, objects=(beat,))
        for n in range(workers)
    )
    queues = tuple(
        Queue(
            name="jobs",
            type=kind,
            backlog_tasks=0,
            backlog_age_seconds=0.0,
            arrivals_per_second=4.0,
            dispatches_per_second=4.0,
        )
        for kind in ("workflow", "activity")
    )
    target = Target(desired=workers, cache=60, memory_limit_bytes=512 * MIB)
    return Told(**{"target": target, "workers": each, "queues": queues, **changes})


def looked(loop: FleetLoop, seen: Told, now: datetime) -> Observation:
    """The first tick, which only looks."""
    loop.decide(now)
    assert loop.apply(now, desired=seen.target.desired) is None
    assert loop.watch(seen, now)
    assert loop.state.observation is not None
    return loop.state.observation


def test_the_example_of_the_documentation_runs_and_follows_its_load(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"## A world of your own.*?```python\n(.*?)```", ARCHITECTURE.read_text(), re.DOTALL)
    assert example is not None
    names: dict[str, Any] = {}
    exec(compile(example[1], str(ARCHITECTURE), "exec"), names)  # noqa: S102 (it is the documentation that is tested)

    assert 5 <= names["workers"] <= 9
    assert capsys.readouterr().out.startswith("jobs should have")


def test_what_workers_tell_is_joined_to_them_and_summed() -> None:
    seen = looked(FleetLoop(FLEET, NOON), told(), NOON)

    assert [(row.name, row.cached, row.activity_slots_used) for row in seen.workers[:2]] == [
        ("w-0", 30, 2),
        ("w-1", 30, 2),
    ]
    assert sum(total.ready for total in seen.totals) == 4
    assert sum(total.activity_slots for total in seen.totals) == 40


def test_of_a_large_fleet_rows_are_cut_and_totals_are_whole() -> None:
    seen = looked(FleetLoop(FLEET, NOON), told(workers=300), NOON)

    assert len(seen.workers) == 100
    assert sum(total.ready for total in seen.totals) == 300


def _only(worker: Worker) -> Told:
    return Told(target=Target(desired=1), workers=(worker,))


def test_a_worker_whose_beats_ended_does_not_tell_any_more() -> None:
    silent = WorkerObject(queue="jobs", activity=Slots(used=1, total=10), age_seconds=181, interval_seconds=60)
    seen = looked(FleetLoop(FLEET, NOON), _only(Worker(name="w-0", objects=(silent,))), NOON)

    assert seen.workers[0].heartbeat_age_seconds is None


def under_way(loop: FleetLoop) -> datetime:
    """A watch that began at noon on a calm fleet, after a tick that lasted long; returns its time."""
    looked(loop, told(), NOON)
    now = NOON + timedelta(seconds=20)
    loop.decide(now)
    assert loop.apply(now, desired=4) == Levels(workers=4, surge=0, cache=60, replace=(), victims=())
    assert not loop.watch(told(), now)
    return now


def test_an_emergency_ends_the_tick_at_once() -> None:
    loop = FleetLoop(FLEET, NOON)
    now = under_way(loop)

    assert loop.watch(told(memory_bytes=480 * MIB), now)
    assert loop.state.observation is not None
    assert loop.state.observation.woken_by is Wake.EMERGENCY_MEMORY


def test_anything_else_ends_it_from_a_second_on() -> None:
    loop = FleetLoop(FLEET, NOON)
    now = under_way(loop)
    waits = tuple(
        Queue(name="jobs", type=kind, backlog_tasks=9, backlog_age_seconds=3.0) for kind in ("workflow", "activity")
    )

    assert not loop.watch(told(queues=waits), now + timedelta(milliseconds=999))
    assert loop.watch(told(queues=waits), now + timedelta(seconds=1))
    assert loop.state.observation is not None
    assert loop.state.observation.woken_by is Wake.BACKLOG


def test_a_kill_in_the_watch_is_an_emergency_of_the_next_decision() -> None:
    loop = FleetLoop(FLEET, NOON)
    now = under_way(loop) + timedelta(seconds=2)
    killed = Exit(worker="w-1", reason="oom_killed", at=now, cache=60, cached=55)

    assert loop.watch(told(exits=(killed,)), now)
    loop.decide(now)
    assert loop.decision is not None
    assert loop.decision.mode is Mode.EMERGENCY
    assert Reason.OOM_KILL in loop.decision.reasons


def test_a_lost_observation_leaves_the_plan_unconfirmed_and_the_next_one_fenced() -> None:
    loop = FleetLoop(FLEET, NOON)
    now = under_way(loop)
    loop.lose()
    loop.decide(now)

    assert loop.decision is not None
    assert loop.decision.mode is Mode.UNCONFIRMED
    assert loop.record is not None
    before = loop.record.generation
    loop.apply(now, desired=4)
    assert loop.record.generation > before


def test_a_message_of_the_workflow_is_taken_and_the_next_tick_is_a_short_look() -> None:
    loop = FleetLoop(FLEET, NOON)
    now = under_way(loop)
    loop.update("override", now, {"reason": "test", "for": "1h", "workers": 7})
    plan = loop.decide(now)
    assert plan.until == now
    loop.apply(now, desired=4)
    assert loop.watch(told(), now)

    loop.decide(now)
    levels = loop.apply(now, desired=4)
    assert levels is not None
    assert levels.workers == 7


def test_somebody_elses_count_is_not_written_over() -> None:
    loop = FleetLoop(FLEET, NOON)
    now = under_way(loop)
    loop.watch(told(), now + timedelta(seconds=60))
    loop.update("override", now, {"reason": "test", "for": "1h", "workers": 7})
    loop.decide(now)

    assert loop.apply(now, desired=12) is None


def test_what_the_door_refuses_is_refused_here() -> None:
    with pytest.raises(Refused, match=r"workers\.max"):
        FleetLoop({**FLEET, "workers": {"min": 1, "max": 0}}, NOON)
    with pytest.raises(Refused, match="for"):
        FleetLoop(FLEET, NOON).update("override", NOON, {"reason": "test"})


def test_a_fleet_that_is_stopped_is_given_up_once_the_target_says_so() -> None:
    loop = FleetLoop(FLEET, NOON)
    now = under_way(loop)
    loop.update("stop", now)
    for _ in range(2):
        assert not loop.given_up
        loop.decide(now)
        loop.apply(now, desired=4)
        loop.watch(told(), now + timedelta(minutes=1))

    assert loop.given_up
    assert loop.record is not None
    assert loop.record.owner is None
