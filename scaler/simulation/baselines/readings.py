"""What a baseline takes for a figure: fresh enough, or None. None of them is given a zero for a missing one."""

from typing import Final

from scaler.model.common import TaskType
from scaler.model.observation import QueueSeen
from scaler.simulation.clock import elapsed
from scaler.simulation.policy import Scrape, Seen

ANSWER_SECONDS: Final = 6.0
"""An answer of the server that is older was not given: the call failed."""

LOOKBACK_SECONDS: Final = 300.0
"""For how long Prometheus goes on showing a sample (query.lookback-delta)."""


def answered(seen: Seen, task_type: TaskType) -> QueueSeen | None:
    """The server's statistics of a queue, unless the call failed."""
    queue = seen.queues.get(task_type)
    if queue is None or queue.at is None or seen.now - elapsed(queue.at) > ANSWER_SECONDS:
        return None
    return queue


def backlog_tasks(seen: Seen) -> int | None:
    """Tasks that wait in all queues; None where one of the calls failed."""
    queues = [answered(seen, task_type) for task_type in seen.queues]
    tasks = [queue.backlog_tasks for queue in queues if queue is not None and queue.backlog_tasks is not None]
    return sum(tasks) if len(tasks) == len(seen.queues) else None


def scraped(seen: Seen) -> Scrape | None:
    """The newest scrape, as long as the metrics stack shows it."""
    scrape = seen.scrape
    return scrape if scrape is not None and seen.now - scrape.at <= LOOKBACK_SECONDS else None
