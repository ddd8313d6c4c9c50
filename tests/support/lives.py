"""Calm fleets that a test puts one thing wrong with, and readings of queues that are late."""

from collections.abc import Callable
from dataclasses import replace

from scaler.model.common import Size, TaskType
from scaler.model.observation import Observation, QueueSeen, ReplaySeen
from scaler.model.remembered import Operator
from tests.support.plausible import Life, Step
from tests.support.strategies import declared

Seen = Callable[[Observation], Observation]


def calm(workers: int, cache: int = 60, bounds: dict[str, int] | None = None, **changes: object) -> Life:
    """A fleet in which nothing is wrong."""
    return Life(
        fleet=declared(workers=bounds or {"min": 1, "max": 30}, **changes),
        size=Size(workers, cache),
        bytes_per_workflow=2**20,
        replay=ReplaySeen(),
    )


def as_it_is(seen: Observation) -> Observation:
    """Nothing is wrong with what is seen."""
    return seen


def passed(life: Life, ticks: int, rate: float, change: Seen = as_it_is, operator: Operator | None = None) -> Step:
    """The last decision of so many under one load."""
    for _ in range(ticks):
        life.tick(change(life.observe(rate, 0.5)), operator or Operator())
    return life.steps[-1]


def waiting(tasks: int, age_seconds: float, task_type: TaskType = TaskType.ACTIVITY) -> Seen:
    """So many tasks of a type wait, the oldest for so long."""

    def told(queue: QueueSeen) -> QueueSeen:
        if queue.task_type is not task_type:
            return queue
        return replace(queue, backlog_tasks=tasks, backlog_age_seconds=age_seconds)

    return lambda seen: replace(seen, queues=tuple(told(queue) for queue in seen.queues))
