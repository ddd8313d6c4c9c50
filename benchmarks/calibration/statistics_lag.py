"""E9: how late and how wrong queue statistics are, for a step of load: `python -m …calibration.statistics_lag`.

Truth is what the server stamped on each activity: when it was scheduled, and when it was started.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean, median
from typing import Any, Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from benchmarks.calibration.ground import Ground
from benchmarks.calibration.outcome import Outcome, run
from benchmarks.calibration.session import Rest, rest
from benchmarks.calibration.subject import Made
from scaler.simulation.scenario import MetricPath

SLOTS: Final = 4
SERVICE_SECONDS: Final = 1.0
PHASES: Final = ((40.0, 2.0), (50.0, 9.0), (80.0, 0.0))
"""Seconds, and activities a second: within capacity, beyond it, none."""

LOOK_SECONDS: Final = 0.5
SETTLED_SECONDS: Final = 30.0
LAG_BAND_SECONDS: Final = 5.0
BACKLOG_BAND: Final = 0.10
MANY: Final = 10


@dataclass(frozen=True, slots=True)
class Look:
    """What the server said."""

    at: float
    backlog: int
    age_seconds: float
    add_rate: float
    dispatch_rate: float


async def statistics_lag(ground: Ground) -> Outcome:
    """Load, watch, and compare with what was true."""
    queue = ground.queue("statistics")
    worker = await ground.worker(Made(queues=(queue,), activity_slots=SLOTS, workflows=False))
    looks: list[Look] = []
    watching = asyncio.create_task(_watch(ground, queue, looks))
    began = _now()
    await _load(ground, queue)
    watching.cancel()
    records = worker.records()
    return compared(
        looks,
        Truth(
            scheduled=sorted(record["scheduled"] for record in records),
            started=sorted(record["started"] for record in records),
            began=began,
        ),
    )


@dataclass(frozen=True, slots=True)
class Truth:
    """When each task was scheduled and started, in order of time, and when the load began."""

    scheduled: Sequence[float]
    started: Sequence[float]
    began: float

    @property
    def step_at(self) -> float:
        """When the load went up."""
        return self.began + PHASES[0][0]

    @property
    def end_at(self) -> float:
        """When it stopped."""
        return self.step_at + PHASES[1][0]

    def waiting(self, at: float) -> int:
        """Tasks that were scheduled and not started at this moment."""
        return bisect_right(self.scheduled, at) - bisect_right(self.started, at)

    def scheduled_per_second(self, since: float, until: float) -> float:
        """The true rate."""
        return (bisect_right(self.scheduled, until) - bisect_right(self.scheduled, since)) / (until - since)


def compared(looks: Sequence[Look], truth: Truth) -> Outcome:
    """What the server said against what was true."""
    path = MetricPath()
    modelled = path.queue_window.total_seconds() / 2 + path.queue_cache.total_seconds() / 2
    low, high = PHASES[0][1], PHASES[1][1]
    lags = {
        "up": _crossing(looks, truth.step_at, lambda look: look.add_rate >= (low + high) / 2),
        "down": _crossing(looks, truth.end_at, lambda look: look.add_rate <= high / 2),
    }
    settled = [look for look in looks if truth.step_at + SETTLED_SECONDS <= look.at < truth.end_at]
    lag = _backlog_lag(looks, truth)
    bias = median(look.backlog / truth.waiting(look.at) - 1 for look in settled)
    errors = {name: seconds - modelled for name, seconds in lags.items()}
    late = [look for look in settled if look.at >= truth.end_at - 10]
    met = all(abs(error) <= LAG_BAND_SECONDS for error in errors.values()) and abs(bias) <= BACKLOG_BAND
    return Outcome(
        constants={
            "add_rate_half_way_after_seconds": lags,
            "backlog_lag_seconds": lag,
            "longest_unchanged_answer_seconds": _longest_standing(looks),
        },
        residuals={
            "modelled_half_way_seconds": modelled,
            "lag_errors_seconds": errors,
            "backlog_bias_after_30_s": bias,
            "backlog_bias_after_30_s_lag_removed": median(
                look.backlog / truth.waiting(look.at - lag) - 1 for look in settled
            ),
            "add_rate_bias_settled": fmean(look.add_rate for look in late)
            / truth.scheduled_per_second(truth.end_at - 40, truth.end_at)
            - 1,
            "ten_waiting_seen_after_seconds": _first_seen(looks, truth),
            "age_of_the_oldest_told_at_most_seconds": max(look.age_seconds for look in looks),
        },
        band="rates' lag within ±5 s of the simulator's path; backlog within ±10 % 30 s after the step",
        met=met,
        why_not="" if met else "see the residuals",
        details={"looks": [_short(look, truth) for look in looks[::4]]},
    )


def _now() -> float:
    return datetime.now(UTC).timestamp()


async def _watch(ground: Ground, queue: str, looks: list[Look]) -> None:
    request = DescribeTaskQueueRequest(
        namespace=ground.client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    while True:
        stats = (await ground.client.workflow_service.describe_task_queue(request)).stats
        looks.append(
            Look(
                at=_now(),
                backlog=stats.approximate_backlog_count,
                age_seconds=stats.approximate_backlog_age.ToTimedelta().total_seconds(),
                add_rate=stats.tasks_add_rate,
                dispatch_rate=stats.tasks_dispatch_rate,
            )
        )
        await asyncio.sleep(LOOK_SECONDS)


async def _load(ground: Ground, queue: str) -> None:
    clock = asyncio.get_running_loop().time
    due, sent = clock(), 0
    async with asyncio.TaskGroup() as calls:
        for seconds, per_second in PHASES:
            until = due + seconds
            while per_second and due < until:
                await asyncio.sleep(due - clock())
                calls.create_task(_start(ground, queue, sent))
                sent, due = sent + 1, due + 1 / per_second
            due = until
        await asyncio.sleep(due - clock())


async def _start(ground: Ground, queue: str, number: int) -> None:
    await ground.client.start_activity(
        rest,
        Rest(seconds=SERVICE_SECONDS),
        id=f"{queue}/{number}",
        task_queue=queue,
        start_to_close_timeout=timedelta(seconds=60),
    )


def _crossing(looks: Sequence[Look], since: float, passed: Callable[[Look], bool]) -> float:
    """How long after a step a figure has passed a mark; ValueError if it never did."""
    for look in looks:
        if look.at >= since and passed(look):
            return look.at - since
    raise ValueError("a rate never passed the middle of its step: the experiment is too short for the server's window")


def _first_seen(looks: Sequence[Look], truth: Truth) -> float:
    """From when the backlog was ten tasks until the statistics said so."""
    true_at = next(at for at in truth.scheduled if at >= truth.step_at and truth.waiting(at) >= MANY)
    return next(look.at for look in looks if look.at >= true_at and look.backlog >= MANY) - true_at


def _longest_standing(looks: Sequence[Look]) -> float:
    """For how long the server gave one and the same answer while the truth changed with every task."""
    longest, since = 0.0, looks[0]
    for look in looks:
        if look.backlog != since.backlog:
            since = look
        elif look.backlog > 0:
            longest = max(longest, look.at - since.at)
    return longest


def _backlog_lag(looks: Sequence[Look], truth: Truth) -> float:
    """By how much the reported backlog is behind the truth: the shift with the smallest squared error."""
    own = [look for look in looks if truth.step_at <= look.at < truth.end_at]
    return min(
        (tenth / 10 for tenth in range(101)),
        key=lambda shift: sum((look.backlog - truth.waiting(look.at - shift)) ** 2 for look in own),
    )


def _short(look: Look, truth: Truth) -> dict[str, Any]:
    return {
        "t": look.at - truth.began,
        "backlog": look.backlog,
        "true": truth.waiting(look.at),
        "age": look.age_seconds,
        "add": look.add_rate,
        "dispatch": look.dispatch_rate,
    }


if __name__ == "__main__":
    run("E9", statistics_lag)
