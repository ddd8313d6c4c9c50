"""The loop, the target's record and late orphans, in any order of events.

The target ends where the newest decision wants it, a cache cut's hold is never forgotten, nothing is locked out.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activities.joining import join, totals
from activities.sources.heartbeats import Heartbeat, SlotsSeen
from scaler import interventions
from scaler.decide import decide
from scaler.model.common import Generation, Quality, TaskType
from scaler.model.observation import Observation, QueueSeen
from scaler.model.plan import Plan, Stamp
from scaler.model.remembered import Operator, Override, Pause
from scaler.rules.hold_after_cut import HOLD_WINDOW
from scaler.state import State
from tests.support.paper_target import LIMIT_BYTES, Group
from tests.support.strategies import NOW, OWNER, declared

TICK = timedelta(seconds=15)
CALM_TICKS = 30
CALM_BYTES = 50 * 2**20
FULL = int(0.95 * LIMIT_BYTES)


@dataclass(frozen=True)
class Sent:
    """A plan on its way to the target."""

    plan: Plan
    stamp: Stamp


class LoopAndTarget(RuleBasedStateMachine):
    """One fleet's workflow as its pure parts, one target on paper, and plans that come late, twice or never."""

    @initialize()
    def start(self) -> None:
        self.now = NOW
        self.fleet = declared(workers={"min": 1, "max": 10})
        self.group = Group()
        self.state = State(fleet=self.fleet, generation=Generation(NOW.timestamp(), 0))
        self.saved = self.state
        self.late: list[Sent] = []
        self.busy_slots = 20
        self.cuts_seen: dict[float, int] = {}
        self._send()

    def _send(self) -> None:
        """Decide and put the next plan on its way."""
        if self.state.observation is None:
            plan = Plan(size=None, until=self.now)
        else:
            decision, memory = decide(self.state.observation, self.fleet, self.state.memory, self.now)
            self.state = self.state.decided(decision, memory)
            plan = decision.plan
        before = self.state
        self.state = before.sent(plan, self.now)
        stamp = Stamp(owner=OWNER, generation=self.state.generation, wake_from=self.now, fence=before.fence)
        self.sent = Sent(plan, stamp)

    def _observation(self, sent: Sent) -> Observation:
        found = self.group.record
        taken = self.group.take(sent.plan, sent.stamp, self.now)
        look = self.group.look(self.now)
        slots = SlotsSeen(used=self.busy_slots // max(1, len(look.workers)), total=100, tasks_per_second=5.0)
        beats = [
            Heartbeat(
                instance_key=worker.seen.name,
                identity=worker.seen.name,
                host_name=worker.host_name,
                process_id=worker.process_id,
                queue="agents",
                at=self.now,
                started_at=self.now - timedelta(seconds=55),
                interval_seconds=2.0,
                workflow=SlotsSeen(used=0, total=100, tasks_per_second=1.0),
                activity=slots,
                cached=min(50, self.group.caches[worker.seen.name] or 50),
            )
            for worker in look.workers
        ]
        rows = join(look, beats, self.now, {"agents"}).workers
        return Observation(
            observed_at=self.now,
            found=found,
            applied=taken.applied,
            target=look.target,
            queues=tuple(
                QueueSeen(
                    at=self.now,
                    quality=Quality.FRESH,
                    queue="agents",
                    task_type=task_type,
                    backlog_tasks=0,
                    backlog_age_seconds=0.0,
                    arrivals_per_second=1.0,
                    dispatches_per_second=1.0,
                )
                for task_type in (TaskType.WORKFLOW, TaskType.ACTIVITY)
            ),
            workers=rows,
            totals=totals(rows, 150.0),
            exits=look.exits,
        )

    @rule()
    def tick_ends_well(self) -> None:
        self.state = self.state.saw(self._observation(self.sent))
        self.now += TICK
        self._send()

    @rule()
    def observation_is_lost_after_the_step(self) -> None:
        self._observation(self.sent)
        self.now += timedelta(seconds=1)
        self._send()

    @rule()
    def update_comes_before_the_step(self) -> None:
        self.late.append(self.sent)
        self.now += timedelta(seconds=1)
        self._send()

    @rule()
    def controller_is_killed_between_record_and_act(self) -> None:
        self.group.write(self.sent.plan, self.sent.stamp, self.now)
        self.now += TICK

    @precondition(lambda self: self.late)
    @rule(index=st.integers(0, 100))
    def orphan_comes_late(self, index: int) -> None:
        orphan = self.late.pop(index % len(self.late))
        self.group.take(orphan.plan, orphan.stamp, self.now)

    @rule()
    def step_is_taken_twice(self) -> None:
        self.group.take(self.sent.plan, self.sent.stamp, self.now)

    @rule()
    def state_is_saved(self) -> None:
        self.saved = self.state

    @rule()
    def workflow_is_reset(self) -> None:
        self.late.append(self.sent)
        self.state = self.saved
        self._send()

    @rule(memory=st.sampled_from([50 * 2**20, 100 * 2**20, FULL]))
    def memory_changes(self, memory: int) -> None:
        self.group.memory_bytes = memory

    @rule(busy=st.integers(0, 900))
    def load_changes(self, busy: int) -> None:
        self.busy_slots = busy

    @rule(workers=st.integers(1, 10), cache=st.none() | st.integers(10, 200))
    def operator_overrides(self, workers: int, cache: int | None) -> None:
        override = Override(reason="test", until=self.now + timedelta(minutes=5), workers=workers, cache=cache)
        self.state = replace(self.state, memory=interventions.overridden(self.state.memory, override, self.now))
        self.update_comes_before_the_step()

    @rule()
    def operator_pauses(self) -> None:
        pause = Pause(reason="test", since=self.now, until=self.now + timedelta(minutes=1))
        self.state = replace(self.state, memory=interventions.paused(self.state.memory, pause))
        self.update_comes_before_the_step()

    @rule()
    def calm_comes(self) -> None:
        """Ticks that end well lead to what the newest decision wants, whatever came before."""
        self.group.memory_bytes = CALM_BYTES
        self.state = replace(self.state, memory=replace(self.state.memory, operator=Operator()))
        for _ in range(CALM_TICKS):
            self.tick_ends_well()
        decision, record = self.state.decision, self.group.record

        assert decision is not None
        assert record is not None
        assert record.owner == OWNER
        assert record.generation <= self.state.generation, "locked out"
        assert self.state.observation is not None
        assert self.state.observation.applied.settled, "locked out"
        assert self.group.desired == len(self.group.names)
        assert {self.group.caches[name] for name in self.group.names} == {self.group.cache}

    @invariant()
    def a_cut_is_held(self) -> None:
        record = getattr(self, "group", Group()).record
        if record is None or record.cut is None or record.intended is None:
            return
        override = self.state.memory.operator.override
        if self.now - record.cut.at < HOLD_WINDOW and override is None:
            assert record.intended.workers >= min(record.cut.workers, self.fleet.workers.max)


LoopAndTarget.TestCase.settings = settings(stateful_step_count=40)
TestLoopAndTarget = LoopAndTarget.TestCase
