"""The production decision in a lab world, through the entry for worlds outside: decide, apply, watch, and again."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from scaler.model.decision import Decision
from scaler.model.observation import WorkerState
from scaler.model.record import TargetRecord
from scaler.simulation.outside import FleetLoop, Levels
from scaler.state import State
from tests.support.lab.sight import Sight, told
from tests.support.lab.world import START, LabWorld, Queue

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
    """One fleet in its world."""

    world: LabWorld
    sight: Sight
    desired: int
    loop: FleetLoop
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    @classmethod
    def of(
        cls, fleet: Mapping[str, Any], queues: list[Queue], workers: int, sight: Sight | None = None, **world: Any
    ) -> "Lab":
        """A declared fleet that is found with so many workers; what else is given is the world's."""
        loop = FleetLoop(fleet, START)
        chance = random.Random(world.pop("seed", 5))
        found = LabWorld(fleet=loop.state.fleet, queues=queues, chance=chance, **world)
        found.found_with(workers)
        return cls(world=found, sight=sight or Sight(), desired=workers, loop=loop)

    @property
    def state(self) -> State:
        """All that the fleet's loop knows."""
        return self.loop.state

    @property
    def record(self) -> TargetRecord | None:
        """What the target remembers."""
        return self.loop.record

    def run(self, seconds: float) -> Self:
        """Serve and scale for so long."""
        while self.world.second < FOUND_FOR_SECONDS:
            self.world.pass_second()
        end = self.world.second + seconds
        while self.world.second < end:
            self._tick()
        return self

    def explain(self) -> str:
        """What a person is told of the newest decision."""
        return self.loop.explain()

    def moves_between(self, first: float, last: float) -> list[Move]:
        """The changes of the count in a stretch of time."""
        return [move for move in self.moves if first <= move.second < last]

    @property
    def most_workers(self) -> int:
        """The highest count that was ever set."""
        return max([self.desired, *(max(move.before, move.after) for move in self.moves)])

    @property
    def ready(self) -> int:
        """Workers that serve."""
        world = self.world
        return sum(worker.state(world.second) is WorkerState.READY for worker in world.workers)

    def _tick(self) -> None:
        world, loop = self.world, self.loop
        loop.decide(world.now)
        if loop.decision is not None:
            self.decisions.append((world.second, loop.decision))
        levels = loop.apply(world.now, desired=self.desired)
        if levels is not None:
            self._act(levels)
        while not loop.watch(told(world, self.sight, self.desired), world.now):
            world.pass_second()

    def _act(self, levels: Levels) -> None:
        world = self.world
        if levels.workers != self.desired:
            self.moves.append(Move(world.second, self.desired, levels.workers))
        self.desired, world.cache = levels.workers, levels.cache or world.cache
        for worker in world.live:
            if worker.name in levels.replace:
                world.drain(worker)
        wanted = levels.workers + levels.surge
        for _ in range(wanted - len(world.live)):
            world.start()
        live = world.live
        named = [worker for name in levels.victims for worker in live if worker.name == name]
        others = [worker for worker in reversed(live) if worker.name not in levels.victims]
        for worker in (*named, *others)[: max(0, len(live) - wanted)]:
            world.drain(worker)
