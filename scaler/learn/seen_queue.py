"""What one observation shows of one task queue and type: statistics, task times and its workers' slots. Pure."""

from dataclasses import dataclass
from datetime import datetime

from scaler.fleet import Fleet
from scaler.learn import freshness
from scaler.learn.slots import Slots, slots_of
from scaler.model.common import Polled, Quality
from scaler.model.observation import Observation, QueueSeen, TaskTimesSeen, WorkerSeen

FIRST_BEAT_SECONDS = freshness.HEARTBEAT.fresh.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenQueue:
    """One task queue and type in one observation.

    Statistics are of the whole queue, and so is `whole`: the slots as they would be if all that this fleet does a
    `share` of were its own. `slots` are those of this fleet's workers.
    """

    polled: Polled
    at: datetime
    statistics: QueueSeen
    times: TaskTimesSeen
    share: float
    slots: Slots
    any_beats: bool  # whether any worker tells of itself
    all_beat: bool  # whether every ready worker does
    never_beats: bool  # whether none does although one has had the time to: it never will
    ready: int = 0
    served_for_seconds: float = 0.0  # how long all ready workers have served
    workers: tuple[WorkerSeen, ...] = ()  # those that are ready

    @property
    def whole(self) -> Slots:
        """The slots of all fleets that serve the queue, as far as this one's share tells."""
        return self.slots if self.share == 1 else self.slots.times(1 / self.share)

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
        share=fleet.share(polled.queue),
        statistics=_statistics(seen, polled),
        times=next((each for each in seen.task_times if _is(each, polled)), _no_times(polled)),
        slots=slots_of(seen, fleet, polled),
        any_beats=seen.any_beats,
        all_beat=seen.all_beat,
        never_beats=_never_beats(seen),
        ready=sum(total.ready for total in seen.totals),
        served_for_seconds=min(
            (worker.age_seconds - (worker.started_in_seconds or 0.0) for worker in seen.ready), default=0.0
        ),
        workers=tuple(seen.ready),
    )


def _statistics(seen: Observation, polled: Polled) -> QueueSeen:
    unread = QueueSeen(queue=polled.queue, task_type=polled.task_type)
    return next((each for each in seen.queues if _is(each, polled)), unread)


def _is(reading: QueueSeen | TaskTimesSeen, polled: Polled) -> bool:
    return reading.queue == polled.queue and reading.task_type is polled.task_type


def _no_times(polled: Polled) -> TaskTimesSeen:
    return TaskTimesSeen(queue=polled.queue, task_type=polled.task_type)


def _never_beats(seen: Observation) -> bool:
    """Where all are young, as after a rollout, they may be as busy as they like before the first one beats."""
    return not seen.any_beats and any(worker.age_seconds > FIRST_BEAT_SECONDS for worker in seen.ready)
