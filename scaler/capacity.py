"""How many workers one task type needs, and how long its tasks wait with so many. Pure."""

import math
from dataclasses import dataclass

from scaler.demand import LARGEST_MARGIN, SURPRISE_HORIZON
from scaler.model.common import TaskType
from scaler.model.decision import Constraint
from scaler.model.estimate import Load
from scaler.queueing import Stream, wait_seconds

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What one worker offers a task type, and what is asked of it."""

    slots: float  # tasks of this type that one worker runs at a time
    task_seconds: float
    objective_seconds: float
    percentile: float
    start_seconds: float  # until a new worker takes tasks

    def stream(self, load: Load) -> Stream:
        """The tasks as they may come before more workers could be there.

        The margin is of a fixed horizon; what comes within a longer start is as uncertain as a random walk's end. Of
        tasks that take longer than it takes to react, only a part can be under way by then.
        """
        horizon_seconds = max(self.start_seconds, HORIZON_SECONDS)
        ahead = math.sqrt(horizon_seconds / HORIZON_SECONDS)
        largest_per_second = max(LARGEST_MARGIN * load.arrivals_per_second, load.margin_per_second)
        reaction_seconds = REACTION_HORIZONS * horizon_seconds
        begun = reaction_seconds / max(self.task_seconds, reaction_seconds)
        margin_per_second = begun * min(ahead * load.margin_per_second, largest_per_second)
        return Stream(
            arrivals_per_second=load.arrivals_per_second + margin_per_second,
            service_seconds=self.task_seconds,
            variability=max(1.0, (1 + load.service_scv) / 2),
        )


def workers_needed(load: Load, service: Service) -> tuple[int, Constraint]:
    """The fewest workers that keep the objective and get the backlog done, and which of the two asks for them."""
    stream = service.stream(load)
    arriving, backlog = stream.erlangs, backlog_erlangs(load, service)
    erlangs = arriving + backlog
    if erlangs <= 0:
        return 0, BY_LOAD[load.task_type]
    fewest = math.ceil(erlangs / (service.slots * _utilisation_cap(load.task_type, service.percentile)) - 1e-9)
    workers = _enough(stream, service, max(fewest, 1))
    return workers, Constraint.BACKLOG if backlog > arriving else BY_LOAD[load.task_type]


def _utilisation_cap(task_type: TaskType, percentile: float) -> float:
    """The cap for a percentile of the tasks.

    The tail of a wait is exponential in the spare capacity: for the same wait so much of it is needed as the logarithm
    of what may be late.
    """
    stricter = math.log(1 - percentile / 100) / math.log(1 - USUAL_PERCENTILE / 100)
    return min(max(1 - (1 - UTILISATION_CAP[task_type]) * stricter, LOWEST_CAP), HIGHEST_CAP)


def backlog_erlangs(load: Load, service: Service) -> float:
    """Slots that get the backlog done in time, what is added until new workers take part included."""
    if not load.backlog_tasks:
        return 0.0
    drain_seconds = max(DRAIN_IN_OBJECTIVES * service.objective_seconds, SHORTEST_DRAIN_SECONDS, service.start_seconds)
    growing = max(load.backlog_growth_per_second, 0.0) * service.start_seconds
    return (load.backlog_tasks + growing) * service.task_seconds / drain_seconds


def predicted_wait(load: Load, service: Service, workers: int) -> float:
    """The objective's percentile of the time a task waits; infinite where the workers can't keep up."""
    return wait_seconds(_servers(workers, service), service.stream(load), service.percentile)


def _enough(stream: Stream, service: Service, fewest: int) -> int:
    """The fewest workers from `fewest` on whose wait is inside the objective; the wait falls with each more."""
    below, enough = fewest - 1, fewest
    while not _keeps(stream, service, enough) and enough < MOST_WORKERS:
        below, enough = enough, min(enough + max(1, enough - fewest + 1), MOST_WORKERS)
    while enough - below > 1:
        middle = (below + enough) // 2
        below, enough = (below, middle) if _keeps(stream, service, middle) else (middle, enough)
    return enough


def _keeps(stream: Stream, service: Service, workers: int) -> bool:
    return wait_seconds(_servers(workers, service), stream, service.percentile) <= service.objective_seconds


def _servers(workers: int, service: Service) -> int:
    return max(1, int(workers * service.slots)) if workers else 0
