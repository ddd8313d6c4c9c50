"""How long tasks may run at most, as far as anything tells: what a worker that leaves must have the time for. Pure.

Samples of tasks that ended leave out the longest, which have not ended: what is under way counts as well.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scaler.model.common import TaskType
from scaler.model.estimate import Load
from scaler.model.observation import TaskTimesSeen

DEVIATIONS = 4.0
"""Nearly all tasks end within their mean and so many standard deviations: of exponential times 99.3 %, of any at least
94 % (Cantelli's inequality)."""

FEWEST_SAMPLES = 20
"""Fewer tell little of how lengths vary: they are taken to vary as exponential ones at least."""

WORKFLOW_TASK_SECONDS = 10.0
"""Taken for workflow tasks of which nothing is known: the server's time-out for them, unless it is set otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLength:
    """How long tasks of one type run: `longest_seconds` is infinite where nothing tells.

    `unending_per_second` of a kind begin that runs for longer than any that ended.
    """

    longest_seconds: float
    mean_seconds: float = 0.0
    scv: float = 1.0
    unending_per_second: float = 0.0

    def beyond(self, seconds: float, arrivals_per_second: float) -> float:
        """About how many of these tasks begin a second that will run for longer than this."""
        if self.longest_seconds <= seconds:
            return 0.0
        if math.isinf(self.mean_seconds):
            return arrivals_per_second
        # As if one in 1 + scv were of an exponential kind that makes up all the running time, and the rest took none.
        long_mean = self.mean_seconds * (1 + self.scv)
        ended = math.exp(-seconds / long_mean) / (1 + self.scv) if long_mean else 0.0
        return min(ended * arrivals_per_second + self.unending_per_second, arrivals_per_second)


def task_length(loads: Iterable[Load], times: Sequence[TaskTimesSeen], task_type: TaskType) -> TaskLength:
    """The longest of what mean and variability say, of the samples, and of what is under way.

    Of a task that has run for longer than any that ended nothing tells when it will end.
    """
    seen = [each for each in times if each.task_type is task_type]
    samples = {each.queue: each.samples for each in seen}
    lengths = [_by_moments(load, samples.get(load.queue, 0)) for load in loads if load.task_type is task_type]
    typical = max(lengths, key=lambda each: each.longest_seconds, default=TaskLength(longest_seconds=0.0))
    ended = max([typical.longest_seconds, *(each.longest_seconds or 0.0 for each in seen)])
    under_way = [each.under_way for each in seen if each.under_way is not None]
    oldest_seconds = max((each.oldest_seconds for each in under_way), default=0.0)
    if oldest_seconds <= ended:
        return replace(typical, longest_seconds=ended)
    # By Little's law, as they take at least as long as the oldest of them has.
    unending_per_second = sum(each.tasks for each in under_way) / oldest_seconds
    return replace(typical, longest_seconds=math.inf, unending_per_second=unending_per_second)


def _by_moments(load: Load, samples: int) -> TaskLength:
    if load.service_seconds is None:
        unknown = WORKFLOW_TASK_SECONDS if load.task_type is TaskType.WORKFLOW else math.inf
        return TaskLength(longest_seconds=unknown, mean_seconds=unknown)
    scv = load.service_scv if samples >= FEWEST_SAMPLES else max(load.service_scv, 1.0)
    longest = load.service_seconds * (1 + DEVIATIONS * math.sqrt(scv))
    return TaskLength(longest_seconds=longest, mean_seconds=load.service_seconds, scv=scv)
