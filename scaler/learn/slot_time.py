"""How long a task occupies its slot: off sampled histories at first, by Little's law once workers tell. Pure."""

import math
from datetime import timedelta

from scaler.learn.level import level_after
from scaler.learn.seen_queue import SeenQueue
from scaler.learn.slots import SERVED_FOR
from scaler.model.common import TaskType
from scaler.model.remembered import Demand, Level

SAMPLED_TIME, COUNTED_TIME = timedelta(minutes=3), timedelta(minutes=8)
"""Time constants at most: service times follow code and downstreams, and slots are counted once in a heartbeat."""

FIRST_TIME = timedelta(seconds=10)
"""Time constant at first: of five tasks under way one has ended, and what that tells would stay for minutes."""

LONGEST_BY_LITTLE = timedelta(seconds=35)
"""What is done now was begun so long ago at most. Of longer tasks a load that grows would be taken for longer tasks."""

BALANCED_WITHIN = 0.2
"""So much more or less may be done than arrives, and be taken than was of late, beside what two deviations of a count
explain. After a jump slots are taken at once and done is the mean of a minute: tasks of 6 s passed for ones of 7.7 s,
and of 12 s as long as arrivals knew nothing of the jump either."""

COUNTED_OVER_SECONDS = 60.0

TOLD_FOR = timedelta(minutes=10)
"""For so long what Little's law told stands against samples, while no worker has served for long enough."""


def service_after(demand: Demand, seen: SeenQueue, watched: timedelta) -> Level:
    """The level of slot times after one more observation, which is a mean at first and forgets later.

    Args:
        demand: What is remembered of the queue.
        seen: What the observation shows of it.
        watched: For how long arrivals have been watched without a gap.

    """
    known, told_for = demand.service_seconds, max(watched - SERVED_FOR, FIRST_TIME)
    counted = _by_little(demand, seen) if seen.polled.task_type is TaskType.ACTIVITY else None
    if counted is not None:
        return level_after(known, counted, seen.at, min(told_for, COUNTED_TIME))
    if not _samples_count(demand, seen, watched):
        return known
    return level_after(known, _sampled(demand, seen), seen.at, min(told_for, SAMPLED_TIME))


def _by_little(demand: Demand, seen: SeenQueue) -> float | None:
    """Slots taken for each activity a second, of workers that have served for a while; None where the law doesn't hold.

    Samples of a young fleet tell of short tasks first (seen: 2.6 s after four minutes and 5 s after forty, of 6 s):
    who is read while its task is under way shows only those before. Workflow tasks are not counted: they last
    milliseconds, and a momentary count of slots says next to nothing of them.
    """
    if not (_balanced(demand, seen) and _steady(demand, seen)):
        return None
    busy, done = seen.whole.settled_used, seen.whole.settled_done_per_second
    if not busy or not done or busy / done > LONGEST_BY_LITTLE.total_seconds():
        return None
    return busy / done


def _balanced(demand: Demand, seen: SeenQueue) -> bool:
    """Whether about as many activities are done as arrive."""
    done, arriving = seen.whole.done_per_second, demand.arrivals_per_second.value
    if done is None or arriving is None:
        return False
    by_chance = 2 * math.sqrt(arriving / COUNTED_OVER_SECONDS)
    return abs(done - arriving) <= BALANCED_WITHIN * arriving + by_chance


def _steady(demand: Demand, seen: SeenQueue) -> bool:
    """Whether about as many slots are taken as were of late: while they fill up or empty the law does not hold."""
    busy, usual = seen.whole.counted if seen.observed.all_beat else None, demand.busy_slots.value
    if busy is None or usual is None:
        return False
    return abs(busy - usual) <= BALANCED_WITHIN * usual + 2 * math.sqrt(usual)


def _samples_count(demand: Demand, seen: SeenQueue, watched: timedelta) -> bool:
    """Whether samples are all there is: Little's law has not told yet, or not for long, or never will."""
    if seen.polled.task_type is TaskType.WORKFLOW or not seen.observed.any_beats or watched < SERVED_FOR:
        return True
    known = demand.service_seconds
    if known.at is None or known.value is None or known.value > LONGEST_BY_LITTLE.total_seconds():
        return True
    return seen.at - known.at >= TOLD_FOR


def _sampled(demand: Demand, seen: SeenQueue) -> float | None:
    """The mean of sampled histories; where none is read, what all workers together have taken and done."""
    if seen.service_seconds is not None:
        return seen.service_seconds
    done, busy = seen.whole.done_per_second, seen.whole.counted
    if not done or busy is None:
        return None
    return busy / done if busy else _unseen(demand, seen, done)


def _unseen(demand: Demand, seen: SeenQueue, done_per_second: float) -> float | None:
    """Tasks of which none is seen under way, though many are done, take one slot at most, or as many as of late did.

    Without this a fleet of quick tasks whose histories are not read would know no slot time, and so hold every worker
    for fear of losing its work. Where slots have just emptied, what is done now was begun before.
    """
    if not (_balanced(demand, seen) and _steady(demand, seen)):
        return None
    return max(demand.busy_slots.value or 0.0, 1.0) / done_per_second
