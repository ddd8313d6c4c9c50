"""Rows as columns: small on the wire, and read whatever version wrote them."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from pydantic import TypeAdapter

from scaler.model.common import Generation
from scaler.model.observation import Observation, TargetSeen, WorkerSeen, WorkerState
from scaler.model.record import Applied, StepOutcome
from tests.support.strategies import observations

OBSERVATIONS = TypeAdapter(Observation)
LARGEST_OBSERVATION_BYTES = 20 * 1024


def hundred_workers() -> Observation:
    worker = WorkerSeen(
        name="agents-7d9f8b6c5d-x2x4z",
        state=WorkerState.READY,
        age_seconds=123456.789,
        cache=1000,
        version="7d9f8b6c5d",
        restarts=3,
        memory_bytes=1234567890,
        memory_peak_bytes=1334567890,
        memory_age_seconds=12.345,
        heartbeat_age_seconds=45.678,
        caches=2,
        cached=1997,
        workflow_slots=100,
        workflow_slots_used=37,
        activity_slots=100,
        activity_slots_used=86,
        workflow_tasks_per_second=123.456,
        activities_per_second=12.345,
        cache_hits_per_second=120.125,
        cache_misses_per_second=3.375,
    )
    return Observation(
        observed_at=datetime(2026, 11, 21, tzinfo=UTC),
        found=None,
        applied=Applied(generation=Generation(1.0, 1), outcome=StepOutcome.LOOKED),
        target=TargetSeen(),
        workers=(worker,) * 100,
    )


def test_a_hundred_workers_fit_beside_a_plan() -> None:
    assert len(OBSERVATIONS.dump_json(hundred_workers())) <= LARGEST_OBSERVATION_BYTES


@given(observations())
def test_an_observation_survives_its_own_json(seen: Observation) -> None:
    read = OBSERVATIONS.validate_json(OBSERVATIONS.dump_json(seen))

    assert [worker.name for worker in read.workers] == [worker.name for worker in seen.workers]
    assert [worker.memory_bytes for worker in read.workers] == [worker.memory_bytes for worker in seen.workers]
    assert read.queues == seen.queues
    assert read.exits == seen.exits


def test_what_a_later_version_wrote_is_read() -> None:
    written = json.loads(OBSERVATIONS.dump_json(hundred_workers()))
    written["workers"]["aura"] = ["blue"] * 100
    written["workers"]["state"] = ["hibernating"] * 100
    del written["workers"]["restarts"]
    written["weather"] = "fine"
    written["applied"]["outcome"] = "postponed"

    read = OBSERVATIONS.validate_json(json.dumps(written))

    assert read.applied.outcome is StepOutcome.UNKNOWN
    assert {worker.state for worker in read.workers} == {WorkerState.UNKNOWN}
    assert {worker.restarts for worker in read.workers} == {0}


def test_marks_stand_one_after_another_and_come_back() -> None:
    rows = tuple(WorkerSeen(name=f"w-{number}", known_as=known) for number, known in enumerate(("a1b2", "", "00ff")))
    seen = replace(hundred_workers(), workers=rows)
    written = OBSERVATIONS.dump_json(seen)

    assert json.loads(written)["workers"]["known_as"] == {"joined": "a1b2    00ff"}
    assert [row.known_as for row in OBSERVATIONS.validate_json(written).workers] == ["a1b2", "", "00ff"]
