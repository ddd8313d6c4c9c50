"""The queues and the workers of one fleet as tables. Pure."""

from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from scaler.cli import words
from scaler.cli.tables import ALARM, QUIET, WARNING, add_row, plain_table
from scaler.fleet import Fleet
from scaler.learn import freshness
from scaler.model.common import Quality, TaskType
from scaler.model.decision import Prediction
from scaler.model.observation import Observation, QueueSeen, TaskTimesSeen, WorkerSeen, WorkerState


def queue_table(fleet: Fleet, seen: Observation, now: datetime, predicted: Prediction | None) -> RenderableType:
    """What each queue is to keep, what is expected, and what is seen of it; what is late is marked."""
    waited_title = f"WAITED P{fleet.objective.percentile:g}>"
    table = plain_table(
        "QUEUE~", "TASKS", "OBJECTIVE>", "EXPECTED>", waited_title, "BACKLOG>", "OLDEST>", "ARRIVING/S>"
    )
    times = {(each.queue, each.task_type): each for each in seen.task_times}
    for queue in seen.queues:
        objective = fleet.objective_seconds(queue.task_type) if queue.task_type is not TaskType.UNKNOWN else None
        waited = _waited(times.get((queue.queue, queue.task_type)), objective, now)
        fresh = freshness.QUEUE_STATISTICS.quality(queue, now)
        cells = (
            queue.queue,
            words.spoken(queue.task_type),
            words.span(objective),
            words.span(_expected(predicted, queue.task_type)),
            waited,
            _aged(words.number(queue.backlog_tasks), fresh),
            _late(queue, objective, fresh),
            _aged(words.number(queue.arrivals_per_second), fresh),
        )
        add_row(table, cells)
    return table


def _expected(predicted: Prediction | None, task_type: TaskType) -> float | None:
    if predicted is None:
        return None
    return predicted.workflow_task_seconds if task_type is TaskType.WORKFLOW else predicted.activity_seconds


def _waited(times: TaskTimesSeen | None, objective: float | None, now: datetime) -> Text:
    if times is None or times.schedule_to_start_seconds is None:
        return Text(words.MISSING)
    text = _aged(words.span(times.schedule_to_start_seconds), freshness.HISTORIES.quality(times, now))
    if objective is not None and times.schedule_to_start_seconds > objective:
        text.stylize(ALARM)
    return text


def _late(queue: QueueSeen, objective: float | None, fresh: Quality) -> Text:
    text = _aged(words.span(queue.backlog_age_seconds), fresh)
    if objective is not None and (queue.backlog_age_seconds or 0.0) > objective:
        text.stylize(ALARM)
    return text


def _aged(figure: str, quality: Quality) -> Text:
    """A figure that is not fresh says so; one that is missing shows as missing whatever was read last."""
    if quality is Quality.FRESH:
        return Text(figure)
    return Text(words.MISSING if quality is Quality.MISSING else f"{figure} stale", style=QUIET)


def worker_table(seen: Observation) -> RenderableType:
    """One line for each worker that is told singly, and how many more there are."""
    table = plain_table("WORKER~", "STATE", "UP>", "CACHED>", "WF SLOTS>", "ACT SLOTS>", "MEMORY>", "RESTARTS>")
    limit = seen.target.memory_limit_bytes
    for worker in seen.workers:
        state = Text(words.spoken(worker.state), style="" if worker.state is WorkerState.READY else WARNING)
        cells = (
            worker.name,
            state,
            words.span(worker.age_seconds),
            _cached(worker),
            _slots(worker.workflow_slots_used, worker.workflow_slots),
            _slots(worker.activity_slots_used, worker.activity_slots),
            _filled(worker, limit),
            str(worker.restarts),
        )
        add_row(table, cells)
    total = sum(group.workers for group in seen.totals)
    if total > len(seen.workers):
        add_row(table, (f"and {total - len(seen.workers)} more",))
    return table


def _cached(worker: WorkerSeen) -> str:
    """Workflows in its caches, and how many these hold: `95/120`, or `190/2×120` with two of them."""
    caches = f"{worker.caches}×" if (worker.caches or 1) > 1 else ""
    return f"{words.number(worker.cached)}/{caches}{words.number(worker.cache)}"


def _slots(used: int | None, slots: int | None) -> str:
    return words.MISSING if used is None and slots is None else f"{words.number(used)}/{words.number(slots)}"


def _filled(worker: WorkerSeen, limit: int | None) -> str:
    if worker.memory_bytes is None:
        return words.MISSING
    return f"{words.size(worker.memory_bytes)} {words.share(worker.memory_bytes, limit) if limit else ''}".rstrip()
