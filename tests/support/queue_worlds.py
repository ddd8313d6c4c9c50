"""Fleets that poll several queues for activities, each of which is told with slots of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scaler.model.common import Quality, TaskType
from scaler.model.observation import Observation, QueueSeen, QueueSlots, TaskTimesSeen
from scaler.model.remembered import Operator
from tests.support.plausible import Life, Step, with_workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What comes in one queue of activities, and the slots that one worker has for it."""

    queue: str
    per_second: float
    seconds: float
    slots: int = 10
    waiting: int = 0
    waited_seconds: float = 0.0
    limited: bool = False


def activity_queues(*names: str, **declared: object) -> list[dict[str, object]]:
    """As a fleet declares them."""
    return [{"name": name, "types": ["activity"], **declared} for name in names]


def told_of(life: Life, streams: Sequence[Stream], *, by_queue: bool = True, beats: bool = True) -> Observation:
    """The fleet under these streams; without `by_queue` workers tell sums alone, without `beats` nothing."""
    seen, workers = life.observe(0.0, 0.0), life.size.workers
    used = {each.queue: min(each.slots * workers, round(each.per_second * each.seconds)) for each in streams}
    rows = tuple(
        replace(
            row,
            caches=0,
            cached=None,
            workflow_slots=0,
            activity_slots=sum(each.slots for each in streams),
            activity_slots_used=_of_one(sum(used.values()), index, workers),
            activities_per_second=sum(each.per_second for each in streams) / workers,
            heartbeat_age_seconds=1.0 if beats else None,
        )
        for index, row in enumerate(seen.workers)
    )
    slots = tuple(
        QueueSlots(
            queue=each.queue,
            task_type=TaskType.ACTIVITY,
            beating=workers,
            sized=workers,
            slots=workers * each.slots,
            used=used[each.queue],
            done_per_second=each.per_second,
            settled_used=used[each.queue],
            settled_done_per_second=each.per_second,
        )
        for each in streams
    )
    return replace(
        with_workers(seen, rows),
        queues=tuple(_statistics(seen, each) for each in streams),
        task_times=tuple(_times(seen, each) for each in streams),
        slots=slots if by_queue and beats and workers else (),
    )


def passed_with(life: Life, ticks: int, streams: Sequence[Stream], tell: Callable[..., Observation] = told_of) -> Step:
    """The last decision of so many under these streams."""
    for _ in range(ticks):
        life.tick(tell(life, streams), Operator())
    return life.steps[-1]


def _of_one(total: int, index: int, workers: int) -> int:
    return total // workers + (index < total % workers)


def _statistics(seen: Observation, stream: Stream) -> QueueSeen:
    return QueueSeen(
        at=seen.observed_at,
        quality=Quality.FRESH,
        queue=stream.queue,
        task_type=TaskType.ACTIVITY,
        backlog_tasks=stream.waiting,
        backlog_age_seconds=stream.waited_seconds,
        arrivals_per_second=stream.per_second,
        dispatches_per_second=stream.per_second,
        rate_limited=stream.limited,
    )


def _times(seen: Observation, stream: Stream) -> TaskTimesSeen:
    return TaskTimesSeen(
        at=seen.observed_at,
        quality=Quality.FRESH,
        queue=stream.queue,
        task_type=TaskType.ACTIVITY,
        samples=50,
        schedule_to_start_seconds=0.01,
        service_mean_seconds=stream.seconds,
        service_scv=0.5,
    )
