"""How soon a burst was answered by an order for more workers. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from benchmarks.live.histories import Waits
from benchmarks.live.site import MOST_WORKERS
from benchmarks.live.watch import Sample

ACTIVITY_OBJECTIVE_SECONDS = 1.0
WORKFLOW_TASK_OBJECTIVE_SECONDS = 0.2
"""What a fleet is declared with that declares none."""


def reaction_seconds(waits: Waits, samples: Sequence[Sample], bursts: Iterable[tuple[float, float]]) -> float | None:
    """The longest over all bursts, from the first task that waits beyond its objective to the next order.

    The time of a task is when it was scheduled. An order before that answers at once; a burst that no order answers
    counts until its end. None where no task of any burst waited so long, or all workers were there before it did.
    """
    found = [_reaction(waits, samples, begins, ends) for begins, ends in bursts]
    return max((seconds for seconds in found if seconds is not None), default=None)


def _reaction(waits: Waits, samples: Sequence[Sample], begins: float, ends: float) -> float | None:
    beyond = [wait.at_seconds for wait in waits.activities if wait.seconds > ACTIVITY_OBJECTIVE_SECONDS]
    beyond += [wait.at_seconds for wait in waits.workflow_tasks if wait.seconds > WORKFLOW_TASK_OBJECTIVE_SECONDS]
    first = min((at for at in beyond if begins <= at < ends), default=None)
    if first is None or _desired(samples, begins) >= MOST_WORKERS:
        return None
    ordered = (at for at in _orders(samples) if begins <= at < ends)
    return max(min(ordered, default=ends) - first, 0.0)


def _desired(samples: Sequence[Sample], at_seconds: float) -> int:
    return next((sample.desired for sample in reversed(samples) if sample.at_seconds <= at_seconds), 0)


def _orders(samples: Sequence[Sample]) -> Iterable[float]:
    """When more workers were asked for than before."""
    return (later.at_seconds for sooner, later in pairwise(samples) if later.desired > sooner.desired)
