"""The page of a fleet, its line in logs, and the lists, as plain text."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from scaler.cli.decisions import decision_table
from scaler.cli.fleets import RunningFleet
from scaler.cli.list_fleets import ListedFleet, fleet_table, listed
from scaler.cli.status_page import status_line, status_page
from scaler.decide import decide_or_hold
from scaler.fleet import Fleet
from scaler.model.common import Generation, Quality, Size, TaskType
from scaler.model.decision import Mode, Reason
from scaler.model.observation import ExitReason, Fault, Observation, ScheduleSeen, WorkerExit
from scaler.model.record import Applied, StepOutcome
from scaler.model.remembered import Operator, Override, Pause, Remembered
from scaler.state import State
from tests.support import states, strategies
from tests.support.states import NOW


def text(page: RenderableType, width: int = 200) -> str:
    written = io.StringIO()
    Console(file=written, width=width).print(page)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def page(state: State) -> str:
    return text(status_page(state, NOW))


def test_a_steady_fleet_fits_a_small_terminal() -> None:
    assert text(status_page(states.state(), NOW), 80).splitlines() == [
        "agents  steady  It follows its load",
        "workers  4 (1–8), 3 ready, 1 starting; bound by activity load",
        "cache    120 (10–400); bound by memory",
        "memory   fullest worker 182 MiB of 256 MiB (71%); 15% is kept free",
        "reasons  –",
        "target   local agents on box-7",
        "times    decided 3s ago, seen 3s ago, tick 112",
        "",
        "QUEUE   TASKS     OBJECTIVE  EXPECTED  WAITED P95  BACKLOG  OLDEST  ARRIVING/S",
        "agents  workflow      200ms      20ms        12ms        0      0s         4.2",
        "agents  activity         1s     600ms       400ms        0      0s         4.2",
        "",
        "WORKER  STATE     UP   CACHED  WF SLOTS  ACT SLOTS       MEMORY  RESTARTS",
        "w-1     ready     2h  111/120     2/100        6/8  174 MiB 68%         0",
        "w-2     ready     2h  112/120     2/100        7/8  178 MiB 70%         0",
        "w-3     ready     2h  113/120     2/100        5/8  182 MiB 71%         0",
        "w-4     starting  2h  114/120     2/100        6/8  186 MiB 73%         0",
    ]


def test_what_is_missing_is_a_dash_and_what_is_stale_says_so() -> None:
    old = states.queue(TaskType.WORKFLOW, at=NOW - timedelta(seconds=100), backlog_tasks=7)
    gone = states.queue(TaskType.ACTIVITY, quality=Quality.MISSING, backlog_tasks=9)
    silent = states.worker(1, cached=None, activity_slots=None, activity_slots_used=None, memory_bytes=None)
    seen = states.observation(queues=(old, gone), task_times=(), workers=(silent,))

    lines = page(states.state(observation=seen)).splitlines()

    assert "agents  workflow      200ms      20ms           –  7 stale  0s stale   4.2 stale" in lines
    assert "agents  activity         1s     600ms           –        –         –           –" in lines
    assert lines[-2].split() == ["w-1", "ready", "2h", "–/120", "2/100", "–", "–", "0"]


def test_everything_that_is_wrong_is_on_the_page() -> None:
    ends = tuple(
        WorkerExit(worker=f"w-{n}", reason=ExitReason.OOM_KILLED, at=NOW - timedelta(seconds=20 * n), cache=200)
        for n in range(1, 8)
    )
    drained = WorkerExit(worker="w-9", reason=ExitReason.DRAINED, at=NOW)
    seen = states.observation(
        applied=Applied(generation=Generation(1.0, 5), outcome=StepOutcome.FAILED, detail="no answer"),
        exits=(*ends, drained),
        faults=(Fault("histories of agents", "RESOURCE_EXHAUSTED"),),
        strangers=("77@laptop",),
        suspects=("order-77",),
        schedule=ScheduleSeen(3, NOW + timedelta(hours=2)),
    )
    seen = replace(
        seen, target=replace(seen.target, unschedulable=2, unschedulable_reason="no node", other_scaler="hpa")
    )

    shown = page(states.state(observation=seen))

    for told in (
        "target      local agents on box-7; last step failed: no answer; also scaled by hpa",
        "schedule    at least 3 workers until 14:00:00 UTC (in 2h)",
        "ended       w-1 oom killed 20s ago, cache 200\n",
        "and 2 more within ten minutes",
        "not placed  2 workers can't be scheduled: no node",
        "suspects    order-77: running at several kills for memory; look at them",
        "fault       histories of agents: RESOURCE_EXHAUSTED",
        "strangers   77@laptop: they poll the fleet's queues and are not its workers",
    ):
        assert told in shown
    assert "w-9" not in shown


def test_workers_that_take_nothing_while_tasks_wait_are_named() -> None:
    known = states.state()
    idle = known.decided(states.decision(taking_nothing=("w-1", "w-4")), known.memory)

    assert "idle     w-1, w-4: took nothing although tasks wait and they have free slots" in page(idle)


def test_what_operators_asked_for_is_on_the_page() -> None:
    pause = Pause(reason="a look", since=NOW)
    override = Override(reason="sale", until=NOW + timedelta(minutes=30), workers=6, cache=50)

    shown = page(states.state(memory=Remembered(operator=Operator(pause=pause, override=override))))

    assert "paused    until it is resumed: a look" in shown
    assert "override  workers 6, cache 50 until 12:30:00 UTC (in 30m): sale" in shown


def test_a_fleet_that_was_not_looked_at_yet_has_a_page_too() -> None:
    first = states.state(observation=None, decision=None)

    assert page(first).splitlines() == [
        "agents  Looking at the target for the first time",
        "target  local agents on box-7",
        "times   decided never, seen never, tick 112",
    ]
    assert status_line(first, NOW) == "12:00:00 agents: looking for the first time"


def test_a_line_for_logs_has_the_size_the_backlog_and_the_reasons() -> None:
    assert status_line(states.state(), NOW) == (
        "11:59:57 agents steady: 3/4 workers × cache 120, backlog 0, oldest 0s; nothing new"
    )


def test_names_from_outside_can_not_steer_the_terminal() -> None:
    seen = states.observation(strangers=("evil\x1b[2J\nname",), workers=(states.worker(1, name="w\x1b[31m"),))

    shown = page(states.state(observation=seen))

    assert "\x1b" not in shown
    assert "evil\ufffd[2J\ufffdname" in shown


def test_a_large_fleet_says_how_many_workers_are_not_told() -> None:
    seen = states.observation()
    many = replace(seen, totals=(replace(seen.totals[0], workers=250),))

    assert page(states.state(observation=many)).splitlines()[-1] == "and 246 more"


AGENTS = RunningFleet("agents", "worker-scaler/agents", NOW)


def test_the_list_has_a_line_for_each_fleet_also_for_one_that_gives_no_answer() -> None:
    known = states.state()
    hot = known.decided(
        states.decision(mode=Mode.EMERGENCY, size=Size(6, 84), reasons=(Reason.OOM_KILL, Reason.CACHE_CUT)),
        known.memory,
    )
    silent = ListedFleet(name="payments", workflow_id="worker-scaler/payments", problem="no answer within 5s\nremedy")

    rows = [listed(AGENTS, known), listed(replace(AGENTS, name="orders"), hot), silent]

    assert text(fleet_table(rows, NOW)).splitlines() == [
        "FLEET     MODE       WORKERS  CACHE  BACKLOG  OLDEST  DECIDED  WHY",
        "agents    steady         3/4    120        0      0s   3s ago  activity load, memory",
        "orders    emergency      3/6     84        0      0s   3s ago  oom kill, cache cut",
        "payments  no answer        –      –        –       –        –  no answer within 5s",
    ]


def test_decisions_come_with_what_bound_them() -> None:
    known = states.state()

    assert text(decision_table(known.decisions, NOW)).splitlines() == [
        "FIRST DECIDED  TICKS  MODE    WORKERS  CACHE  STEP  BOUND BY                REASONS",
        "11:59:57 UTC       1  steady        4    120  none  activity load / memory  –",
    ]


@given(strategies.observations(), strategies.fleets, st.integers(60, 200))
def test_whatever_was_seen_has_a_page(seen: Observation, fleet: Fleet, width: int) -> None:
    decision, memory = decide_or_hold(seen, fleet, Remembered(), strategies.NOW)
    known = State(fleet=fleet, generation=Generation(1.0, 5), observation=seen).decided(decision, memory)

    assert text(status_page(known, strategies.NOW), width)
    assert status_line(known, strategies.NOW)
    assert text(fleet_table([listed(AGENTS, known)], strategies.NOW), width)


@pytest.mark.parametrize("width", [66, 80])
def test_a_narrow_terminal_folds_and_does_not_fail(width: int) -> None:
    rows = [listed(replace(AGENTS, name="a-very-long-name-for-a-fleet-of-workers"), states.state())]

    assert "steady" in text(fleet_table(rows, NOW), width)
