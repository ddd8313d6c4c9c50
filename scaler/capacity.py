"""How many workers one task type needs, and how long its tasks wait with so many. Pure."""

import math
from dataclasses import dataclass

from scaler.demand import LARGEST_MARGIN, SURPRISE_HORIZON
from scaler.model.common import TaskType
from scaler.model.decision import Constraint
from scaler.model.estimate import Load
from scaler.queueing import Stream, wait_seconds

UTILISATION_CAP = {TaskType.WORKFLOW: 0.7, TaskType.ACTIVITY: 0.95}
"""No slot may be busier than this on average: the waiting formula is optimistic for bursty arrivals, and workflow
tasks share a few cores with replays."""

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

        The margin is of a fixed horizon; what comes within a longer start is as uncertain as a random walk's end.
        """
        ahead = max(1.0, math.sqrt(self.start_seconds / SURPRISE_HORIZON.total_seconds()))
        largest_per_second = max(LARGEST_MARGIN * load.arrivals_per_second, load.margin_per_second)
        margin_per_second = min(ahead * load.margin_per_second, largest_per_second)
        return Stream(
            arrivals_per_second=load.arrivals_per_second + margin_per_second,
            service_seconds=self.task_seconds,
            variability=max(1.0, (1 + load.service_scv) / 2),
        )


def workers_needed(load: Load, service: Service) -> tuple[int, Constraint]:
    """The fewest workers that keep the objective and get the backlog done, and which of the two asks for them."""
    by_load = Constraint.WORKFLOW_TASK_LOAD if load.task_type is TaskType.WORKFLOW else Constraint.ACTIVITY_LOAD
    stream, backlog = service.stream(load), backlog_erlangs(load, service)
    erlangs = stream.erlangs + backlog
    if erlangs <= 0:
        return 0, by_load
    fewest = math.ceil(erlangs / (service.slots * UTILISATION_CAP[load.task_type]) - 1e-9)
    workers = _enough(stream, service, max(fewest, 1))
    return workers, Constraint.BACKLOG if backlog > stream.erlangs else by_load


def backlog_erlangs(load: Load, service: Service) -> float:
    """Slots that get the backlog done in time, what is added until new workers take part included."""
    drain_seconds = max(DRAIN_IN_OBJECTIVES * service.objective_seconds, SHORTEST_DRAIN_SECONDS, service.start_seconds)
    growing = max(load.backlog_growth_per_second, 0.0) * service.start_seconds
    return (load.backlog_tasks + growing) * service.task_seconds / drain_seconds if load.backlog_tasks else 0.0


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
