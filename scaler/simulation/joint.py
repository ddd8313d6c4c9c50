"""The product's own loop in a simulated world: `workflows/scale_fleet.py` in miniature, around the same `decide`.

Same state, same stamps, same echo, and the tick ends as `activities/reconcile.py` ends it. What is not here is what
Temporal does: lost activities, updates, new runs.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from activities.targets.contract import StepTaken
from scaler.decide import decide
from scaler.fleet import Fleet
from scaler.model.common import Generation, Owner, Size
from scaler.model.decision import Decision
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome
from scaler.simulation.clock import START, moment
from scaler.simulation.scenario import SignalName
from scaler.simulation.sight import Asked, Sight
from scaler.simulation.visibility import Darkness
from scaler.simulation.world import World
from scaler.state import State
from scaler.wakes import ends_tick

OWNER: Final = Owner("default", "worker-scaler/simulated")


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision of a run: when, on what was seen when, and to what size."""

    at: float
    seen_at: float
    decision: Decision

    @property
    def size(self) -> Size | None:
        """Where the fleet is to come to."""
        return self.decision.size


class JointLoop:
    """The durable loop of one fleet; `act` is called once a second."""

    beat_seconds = 1.0

    def __init__(self, world: World[Any], fleet: Fleet, seed: int) -> None:
        self._world = world
        self._sight = Sight(world, seed)
        self._darkness = Darkness(world.scenario.metrics.blackouts)
        self.state = State(fleet=fleet, generation=Generation(START.timestamp(), 0))
        self.decided: list[Decided] = []
        self._ticks = self._run()
        next(self._ticks)

    def look(self, now: float) -> None:
        """A second has passed before it is in charge."""
        self._sight.sample(now)

    def act(self, now: float) -> None:
        """A second has passed."""
        self._sight.sample(now)
        self._ticks.send(now)

    def _run(self) -> Generator[None, float, None]:
        """Decide, have it made so and watched, and start again."""
        now = yield
        while True:
            plan = self._decide(now)
            sent = self.state.sent(plan, moment(now))
            stamp = self.state.stamp(plan, self.state.observation, OWNER, moment(now))
            looks = self.state.observation is None
            self.state = sent
            ended = yield from self._reconcile(plan, stamp, now)
            now = ended if ended > now or looks else (yield)

    def _decide(self, now: float) -> Plan:
        """The next plan; without an observation the only one is to look."""
        seen = self.state.observation
        if seen is None:
            return Plan(size=None, until=moment(now))
        decision, memory = decide(seen, self.state.fleet, self.state.memory, moment(now))
        self.state = self.state.decided(decision, memory)
        self.decided.append(Decided(now, (seen.observed_at - START).total_seconds(), decision))
        return decision.plan

    def _reconcile(self, plan: Plan, stamp: Stamp, now: float) -> Generator[None, float, float]:
        """Make the plan so, watch until it ends or something needs a decision, and tell; returns when that was."""
        taken, began, sight = self._step(plan, stamp, now), now, self._sight
        from_the_start = sight.crossed(plan.wake, now, began)
        while True:
            new = sight.crossed(plan.wake, now, began) - from_the_start
            woken_by = ends_tick(new, moment(now), stamp.wake_from)
            if woken_by is not None or moment(now) >= plan.until:
                break
            now = yield
        self.state = self.state.saw(sight.observe(now, Asked(taken, woken_by)))
        return now

    def _step(self, plan: Plan, stamp: Stamp, now: float) -> StepTaken:
        if self._darkness.hides(SignalName.TARGET, now):
            applied = Applied(generation=stamp.generation, outcome=StepOutcome.FAILED, detail="no answer in time")
            return StepTaken(found=None, applied=applied)
        return self._world.platform.take(plan, stamp, now)
