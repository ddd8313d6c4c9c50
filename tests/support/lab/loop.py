"""The production decision in a lab world: decide, step by the record's rules, watch until a wake, and again."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from activities.targets.contract import StepTaken
from activities.watch import crossed
from scaler.claims import Standing, record_step
from scaler.decide import decide
from scaler.door import read_fleet
from scaler.model.common import Generation, Owner
from scaler.model.decision import Decision
from scaler.model.observation import Observation, Wake, WorkerState
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.state import State
from scaler.words.explain import explain
from tests.support.lab.sight import Sight, observed
from tests.support.lab.world import START, LabWorld, Queue, at

OWNER = Owner("default", "worker-scaler/lab")
FOUND_FOR_SECONDS = 120
"""A fleet serves for so long before anybody looks at it."""


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the worker count, and when."""

    second: float
    before: int
    after: int


@dataclass
class Lab:
    """One fleet in its world, as `workflows/scale_fleet.py` runs it."""

    world: LabWorld
    sight: Sight
    desired: int
    state: State
    record: TargetRecord | None = None
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    @classmethod
    def of(
        cls, fleet: Mapping[str, Any], queues: list[Queue], workers: int, sight: Sight | None = None, **world: Any
    ) -> "Lab":
        """A declared fleet that is found with so many workers; what else is given is the world's."""
        declared = read_fleet(dict(fleet))
        found = LabWorld(fleet=declared, queues=queues, chance=random.Random(world.pop("seed", 5)), **world)
        found.found_with(workers)
        state = State(fleet=declared, generation=Generation(START.timestamp(), 0))
        return cls(world=found, sight=sight or Sight(), desired=workers, state=state)

    def run(self, seconds: float) -> "Lab":
        """Serve and scale for so long."""
        while self.world.second < FOUND_FOR_SECONDS:
            self.world.pass_second()
        end = self.world.second + seconds
        while self.world.second < end:
            self._tick()
        return self

    def explain(self) -> str:
        """What a person is told of the newest decision."""
        return explain(self.state)

    def moves_between(self, first: float, last: float) -> list[Move]:
        """The changes of the count in a stretch of time."""
        return [move for move in self.moves if first <= move.second < last]

    @property
    def most_workers(self) -> int:
        """The highest count that was ever set."""
        return max([self.desired, *(max(move.before, move.after) for move in self.moves)])

    def _tick(self) -> None:
        now = at(self.world.second)
        plan = self._decided()
        self.state, wake_from, fence = (
            self.state.sent(plan, now),
            self.state.wake_from(now),
            self.state.fence,
        )
        stamp = Stamp(owner=OWNER, generation=self.state.generation, wake_from=wake_from, fence=fence)
        taken = self._step(plan, stamp)
        seen, woken = self._watched(plan, stamp, taken)
        self.state = self.state.saw(replace(seen, woken_by=woken))

    def _decided(self) -> Plan:
        now, seen = at(self.world.second), self.state.observation
        if seen is None:
            return Plan(size=None, until=now)
        decision, memory = decide(seen, self.state.fleet, self.state.memory, now)
        self.state = self.state.decided(decision, memory)
        self.decisions.append((self.world.second, decision))
        return decision.plan

    def _watched(self, plan: Plan, stamp: Stamp, taken: StepTaken) -> tuple[Observation, Wake | None]:
        began = at(self.world.second)
        seen = observed(self.world, self.sight, taken, self.desired)
        from_start = crossed(plan.wake, seen, began)
        while at(self.world.second) < plan.until:
            self.world.pass_second()
            seen = observed(self.world, self.sight, taken, self.desired)
            new = crossed(plan.wake, seen, began) - from_start
            if Wake.EMERGENCY_MEMORY in new or (new and at(self.world.second) >= stamp.wake_from):
                return seen, min(new)
        return seen, None

    def _step(self, plan: Plan, stamp: Stamp) -> StepTaken:
        found = self.record
        desired = self.desired if found is not None and found.intended is not None else None
        standing = Standing(now=at(self.world.second), owner_lives=True, desired=desired)
        step = record_step(found, plan, stamp, standing)
        self.record = step.write or found
        if step.outcome is StepOutcome.APPLIED and self.record is not None and self.record.intended is not None:
            self._act(plan, self.record)
        applied = Applied(generation=stamp.generation, outcome=step.outcome, record=self.record)
        return StepTaken(found=found, applied=applied)

    def _act(self, plan: Plan, record: TargetRecord) -> None:
        intended, world = record.intended, self.world
        assert intended is not None
        if intended.workers != self.desired:
            self.moves.append(Move(world.second, self.desired, intended.workers))
        self.desired, world.cache = intended.workers, intended.cache or world.cache
        for worker in world.workers:
            if worker.name in plan.replace and worker.drain_by is None:
                world.drain(worker)
        live = [worker for worker in world.workers if worker.drain_by is None]
        for _ in range(intended.workers + plan.surge - len(live)):
            world.start()
        named = [worker for name in plan.victims for worker in live if worker.name == name]
        others = [worker for worker in reversed(live) if worker.name not in plan.victims]
        for worker in (*named, *others)[: max(0, len(live) - intended.workers - plan.surge)]:
            world.drain(worker)

    @property
    def ready(self) -> int:
        """Workers that serve."""
        world = self.world
        return sum(worker.state(world.second) is WorkerState.READY for worker in world.workers)
