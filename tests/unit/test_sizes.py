"""What goes over the wire on every tick, and along into every run, stays small for a fleet of a hundred workers.

The figures have all their digits, names are as long as Kubernetes makes them, and the hour is an eventful one: load
and memory swing, workers crash, sizes change.
"""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from scaler.decide import decide
from scaler.door import read_fleet
from scaler.fleet import Fleet
from scaler.interventions import overridden, paused
from scaler.model.common import Generation, Owner, Quality, Size, TaskType, mark
from scaler.model.observation import (
    GAP_EDGES_SECONDS,
    ExitReason,
    Fault,
    Observation,
    QueueSeen,
    QueueSlots,
    ReplaySeen,
    ScheduleSeen,
    TargetSeen,
    TaskTimesSeen,
    Wake,
    WorkerExit,
    WorkerSeen,
    WorkerState,
    WorkerTotals,
)
from scaler.model.plan import Plan
from scaler.model.record import Applied, CacheCut, RolloutStep, StepOutcome, TargetRecord
from scaler.model.remembered import Override, Pause, Remembered
from scaler.state import State
from workflows.messages import LONGEST_REASON
from workflows.payloads import DATA_CONVERTER

KIB = 1024
LARGEST_TICK = {1: 24 * KIB, 3: 24 * KIB, 8: 32 * KIB}
LARGEST_MEMORY = {1: 4 * KIB, 3: 8 * KIB, 8: 16 * KIB}
LARGEST_STATE = {1: 32 * KIB, 3: 40 * KIB, 8: 48 * KIB}
PARTS = ("main", "tools", "documents", "search", "payments", "reports", "imports", "exports")

NOW = datetime(2026, 11, 21, 12, 0, 0, 123457, tzinfo=UTC)
TICK = timedelta(seconds=15, microseconds=4321)
TICKS = 240
WORKERS = 100
LIMIT_BYTES = 2 * 2**30
KINDS = (TaskType.WORKFLOW, TaskType.ACTIVITY)
REASON = "the quarterly sale begins on Monday at nine; ask the on-call of the conversations team first, " * 2


def declared(queues: int) -> Fleet:
    """A fleet with every part declared."""
    return read_fleet(
        {
            "name": "conversations-production-europe-west",
            "target": {
                "kind": "kubernetes",
                "name": "conversations-worker-production",
                "namespace": "conversations-production",
                "container": "worker",
            },
            "temporal": {"connection": "production", "namespace": "conversations-production.a1b2c"},
            "task_queues": [{"name": f"conversations-production-{part}"} for part in PARTS[:queues]],
            "workers": {
                "min": 20,
                "max": 100,
                "reserve": 2,
                "slots": {"workflow": 100, "activity": 100},
                "price": 0.34,
            },
            "cache": {"min": 50, "max": 5000, "delivery": "configmap", "configmap": {"name": "cache", "key": "size"}},
            "memory": {"limit": "2Gi", "headroom": 0.2},
            "objective": {"percentile": 99.5, "workflow_task": "150ms", "activity": "750ms"},
            "limits": {"connections": 2000, "per_worker": 20},
            "signals": {"history_queues": ["conversations-production-main"]},
            "schedule": [
                {"days": ["mon", "tue"], "start": "08:30", "end": "19:15", "zone": "Europe/Berlin", "min": 40},
                {"days": ["sat", "sun"], "start": "10:00", "end": "16:00", "zone": "Europe/Berlin", "min": 30},
            ],
        }
    )


class Hour:
    """What an eventful hour looks like from outside, tick by tick."""

    def __init__(self, queues: int) -> None:
        self.queues = tuple(f"conversations-production-{part}" for part in PARTS[:queues])
        self.now = NOW
        self.size = Size(WORKERS, 1000)
        self.cut: CacheCut | None = None

    def observation(self, generation: Generation) -> Observation:
        """As wide as it gets, with figures that differ from worker to worker and from tick to tick."""
        self.now += TICK
        swing = 0.5 + 0.4999 * math.sin(generation.counter / 17.3)
        rows = tuple(self._worker(number, swing) for number in range(WORKERS))
        record = TargetRecord(
            owner=Owner("conversations-production.a1b2c", "worker-scaler/conversations-production-europe-west"),
            generation=generation,
            intended=self.size,
            previous=Size(self.size.workers - 1, self.size.cache),
            step=RolloutStep.REPLACE,
            surge=25,
            cut=CacheCut(self.now - timedelta(minutes=3), 97),
        )
        return Observation(
            observed_at=self.now,
            found=record,
            applied=Applied(generation=record.generation, outcome=StepOutcome.APPLIED, record=record),
            target=TargetSeen(
                at=self.now,
                quality=Quality.FRESH,
                desired=self.size.workers,
                cache=self.size.cache,
                memory_limit_bytes=LIMIT_BYTES,
                version="7d9f8b6c5d",
                unschedulable=2,
                unschedulable_reason="0/61 nodes are available: 61 Insufficient memory. preemption: no victims found",
            ),
            queues=tuple(self._queue(name, kind, swing) for name in self.queues for kind in KINDS),
            task_times=tuple(self._times(name, kind, swing) for name in self.queues for kind in KINDS),
            replay=self._replay(generation.counter),
            workers=rows,
            totals=(self._total(rows, self.size.cache),),
            slots=tuple(self._slots(name, kind) for name in self.queues for kind in KINDS),
            exits=tuple(self._exit(number) for number in range(10)),
            strangers=tuple(f"{number}@conversations-debug-{number}.internal" for number in range(5)),
            workflow_cores=1.0,
            schedule=ScheduleSeen(40, self.now + timedelta(hours=3)),
            faults=(
                Fault("worker heartbeats of conversations-production-main", "UNAVAILABLE: connection reset by peer"),
                Fault("histories", "RESOURCE_EXHAUSTED: namespace rate limit exceeded, asking again in 32 s"),
            ),
            woken_by=Wake.EMERGENCY_MEMORY,
        )

    def _worker(self, number: int, swing: float) -> WorkerSeen:
        used = LIMIT_BYTES * (0.4 + 0.45 * swing) * (1 - number / 150)
        return WorkerSeen(
            name=f"conversations-api-7d9f8b6c5d-x{number:02}kz",
            state=WorkerState.READY if number % 10 else WorkerState.RESTARTING,
            age_seconds=123456.789 + number,
            cache=self.size.cache,
            version="7d9f8b6c5d",
            restarts=number % 7,
            started_in_seconds=12.345 + number / 7,
            memory_bytes=int(used),
            memory_peak_bytes=int(used * 1.0123),
            memory_age_seconds=12.345 + number / 7,
            heartbeat_age_seconds=5.678 + number / 7,
            caches=2,
            cached=int(1000 * swing) + number,
            workflow_slots=100,
            workflow_slots_used=number % 100,
            activity_slots=100,
            activity_slots_used=int(99 * swing),
            workflow_tasks_per_second=123.456 + number / 7,
            activities_per_second=12.345 * swing + number / 7,
            cache_hits_per_second=120.125 + number / 7,
            cache_misses_per_second=3.375 + number / 7,
            known_as=mark(f"{number}@conversations")[:4],
        )

    def _queue(self, name: str, kind: TaskType, swing: float) -> QueueSeen:
        return QueueSeen(
            at=self.now,
            quality=Quality.FRESH,
            queue=name,
            task_type=kind,
            backlog_tasks=int(12345 * swing),
            backlog_age_seconds=12.345678 * swing,
            arrivals_per_second=1234.5678 * swing,
            dispatches_per_second=1123.4567 * swing,
            rate_limited=False,
        )

    def _slots(self, name: str, kind: TaskType) -> QueueSlots:
        return QueueSlots(
            queue=name,
            task_type=kind,
            beating=90,
            sized=90,
            slots=9000,
            used=4567 + self.now.second,
            done_per_second=1234.5678 + self.now.second,
            settled_used=4321 + self.now.second,
            settled_done_per_second=1123.4567 + self.now.second,
        )

    def _times(self, name: str, kind: TaskType, swing: float) -> TaskTimesSeen:
        return TaskTimesSeen(
            at=self.now,
            quality=Quality.FRESH,
            queue=name,
            task_type=kind,
            samples=1234,
            schedule_to_start_seconds=1.2345678 * swing,
            service_mean_seconds=2.3456789,
            service_scv=1.2345678,
        )

    def _replay(self, tick: int) -> ReplaySeen:
        buckets = tuple(1234 + tick + number for number in range(len(GAP_EDGES_SECONDS) + 1))
        return ReplaySeen(
            at=self.now,
            quality=Quality.FRESH,
            sticky_samples=1234,
            sticky_seconds=0.0123456,
            hit_samples=123,
            hit_seconds=0.0012345,
            slow_samples=123,
            slow_seconds=0.1234567,
            normal_samples=123,
            normal_seconds=0.1234567,
            events=1234.5678,
            gaps=buckets,
            silences=buckets,
            closed=1234,
        )

    def _total(self, rows: tuple[WorkerSeen, ...], cache: int | None) -> WorkerTotals:
        return WorkerTotals(
            cache=cache,
            version="7d9f8b6c5d",
            workers=len(rows),
            ready=90,
            restarting=10,
            memory_bytes=sum(row.memory_bytes or 0 for row in rows),
            memory_max_bytes=max(row.memory_bytes or 0 for row in rows),
            beating=90,
            cached=123456,
            workflow_slots=9000,
            workflow_slots_used=4567,
            activity_slots=9000,
            activity_slots_used=8765,
            workflow_tasks_per_second=12345.678,
            activities_per_second=1234.5678,
            cache_hits_per_second=12012.345,
            cache_misses_per_second=337.5123,
        )

    def _exit(self, number: int) -> WorkerExit:
        return WorkerExit(
            worker=f"conversations-api-7d9f8b6c5d-x{number:02}kz",
            reason=ExitReason.OOM_KILLED,
            at=self.now - timedelta(seconds=31.234567 * number),
            process=f"{int(self.now.timestamp()) % 1000}",
            cache=1000,
            cached=1997,
            memory_bytes=LIMIT_BYTES,
        )


@pytest.fixture(scope="module", params=[1, 3, 8], ids=["one queue", "three queues", "eight queues"])
def queues(request: pytest.FixtureRequest) -> int:
    """How many task queues the fleet polls, each for both types of task."""
    count: int = request.param
    return count


@pytest.fixture(scope="module")
def states(queues: int) -> tuple[State, ...]:
    """The fleet's state after each tick of the hour, with a plan that was not echoed yet."""
    hour = Hour(queues)
    until = NOW + timedelta(days=1)
    memory = paused(Remembered(), Pause(reason=REASON[:LONGEST_REASON], since=NOW, until=NOW + timedelta(minutes=5)))
    memory = overridden(memory, Override(reason=REASON[:LONGEST_REASON], until=until, workers=99, cache=1234), NOW)
    state = State(fleet=declared(queues), generation=Generation(NOW.timestamp(), 0), host="a-host", memory=memory)
    found = []
    for _ in range(TICKS):
        seen = hour.observation(state.generation)
        state = state.saw(seen)
        decision, memory = decide(seen, state.fleet, state.memory, hour.now)
        state = state.decided(decision, memory)
        plan = _widest(decision.plan, seen)
        state = state.sent(plan, hour.now)
        hour.size = plan.size or hour.size
        found.append(state)
    return tuple(found)


def _widest(plan: Plan, seen: Observation) -> Plan:
    """A quarter of the fleet to be replaced, a fifth to go first if any must: as much as one step may name."""
    names = tuple(row.name for row in seen.workers)
    return replace(plan, replace=plan.replace or names[:25], victims=plan.victims or names[-20:])


def size_of(value: Any) -> int:
    """Bytes on the wire, as production writes them."""
    return len(DATA_CONVERTER.payload_converter.to_payload(value).data)


def test_the_hour_is_eventful(states: tuple[State, ...]) -> None:
    last = states[-1]

    assert len({(line.mode, line.size) for state in states for line in state.decisions}) > 3
    assert last.memory.worker.points
    assert last.memory.exits_known
    assert last.memory.exits_counted
    assert last.memory.recommendations


def test_an_observation_and_a_plan_of_a_hundred_workers_fit_into_24_kib(states: tuple[State, ...], queues: int) -> None:
    assert max(size_of(state.observation) + size_of(state.plan) for state in states) <= LARGEST_TICK[queues]


def test_what_a_fleet_remembers_fits_into_4_kib_and_into_16_with_eight_queues(
    states: tuple[State, ...], queues: int
) -> None:
    assert max(size_of(state.memory) for state in states) <= LARGEST_MEMORY[queues]


def test_a_state_of_a_hundred_workers_fits_into_32_kib_and_into_48_with_eight_queues(
    states: tuple[State, ...], queues: int
) -> None:
    assert max(size_of(state) for state in states) <= LARGEST_STATE[queues]


def test_a_state_survives_its_own_json(states: tuple[State, ...]) -> None:
    written = DATA_CONVERTER.payload_converter.to_payload(states[-1])
    read = TypeAdapter(State).validate_json(written.data)

    assert read.plan == states[-1].plan
    assert read.memory.operator == states[-1].memory.operator
    assert DATA_CONVERTER.payload_converter.to_payload(read).data == written.data
