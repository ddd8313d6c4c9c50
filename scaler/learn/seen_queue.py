"""What one observation shows of one task queue and type: statistics, task times and its workers' slots. Pure."""

import math
from dataclasses import dataclass, replace
from datetime import datetime

from scaler.fleet import Fleet
from scaler.learn import freshness
from scaler.learn.slots import Slots, slots_of
from scaler.model.common import Polled, Quality
from scaler.model.observation import Observation, QueueSeen, TaskTimesSeen

FIRST_BEAT_SECONDS = freshness.HEARTBEAT.fresh.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenQueue:
    """One task queue and type in one observation; of statistics only this fleet's share."""

    polled: Polled
    at: datetime
    statistics: QueueSeen
    times: TaskTimesSeen
    slots: Slots
    any_beats: bool  # whether any worker tells of itself
    all_beat: bool  # whether every ready worker does
    never_beats: bool  # whether none does although one has had the time to: it never will
    ready: int = 0
    served_for_seconds: float = 0.0  # how long all ready workers have served

    def quality(self, now: datetime) -> Quality:
        """How well the queue's statistics are known."""
        return freshness.QUEUE_STATISTICS.quality(self.statistics, now)

    @property
    def service_seconds(self) -> float | None:
        """The mean of sampled histories; None where none was read."""
        return self.times.service_mean_seconds if self.times.samples else None


def seen_queue(seen: Observation, fleet: Fleet, polled: Polled) -> SeenQueue:
    """What an observation shows of one of the fleet's queues."""
    return SeenQueue(
        polled=polled,
        at=seen.observed_at,
        statistics=_shared(_statistics(seen, polled), fleet.share(polled.queue)),
        times=next((each for each in seen.task_times if _is(each, polled)), _no_times(polled)),
        slots=slots_of(seen, fleet, polled),
        any_beats=seen.any_beats,
        all_beat=seen.all_beat,
        never_beats=_never_beats(seen),
        ready=sum(total.ready for total in seen.totals),
        served_for_seconds=min(
            (worker.age_seconds - (worker.started_in_seconds or 0.0) for worker in seen.ready), default=0.0
        ),
    )


def _statistics(seen: Observation, polled: Polled) -> QueueSeen:
    unread = QueueSeen(queue=polled.queue, task_type=polled.task_type)
    return next((each for each in seen.queues if _is(each, polled)), unread)


def _shared(queue: QueueSeen, share: float) -> QueueSeen:
    """The part of a queue that is this fleet's; of tasks that wait no fraction, so that the last one is somebody's."""
    if share == 1:
        return queue

    def part(figure: float | None) -> float | None:
        return None if figure is None else share * figure

    return replace(
        queue,
        backlog_tasks=None if queue.backlog_tasks is None else math.ceil(share * queue.backlog_tasks),
        arrivals_per_second=part(queue.arrivals_per_second),
        dispatches_per_second=part(queue.dispatches_per_second),
    )


def _is(reading: QueueSeen | TaskTimesSeen, polled: Polled) -> bool:
    return reading.queue == polled.queue and reading.task_type is polled.task_type


def _no_times(polled: Polled) -> TaskTimesSeen:
    return TaskTimesSeen(queue=polled.queue, task_type=polled.task_type)


def _never_beats(seen: Observation) -> bool:
    """Where all are young, as after a rollout, they may be as busy as they like before the first one beats."""
    return not seen.any_beats and any(worker.age_seconds > FIRST_BEAT_SECONDS for worker in seen.ready)
