"""Runs a policy that is not this product's: asks it at its interval, tells it of pushes, and has its sizes made so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scaler.model.common import Size, TaskType
from scaler.model.observation import WorkerState
from scaler.simulation.draws import Stream, generator
from scaler.simulation.policy import Counts, Policy, Pushed, Seen
from scaler.simulation.queue_statistics import QueueStatistics, statistics_of
from scaler.simulation.scenario import CacheCutByHand
from scaler.simulation.stack import MetricsStack
from scaler.simulation.world import World

PUSH_BEAT_SECONDS: Final = 0.5
"""How often pushes are looked for: Temporal's own controller is told every 500 ms at most."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """What a policy's figures are read from."""

    statistics: Mapping[TaskType, QueueStatistics]
    stack: MetricsStack

    @classmethod
    def of(cls, world: World[Any], seed: int) -> "Instruments":
        """The instruments of one run."""
        rng = generator(seed, Stream.METRICS)
        return cls(statistics_of(world, rng), MetricsStack(world, rng))


class PolicyLoop:
    """One policy at work; `act` is called every `beat_seconds`.

    Args:
        world: The fleet.
        instruments: Where its figures come from.
        policy: Who decides.
        cut: When somebody cuts the cache by hand, if at all.

    """

    def __init__(
        self, world: World[Any], instruments: Instruments, policy: Policy, cut: CacheCutByHand | None = None
    ) -> None:
        self._world = world
        self._statistics, self._stack = instruments.statistics, instruments.stack
        self._policy = policy
        self._cut = cut
        self._due = 0.0
        self._push_due = 0.0
        self._unmatched = dict.fromkeys(self._statistics, 0)
        self._pushed = policy if isinstance(policy, Pushed) else None
        self.beat_seconds = 1.0 if self._pushed is None else PUSH_BEAT_SECONDS
        self.asked_at: list[float] = []

    def look(self, now: float) -> None:
        """Some time has passed before it is in charge."""
        self._sample(now)

    def act(self, now: float) -> None:
        """Some time has passed."""
        self._sample(now)
        if self._pushed is not None and now >= self._push_due and any(self._new_unmatched().values()):
            self._push_due = now + self._pushed.push_interval_seconds
            self._make_so(self._pushed.task_added(self._seen(now)), now)
        if now >= self._due:
            self._due = now + self._policy.interval_seconds
            self.asked_at.append(now)
            self._make_so(self._policy.resize(self._seen(now)), now)
        if self._cut is not None and now >= self._cut.at.total_seconds():
            self._make_so(Size(self._world.platform.desired, self._cut.cache), now)
            self._cut = None
        self._world.platform.roll(now)

    def _sample(self, now: float) -> None:
        self._stack.sample(now)
        for statistics in self._statistics.values():
            statistics.count(now)

    def _make_so(self, size: Size | None, now: float) -> None:
        if size is not None and size != self._world.platform.size:
            self._world.platform.resize(size, now)

    def _new_unmatched(self) -> dict[TaskType, int]:
        return {
            task_type: self._world.figures(task_type).unmatched - before
            for task_type, before in self._unmatched.items()
        }

    def _seen(self, now: float) -> Seen:
        unmatched = self._new_unmatched()
        self._unmatched = {task_type: self._unmatched[task_type] + new for task_type, new in unmatched.items()}
        workers = [each for each in self._world.platform.workers if each.state is not WorkerState.DRAINING]
        states = [each.state for each in workers]
        return Seen(
            now=now,
            size=self._world.platform.size,
            counts=Counts(
                desired=self._world.platform.desired,
                existing=len(workers),
                ready=states.count(WorkerState.READY),
                starting=states.count(WorkerState.STARTING),
                restarting=states.count(WorkerState.RESTARTING),
                restarts=sum(each.restarts for each in workers),
            ),
            queues={task_type: statistics.reading(now) for task_type, statistics in self._statistics.items()},
            scrape=self._stack.newest(now),
            unmatched=unmatched,
        )
