"""What one observation shows of one task queue and type: statistics, task times and its workers' slots. Pure."""

from dataclasses import dataclass
from datetime import datetime

from scaler.fleet import Fleet
from scaler.learn import freshness
from scaler.learn.slots import Slots, slots_of
from scaler.model.common import Polled, Quality
from scaler.model.observation import Observation, QueueSeen, TaskTimesSeen

FIRST_BEAT_SECONDS = freshness.HEARTBEAT.fresh.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenQueue:
    """One task queue and type in one observation.

    Statistics are of the whole queue, and so is `whole`: the slots as they would be if all that this fleet does a
    `share` of were its own. `slots` are those of this fleet's workers.
    """

    polled: Polled
    statistics: QueueSeen
    times: TaskTimesSeen
    share: float
    slots: Slots
    observed: Observation  # all of what it is one part of

    @property
    def at(self) -> datetime:
        """When it was observed."""
        return self.observed.observed_at

    @property
    def never_beats(self) -> bool:
        """Whether no worker tells of itself although one has had the time to: it never will.

        Where all are young, as after a rollout, they may be as busy as they like before the first one beats.
        """
        if self.observed.any_beats:
            return False
        return any(worker.age_seconds > FIRST_BEAT_SECONDS for worker in self.observed.ready)

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
        share=fleet.share(polled.queue),
        statistics=_statistics(seen, polled),
        times=next((each for each in seen.task_times if Polled.of(each) == polled), _no_times(polled)),
        slots=slots_of(seen, fleet, polled),
        observed=seen,
    )


def _statistics(seen: Observation, polled: Polled) -> QueueSeen:
    unread = QueueSeen(queue=polled.queue, task_type=polled.task_type)
    return next((each for each in seen.queues if Polled.of(each) == polled), unread)


def _no_times(polled: Polled) -> TaskTimesSeen:
    return TaskTimesSeen(queue=polled.queue, task_type=polled.task_type)
