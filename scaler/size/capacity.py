"""How many workers one task queue and type needs, and how long its tasks wait with so many. Pure."""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

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

BEAT_AGE_SECONDS = 45.0
"""How old what workers told of their slots may be on average, with what a tick adds."""

UNTOLD_SECONDS = 60.0
"""What workers that have not told yet took on came within about an interval of their heartbeats."""

REACTION_HORIZONS = 2.0
"""What surprises now is answered within so many horizons: readings are as old as one, a start takes the other."""

DRAIN_IN_OBJECTIVES = 5.0
SHORTEST_DRAIN_SECONDS = 5.0
"""A backlog is to be gone within so many objectives, but no faster than new workers start."""

MOST_WORKERS = 10_000


@dataclass(frozen=True, slots=True)
class Service:
    """What one worker offers the tasks of one queue and type."""

    slots: float  # tasks of this type that it runs at a time
    task_seconds: float


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked for one task queue and type; what is the same for all sizes is worked out once."""

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
        return self._waiting_tasks / drain_seconds

    @cached_property
    def _waiting_tasks(self) -> float:
        """Tasks that wait, and those that will have come on top until new workers take part."""
        growing = max(self.load.backlog_growth_per_second, 0.0) * self.start_seconds
        return self.load.backlog_tasks + growing if self.load.backlog_tasks else 0.0

    def backlog_slots(self, task_seconds: float) -> float:
        """Slots that get the backlog done in time; a task that takes longer than that needs one slot and no more."""
        return min(self.backlog_per_second * task_seconds, self._waiting_tasks)

    def slots_soon(self, task_seconds: float) -> float | None:
        """Slots that will be taken once a decision of now has taken effect, at the percentile; None for short tasks.

        Long tasks come to λ·S slots only after several times S, and what is under way is seen. The transient law of
        many servers (Eick, Massey and Whitt 1993): of those that run, a part e^(−h/S) still does after h seconds; what
        comes meanwhile is Poisson.
        """
        load, ahead_seconds = self.load, self._horizon_seconds + BEAT_AGE_SECONDS
        if load.task_type is not TaskType.ACTIVITY or not load.busy_told or task_seconds <= 2 * ahead_seconds:
            return None
        if not load.busy_known:
            ahead_seconds += UNTOLD_SECONDS
        left = math.exp(-ahead_seconds / task_seconds)
        coming = (load.arrivals_per_second + self._margin_per_second) * task_seconds * (1 - left)
        staying = load.busy_slots * left
        deviation = math.sqrt(staying * (1 - left) + coming)
        return staying + coming + NormalDist().inv_cdf(self.percentile / 100) * deviation

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
    backlog, by_load = asked.backlog_slots(service.task_seconds), BY_LOAD[asked.load.task_type]
    soon = asked.slots_soon(service.task_seconds)
    if soon is not None:
        workers = math.ceil(max(soon + backlog, 0.0) / service.slots - 1e-9)
        return workers, Constraint.BACKLOG if backlog > soon else by_load
    stream = asked.stream(service.task_seconds)
    arriving, erlangs = stream.erlangs, stream.erlangs + backlog
    if erlangs <= 0:
        return 0, by_load
    fewest = math.ceil(erlangs / (service.slots * asked.utilisation_cap) - 1e-9)
    workers = _enough(stream, asked, service, max(fewest, 1))
    return workers, Constraint.BACKLOG if backlog > arriving else by_load


def predicted_wait(asked: Asked, service: Service, workers: int) -> float:
    """The objective's percentile of the time a task waits; infinite where the workers can't keep up."""
    servers, soon = _servers(workers, service), asked.slots_soon(service.task_seconds)
    if soon is not None and soon <= servers:
        return 0.0
    return wait_seconds(servers, asked.stream(service.task_seconds), asked.percentile)


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
