"""How many workers one task type needs, and how long its tasks wait with so many. Pure."""

import math
from dataclasses import dataclass
from functools import cached_property

from scaler.learn.margin import LARGEST_MARGIN, SURPRISE_HORIZON
from scaler.model.common import TaskType
from scaler.model.decision import Constraint
from scaler.model.estimate import Load
from scaler.size.queueing import Stream, wait_seconds

HORIZON_SECONDS = SURPRISE_HORIZON.total_seconds()

UTILISATION_CAP = {TaskType.WORKFLOW: 0.7, TaskType.ACTIVITY: 0.95}
"""No slot may be busier than this on average, where 95 % of the tasks are to be in time: the waiting formula is
optimistic for bursty arrivals, and workflow tasks share a few cores with replays."""

BY_LOAD = {TaskType.WORKFLOW: Constraint.WORKFLOW_TASK_LOAD, TaskType.ACTIVITY: Constraint.ACTIVITY_LOAD}
"""What asks for workers where no backlog does."""

USUAL_PERCENTILE = 95.0
LOWEST_CAP, HIGHEST_CAP = 0.5, 0.98

REACTION_HORIZONS = 2.0
"""What surprises now is answered within so many horizons: readings are as old as one, a start takes the other."""

DRAIN_IN_OBJECTIVES = 5.0
SHORTEST_DRAIN_SECONDS = 5.0
"""A backlog is to be gone within so many objectives, but no faster than new workers start."""

MOST_WORKERS = 10_000


@dataclass(frozen=True, slots=True)
class Service:
    """What one worker offers a task type."""

    slots: float  # tasks of this type that it runs at a time
    task_seconds: float


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked for one task type; what is the same for all sizes is worked out once."""

    load: Load
    objective_seconds: float
    percentile: float
    start_seconds: float  # until a new worker takes tasks

    def stream(self, task_seconds: float) -> Stream:
        """The tasks as they may come before more workers could be there.

        Of tasks that take longer than it takes to react, only a part can be under way by then.
        """
        begun = self._reaction_seconds / max(task_seconds, self._reaction_seconds)
        return Stream(
            arrivals_per_second=self.load.arrivals_per_second + begun * self._margin_per_second,
            service_seconds=task_seconds,
            variability=self._variability,
        )

    @cached_property
    def _margin_per_second(self) -> float:
        """The margin is of a fixed horizon; what comes within a longer start is as uncertain as a random walk's end."""
        ahead = math.sqrt(self._horizon_seconds / HORIZON_SECONDS)
        largest = max(LARGEST_MARGIN * self.load.arrivals_per_second, self.load.margin_per_second)
        return min(ahead * self.load.margin_per_second, largest)

    @cached_property
    def _horizon_seconds(self) -> float:
        return max(self.start_seconds, HORIZON_SECONDS)

    @cached_property
    def _reaction_seconds(self) -> float:
        return REACTION_HORIZONS * self._horizon_seconds

    @cached_property
    def _variability(self) -> float:
        return max(1.0, (1 + self.load.service_scv) / 2)

    @cached_property
    def backlog_per_second(self) -> float:
        """Tasks a second that get the backlog done in time, what is added until new workers take part included."""
        if not self.load.backlog_tasks:
            return 0.0
        drain_seconds = max(DRAIN_IN_OBJECTIVES * self.objective_seconds, SHORTEST_DRAIN_SECONDS, self.start_seconds)
        growing = max(self.load.backlog_growth_per_second, 0.0) * self.start_seconds
        return (self.load.backlog_tasks + growing) / drain_seconds

    @cached_property
    def utilisation_cap(self) -> float:
        """The cap for the objective's percentile of the tasks.

        The tail of a wait is exponential in the spare capacity: for the same wait so much of it is needed as the
        logarithm of what may be late.
        """
        stricter = math.log(1 - self.percentile / 100) / math.log(1 - USUAL_PERCENTILE / 100)
        cap = 1 - (1 - UTILISATION_CAP[self.load.task_type]) * stricter
        return min(max(cap, LOWEST_CAP), HIGHEST_CAP)


def workers_needed(asked: Asked, service: Service) -> tuple[int, Constraint]:
    """The fewest workers that keep the objective and get the backlog done, and which of the two asks for them."""
    stream = asked.stream(service.task_seconds)
    arriving, backlog = stream.erlangs, asked.backlog_per_second * service.task_seconds
    erlangs, by_load = arriving + backlog, BY_LOAD[asked.load.task_type]
    if erlangs <= 0:
        return 0, by_load
    fewest = math.ceil(erlangs / (service.slots * asked.utilisation_cap) - 1e-9)
    workers = _enough(stream, asked, service, max(fewest, 1))
    return workers, Constraint.BACKLOG if backlog > arriving else by_load


def predicted_wait(asked: Asked, service: Service, workers: int) -> float:
    """The objective's percentile of the time a task waits; infinite where the workers can't keep up."""
    return wait_seconds(_servers(workers, service), asked.stream(service.task_seconds), asked.percentile)


def _enough(stream: Stream, asked: Asked, service: Service, fewest: int) -> int:
    """The fewest workers from `fewest` on whose wait is inside the objective; the wait falls with each more."""

    def keeps(workers: int) -> bool:
        return wait_seconds(_servers(workers, service), stream, asked.percentile) <= asked.objective_seconds

    below, enough = fewest - 1, fewest
    while not keeps(enough) and enough < MOST_WORKERS:
        below, enough = enough, min(enough + max(1, enough - fewest + 1), MOST_WORKERS)
    while enough - below > 1:
        middle = (below + enough) // 2
        below, enough = (below, middle) if keeps(middle) else (middle, enough)
    return enough


def _servers(workers: int, service: Service) -> int:
    return max(1, int(workers * service.slots)) if workers else 0
