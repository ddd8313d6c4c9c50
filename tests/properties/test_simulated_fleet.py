"""The product's loop on a simulated fleet, while whatever can go wrong does, in any order.

Other than told observations, these follow from what was decided before: queues fill, caches grow, workers start late.
Every decision is held against the rules of `test_safety_rules`, and the world against what they are for.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scaler import interventions
from scaler.fleet import CACHE_FLOOR, Fleet
from scaler.model.common import Size
from scaler.model.observation import ExitReason, WorkerState
from scaler.model.plan import Plan
from scaler.model.remembered import Override, Pause
from scaler.simulation.catalogue import fleet_of
from scaler.simulation.clock import moment
from scaler.simulation.joint import JointLoop
from scaler.simulation.run import Mode
from scaler.simulation.scenario import Scenario
from scaler.simulation.world import World
from tests.properties.test_safety_rules import RULES, Told
from tests.simulation.worlds import declared, world

MIB = 2**20
SOON_SECONDS, LONGEST_SECONDS = 5, 90

SIGNALS = st.lists(st.sampled_from(["queues", "heartbeats", "histories", "memory", "target"]), min_size=1, unique=True)
BLACKOUTS = st.lists(
    st.builds(
        lambda at, lasts, signals: {"at": f"{at}s", "lasts": f"{lasts}s", "signals": signals},
        st.integers(0, 600),
        st.integers(5, 240),
        SIGNALS,
    ),
    max_size=3,
)


class KeptLoop(JointLoop):
    """The product's loop, with every decision kept beside what went into it."""

    def __init__(self, running: World[Any], fleet: Fleet) -> None:
        self.steps: list[Told] = []
        super().__init__(running, fleet, 1)

    def _decide(self, now: float) -> Plan:
        seen, before = self.state.observation, interventions.expired(self.state.memory, moment(now))
        plan = super()._decide(now)
        if seen is not None and self.state.decision is not None:
            decided = self.state.decision
            self.steps.append(Told(seen, self.state.fleet, before, moment(now), decided, self.state.memory))
        return plan


class SimulatedFleet(RuleBasedStateMachine):
    """One fleet at work, its operator, and what befalls it."""

    @initialize(
        bytes_per_run=st.sampled_from([MIB // 2, 2 * MIB, 8 * MIB]),
        start=st.sampled_from([{"workers": 4, "cache": 100}, {"workers": 1, "cache": 1000, "warm": False}]),
        turns=st.sampled_from([1, 4, 10]),
        blackouts=BLACKOUTS,
    )
    def start(self, bytes_per_run: int, start: dict[str, Any], turns: int, blackouts: list[dict[str, Any]]) -> None:
        scenario = self._scenario(bytes_per_run, start, turns, blackouts)
        self.world = world(scenario, Mode.STEPS)
        self.loop = KeptLoop(self.world, fleet_of(scenario))
        self.checked = 0
        self.loop.act(0.0)

    def _scenario(
        self, bytes_per_run: int, start: dict[str, Any], turns: int, blackouts: list[dict[str, Any]]
    ) -> Scenario:
        return declared(
            arrivals={"kind": "flash_crowd", "turns_per_second": turns, "factor": 4, "at": "2m", "hold": "2m"},
            duration="40m",
            platform={"workers": {"min": 1, "max": 12}, "memory": {"limit": "512Mi", "base": "100Mi"}},
            workload={"state": {"bytes": bytes_per_run}, "activity": {"service": {"mean": "3s"}}},
            metrics={"blackouts": blackouts},
            start=start,
        )

    @rule(seconds=st.integers(SOON_SECONDS, LONGEST_SECONDS))
    def time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.advance(self.world.now + 1)
            self.loop.act(self.world.now)

    @rule(place=st.integers(0, 11), reason=st.sampled_from([ExitReason.OOM_KILLED, ExitReason.CRASHED]))
    def a_worker_dies(self, place: int, reason: ExitReason) -> None:
        alive = [each for each in self.world.platform.workers if each.state is WorkerState.READY]
        if alive:
            self.world.platform.kill(alive[place % len(alive)], reason, self.world.now)

    @rule()
    def all_workers_die(self) -> None:
        for each in self.world.platform.of_state(WorkerState.READY):
            self.world.platform.kill(each, ExitReason.OOM_KILLED, self.world.now)

    @rule(workers=st.integers(1, 14))
    def somebody_else_sets_the_count(self, workers: int) -> None:
        self.world.platform.resize(Size(workers), self.world.now)

    @rule(workers=st.integers(0, 20), cache=st.sampled_from([None, 10, 3000]), minutes=st.integers(1, 10))
    def an_operator_overrides(self, workers: int, cache: int | None, minutes: int) -> None:
        until = moment(self.world.now) + timedelta(minutes=minutes)
        override = Override(reason="test", until=until, workers=workers, cache=cache)
        self._remember(interventions.overridden(self.loop.state.memory, override, moment(self.world.now)))

    @rule(minutes=st.integers(1, 5))
    def an_operator_pauses(self, minutes: int) -> None:
        now = moment(self.world.now)
        pause = Pause(reason="test", since=now, until=now + timedelta(minutes=minutes))
        self._remember(interventions.paused(self.loop.state.memory, pause))

    @rule()
    def an_operator_resumes(self) -> None:
        self._remember(interventions.resumed(self.loop.state.memory, moment(self.world.now)))

    def _remember(self, memory: Any) -> None:
        self.loop.state = replace(self.loop.state, memory=memory)

    @invariant()
    def every_rule_holds_for_every_decision(self) -> None:
        if not hasattr(self, "loop"):
            return
        new, self.checked = self.loop.steps[self.checked :], len(self.loop.steps)
        for step in new:
            for holds in RULES:
                holds(step)

    @invariant()
    def the_target_stays_inside_its_bounds(self) -> None:
        if hasattr(self, "loop"):
            platform = self.world.platform
            assert 0 <= platform.desired <= 12
            assert platform.cache >= CACHE_FLOOR

    def teardown(self) -> None:
        """Whatever happened, the loop is alive and decides."""
        if hasattr(self, "loop"):
            decided = len(self.loop.decided)
            self.time_passes(LONGEST_SECONDS)
            assert len(self.loop.decided) > decided


TestSimulatedFleet = SimulatedFleet.TestCase
TestSimulatedFleet.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
