"""One tick around targets and sources that raise, hang, or live under another clock than the server's."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.reconcile import Reconciler
from activities.sources.contract import Signals, Suspects
from activities.targets.contract import StepTaken, TargetLook, TargetUnreachable
from scaler.door import Problem
from scaler.fleet import Fleet, TargetKind
from scaler.model.common import Quality, Size, TaskType
from scaler.model.observation import ExitReason, Fault, TargetSeen, Wake, WorkerExit
from scaler.model.plan import Plan, Stamp, WakeAt
from scaler.model.record import Applied, StepOutcome
from tests.support.attempts import Servers, tick
from tests.support.states import fleet, queue

SOON = timedelta(seconds=1.5)


def nothing() -> None:
    """Goes wrong nowhere."""


def raising(error: BaseException) -> Callable[[], None]:
    """Goes wrong with this."""

    def raise_it() -> None:
        raise error

    return raise_it


@dataclass
class OddTarget:
    """A target of which some part goes wrong."""

    stepping: Callable[[], None] = nothing
    looking: Callable[[], None] = nothing
    look_seconds: float = 0.0
    exits: tuple[WorkerExit, ...] = ()

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        del fleet
        return ()

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        del fleet, plan
        self.stepping()
        return StepTaken(found=None, applied=Applied(generation=stamp.generation, outcome=StepOutcome.APPLIED))

    async def look(self, fleet: Fleet) -> TargetLook:
        del fleet
        self.looking()
        await asyncio.sleep(self.look_seconds)
        return TargetLook(target=TargetSeen(at=datetime.now(UTC), quality=Quality.FRESH, desired=2), exits=self.exits)


@dataclass
class OddSignals:
    """Sources of which some part goes wrong; the burst begins with this reading."""

    reading: Callable[[], None] = nothing
    suspecting: Callable[[], None] = nothing
    burst_at: int | None = None
    readings: int = field(default=0, init=False)

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        del fleet
        return ()

    def place(self, fleet: Fleet) -> str:
        del fleet
        return ""

    async def read(self, fleet: Fleet) -> Signals:
        del fleet
        self.reading()
        burst = self.burst_at is not None and self.readings >= self.burst_at
        self.readings += 1
        read = queue(TaskType.ACTIVITY, backlog_tasks=5000 if burst else 0, backlog_age_seconds=9.0 if burst else 0.0)
        return Signals(queues=(read,))

    def suspects(self, fleet: Fleet, exits: Sequence[WorkerExit]) -> Suspects:
        del fleet, exits
        self.suspecting()
        return Suspects()


def reconciler(target: OddTarget, signals: OddSignals) -> Reconciler:
    return Reconciler({TargetKind.LOCAL: target}, signals)


def look_plan(servers: Servers) -> Plan:
    return Plan(size=None, until=servers.now())


ERRORS: tuple[BaseException, ...] = (
    KeyError("status"),
    ValueError("a secret: hunter2"),
    RuntimeError("event loop is closed"),
    ConnectionResetError("by peer"),
    TimeoutError(),
    asyncio.CancelledError(),
    ExceptionGroup("several", [OSError("one"), OSError("two")]),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_whatever_a_look_raises_is_a_missing_target_with_a_fault(error: BaseException) -> None:
    servers = Servers()
    seen = await servers.attempt(
        reconciler(OddTarget(looking=raising(error)), OddSignals()), tick(fleet(), look_plan(servers))
    )

    assert seen.target.quality is Quality.MISSING
    assert seen.applied.outcome is StepOutcome.APPLIED
    assert [fault.source for fault in seen.faults] == ["target"]
    assert "hunter2" not in str(seen.faults)
    assert seen.queues[0].quality is Quality.FRESH


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_whatever_a_step_raises_is_a_step_that_failed(error: BaseException) -> None:
    servers = Servers()
    seen = await servers.attempt(
        reconciler(OddTarget(stepping=raising(error)), OddSignals()), tick(fleet(), look_plan(servers))
    )

    assert seen.applied.outcome is StepOutcome.FAILED
    assert seen.applied.detail
    assert "hunter2" not in seen.applied.detail
    assert seen.target.quality is Quality.FRESH


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_whatever_the_sources_raise_leaves_their_readings_missing(error: BaseException) -> None:
    servers = Servers()
    seen = await servers.attempt(
        reconciler(OddTarget(), OddSignals(reading=raising(error))), tick(fleet(), look_plan(servers))
    )

    assert seen.queues == ()
    assert [fault.source for fault in seen.faults] == ["temporal"]
    assert seen.target.desired == 2


async def test_what_is_asked_for_suspects_may_raise_too() -> None:
    servers = Servers()
    seen = await servers.attempt(
        reconciler(OddTarget(), OddSignals(suspecting=raising(KeyError("x")))), tick(fleet(), look_plan(servers))
    )

    assert seen.faults == (Fault("suspects", "KeyError in the controller; see its log"),)


async def test_words_for_an_operator_are_kept_but_not_a_whole_answer() -> None:
    servers, words = Servers(), "HTTP 502 " + "x" * 5000 + "\nand a page of HTML"
    seen = await servers.attempt(
        reconciler(OddTarget(looking=raising(TargetUnreachable(words))), OddSignals()),
        tick(fleet(), look_plan(servers)),
    )

    (fault,) = seen.faults
    assert fault.message == words[:300]


async def test_a_look_that_hangs_ends_in_time_for_the_attempt_to_tell_of_it() -> None:
    """A step may take its time too: both fit into the attempt, or every look would be given up and begun anew."""
    servers = Servers()
    began = time.monotonic()
    seen = await servers.attempt(
        reconciler(OddTarget(look_seconds=60.0), OddSignals()),
        tick(fleet(), look_plan(servers)),
        start_to_close=timedelta(seconds=7),
    )

    assert time.monotonic() - began < 4
    assert seen.target.quality is Quality.MISSING
    assert seen.faults[0].source == "target"


@pytest.mark.parametrize("minutes", [-2, 2])
async def test_a_tick_lasts_as_planned_whatever_this_hosts_clock_shows(minutes: int) -> None:
    servers = Servers(ahead=timedelta(minutes=minutes))
    began = time.monotonic()
    seen = await servers.attempt(
        reconciler(OddTarget(), OddSignals()), tick(fleet(), Plan(size=None, until=servers.now() + SOON))
    )

    assert SOON.total_seconds() - 0.1 <= time.monotonic() - began < SOON.total_seconds() + 1.5
    assert seen.woken_by is None
    assert abs(seen.observed_at - servers.now()) < timedelta(seconds=1), "it is told in the server's time"


@pytest.mark.parametrize("minutes", [-2, 2])
async def test_thresholds_count_from_when_the_plan_says(minutes: int) -> None:
    """In the server's time: a burst after the first sample ends the tick after a second, not at once and not never."""
    servers = Servers(ahead=timedelta(minutes=minutes))
    now = servers.now()
    plan = Plan(size=Size(2, 100), until=now + timedelta(seconds=8), wake=WakeAt(backlog_tasks=1))
    began = time.monotonic()
    seen = await servers.attempt(
        reconciler(OddTarget(), OddSignals(burst_at=1)), tick(fleet(), plan, wake_from=now + timedelta(seconds=1))
    )

    assert seen.woken_by is Wake.BACKLOG
    assert 0.9 < time.monotonic() - began < 4


async def test_a_plan_whose_end_is_over_is_watched_for_a_second_but_a_look_is_not() -> None:
    """Whatever clocks show, the ticks of a fleet at rest can't chase one another."""
    servers = Servers()
    loop = reconciler(OddTarget(), OddSignals())
    began = time.monotonic()
    await servers.attempt(loop, tick(fleet(), look_plan(servers)))
    looked = time.monotonic() - began
    await servers.attempt(loop, tick(fleet(), Plan(size=None, until=servers.now() + timedelta(milliseconds=20)), 2))
    watched = time.monotonic() - began - looked

    assert looked < 0.5
    assert watched >= 0.9


def exit_of(worker: str, at: datetime) -> WorkerExit:
    return WorkerExit(worker=worker, reason=ExitReason.CRASHED, at=at, process="0")


async def lasted(target: OddTarget, signals: OddSignals, **stamp: Any) -> tuple[float, Wake | None]:
    """A tick of five seconds whose thresholds count after one."""
    servers, began = Servers(), time.monotonic()
    now = servers.now()
    plan = Plan(size=Size(2, 100), until=now + timedelta(seconds=5), wake=WakeAt(backlog_tasks=1))
    seen = await servers.attempt(
        reconciler(target, signals), tick(fleet(), plan, wake_from=now + timedelta(seconds=1), **stamp)
    )
    return time.monotonic() - began, seen.woken_by


async def test_a_burst_between_the_decision_and_the_first_sample_wakes() -> None:
    seconds, woken_by = await lasted(OddTarget(), OddSignals(burst_at=0), held=())

    assert woken_by is Wake.BACKLOG
    assert seconds < 3


async def test_what_held_when_it_was_decided_wakes_nobody() -> None:
    seconds, woken_by = await lasted(OddTarget(), OddSignals(burst_at=0), held=(Wake.BACKLOG,))

    assert woken_by is None
    assert seconds >= 4.9


async def test_a_second_workers_end_wakes_after_a_first_was_known() -> None:
    """Also where it came before the watch began, by the platform's time: those are whole seconds, and late."""
    first, second = (exit_of(name, datetime.now(UTC) - timedelta(seconds=60)) for name in ("w-1", "w-2"))
    known, _ = await lasted(OddTarget(exits=(first,)), OddSignals(), held=(), ends_known=(first.identity,))
    seconds, woken_by = await lasted(
        OddTarget(exits=(first, second)), OddSignals(), held=(), ends_known=(first.identity,)
    )

    assert known >= 4.9
    assert woken_by is Wake.WORKERS_LOST
    assert seconds < 3


async def test_a_workflow_that_does_not_tell_what_held_is_served_as_ever() -> None:
    seconds, woken_by = await lasted(OddTarget(), OddSignals(burst_at=0))

    assert woken_by is None
    assert seconds >= 4.9
