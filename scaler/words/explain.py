"""Says in words why a fleet is the size it is, and what would change it. Pure; never fails, whatever it is given."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from scaler.fleet import Delivery
from scaler.learn.activity_bytes import activity_cost
from scaler.model.common import Size, TaskType
from scaler.model.decision import Alternative, Constraint, Decision
from scaler.state import State
from scaler.wire.units import format_duration, format_size
from scaler.words.ends import failing_words
from scaler.words.wording import AGAINST, CONSTRAINTS, MODES, REASONS

FIRST_LOOK = "Looking at the target for the first time"
LONGEST_TOLD_SECONDS = 1e6

Facts = Mapping[str, str]


def explain(state: State) -> str:
    """Why it is this size and what would change it; then what took part, what is expected, and what was not chosen."""
    decision = state.decision
    if decision is None or state.observation is None:
        return f"{state.fleet.name}: nothing is decided yet. {FIRST_LOOK}."
    told = _facts(state)
    first = f"{state.fleet.name} should have {_size(decision.size)}. {headline(state)}."
    parts = [
        "\n".join([first, _workers(decision, told), _cache(decision, told)]),
        _list("What would change it", _changes(decision, told)),
        _list("What took part", _reasons(decision, told)),
        _list(_expecting(decision), _expected(decision, state)),
        _list("What is seen", _seen(decision)),
        _list("What was not chosen", map(_alternative, decision.alternatives)),
        _list("What is not known", _unknown(state)),
    ]
    return "\n\n".join(filter(None, parts))


def markdown(state: State) -> str:
    """What the Web UI shows of a fleet."""
    decision, seen = state.decision, state.observation
    if decision is None or seen is None:
        return f"{FIRST_LOOK}."
    told = _facts(state)
    lines = [
        f"**{_spoken(decision.mode)}**: {_size(decision.size)}",
        "",
        f"{headline(state)}.",
        "",
        f"- {_workers(decision, told)}",
        f"- {_cache(decision, told)}",
        *(f"- {reason}" for reason in _reasons(decision, told)),
        *(f"- not known: {unknown}" for unknown in _unknown(state)),
        "",
        f"Decided {decision.at:%H:%M:%S} UTC on what was seen {seen.observed_at:%H:%M:%S} UTC.",
    ]
    return "\n".join(lines)


def headline(state: State) -> str:
    """The fleet's mode as a sentence, without its full stop."""
    if state.decision is None or state.observation is None:
        return FIRST_LOOK
    mode = state.decision.mode
    return MODES.get(mode, _spoken(mode)).format_map(_facts(state))


def _workers(decision: Decision, told: Facts) -> str:
    because = CONSTRAINTS.get(decision.workers_bound)
    why = because.workers.format_map(told) if because is not None else f"of {_spoken(decision.workers_bound)}"
    count = _count(decision.size.workers) if decision.size is not None else "as many workers as were found"
    return f"It has {count} because {why}."


def _cache(decision: Decision, told: Facts) -> str:
    because = CONSTRAINTS.get(decision.cache_bound)
    why = because.cache.format_map(told) if because is not None else f"of {_spoken(decision.cache_bound)}"
    if decision.size is None or decision.size.cache is None:
        return f"Its cache is left alone because {why}."
    return f"Each cache holds up to {decision.size.cache} workflows because {why}."


def _changes(decision: Decision, told: Facts) -> Iterator[str]:
    for what, bound in (("workers", decision.workers_bound), ("cache", decision.cache_bound)):
        if (because := CONSTRAINTS.get(bound)) is not None:
            yield f"{what}: {because.change.format_map(told)}"


def _reasons(decision: Decision, told: Facts) -> Iterator[str]:
    for reason in decision.reasons:
        yield REASONS.get(reason, _spoken(reason)).format_map(told)


def _expecting(decision: Decision) -> str:
    """The prediction is of what the load alone asks for, which may not be what is done now."""
    if decision.predicted is None or decision.predicted.size == decision.size:
        return "What is expected of this size"
    return f"The load alone asks for {_size(decision.predicted.size)}, of which is expected"


def _expected(decision: Decision, state: State) -> Iterator[str]:
    """What the model expects, and beside it what is seen: where the two differ, what is seen counts."""
    predicted = decision.predicted
    if predicted is None:
        return
    waits = (
        ("activities", predicted.activity_seconds, TaskType.ACTIVITY),
        ("workflow tasks", predicted.workflow_task_seconds, TaskType.WORKFLOW),
    )
    percentile = f"{state.fleet.objective.percentile:g}%"
    for what, seconds, task_type in waits:
        if seconds is not None and state.fleet.polls(task_type):
            objective = _seconds(state.fleet.objective_seconds(task_type))
            expected = f"{percentile} of {what} are expected to wait at most {_seconds(seconds)}"
            yield f"{expected}; {_seen_waiting(decision, task_type)}; the objective is {objective}"
    if predicted.memory_bytes is not None:
        yield f"a worker with full caches uses {format_size(predicted.memory_bytes)} of {_limit(state)}"
    if predicted.miss_ratio is not None:
        yield f"{predicted.miss_ratio:.1%} of the workflow tasks need a replay"
    if predicted.utilisation is not None:
        yield f"{predicted.utilisation:.0%} of the activity slots are busy"
    if predicted.cost_per_hour is not None:
        yield f"it costs {predicted.cost_per_hour:.3g} an hour, in units of workers.price"


def _seen_waiting(decision: Decision, task_type: TaskType) -> str:
    """The longest wait that is seen of a type, with its queue."""
    queues = [each for each in decision.observed if each.task_type is task_type and each.wait_seconds is not None]
    worst = max(queues, key=lambda each: each.wait_seconds or 0.0, default=None)
    if worst is None or worst.wait_seconds is None:
        return "nothing fresh tells how long they wait"
    return f"they are seen to wait {_seconds(worst.wait_seconds)} in queue {worst.queue}"


def _seen(decision: Decision) -> Iterator[str]:
    """What readings show that needs somebody's attention."""
    for each in decision.observed:
        if each.late and each.wait_seconds is not None:
            beside = ", although the workers' slots for them are free" if each.beside_free_slots else ""
            yield (
                f"{each.backlog_tasks} {_tasks(each.task_type, each.backlog_tasks)} of queue {each.queue} wait"
                f"{'s' if each.backlog_tasks == 1 else ''}, for {_seconds(each.wait_seconds)} at most{beside}"
            )
    if decision.taking_nothing:
        yield f"took nothing although they had free slots: {', '.join(decision.taking_nothing)}"


def _tasks(task_type: TaskType, count: int) -> str:
    one = "activity" if task_type is TaskType.ACTIVITY else "workflow task"
    return one if count == 1 else f"{one.removesuffix('y')}ies" if one.endswith("y") else f"{one}s"


def _alternative(rejected: Alternative) -> str:
    predicted = rejected.predicted
    waits = (predicted.activity_seconds, predicted.workflow_task_seconds)
    # Predicted waits are of the time after a backlog; beside one that would stay they would contradict it.
    activity, workflow_task = (None, None) if rejected.against is Constraint.BACKLOG else waits
    figures = {
        "activities wait {}": None if activity is None else _seconds(activity),
        "workflow tasks wait {}": None if workflow_task is None else _seconds(workflow_task),
        "{} in a worker with full caches": None
        if predicted.memory_bytes is None
        else format_size(predicted.memory_bytes),
        "{} an hour": None if predicted.cost_per_hour is None else f"{predicted.cost_per_hour:.3g}",
    }
    numbers = ", ".join(text.format(figure) for text, figure in figures.items() if figure is not None)
    against = AGAINST.get(rejected.against, _spoken(rejected.against))
    return f"{_size(predicted.size)}: {against}{f' ({numbers})' if numbers else ''}"


def _unknown(state: State) -> Iterator[str]:
    seen = state.observation
    if seen is None:
        return
    yield from (f"{fault.source}: {fault.message}" for fault in seen.faults)
    ready, beating = seen.ready_count, sum(total.beating for total in seen.totals)
    if beating < ready:
        silent = ready - beating
        one = silent == 1
        yield (
            f"slots and cache of {_count(silent)}, which {'sends' if one else 'send'} no fresh heartbeats; "
            f"{'it stays' if one else 'they stay'} unless histories show that all running tasks end within a drain"
        )
    if seen.target.memory_limit_bytes is None and state.fleet.memory.limit is None:
        yield "the memory limit of a worker"


def _facts(state: State) -> Facts:
    """Everything that a sentence may name."""
    fleet, operator = state.fleet, state.memory.operator
    override, pause, limits = operator.override, operator.pause, fleet.limits
    since = state.memory.foreign_since
    return {
        "name": fleet.name,
        "percentile": f"{fleet.objective.percentile:g}%",
        "activity": _seconds(fleet.objective_seconds(TaskType.ACTIVITY)),
        "workflow_task": _seconds(fleet.objective_seconds(TaskType.WORKFLOW)),
        "min": str(fleet.workers.min),
        "max": str(fleet.workers.max),
        "reserve": str(fleet.workers.reserve),
        "cache_min": str(fleet.cache.min),
        "cache_max": str(fleet.cache.max),
        "connections": str(limits.connections) if limits is not None else "its",
        "per_worker": str(limits.per_worker) if limits is not None else "some",
        "limit": _limit(state),
        "activity_memory": _activity_memory(state),
        "headroom": f"{fleet.memory.headroom:.0%}",
        "override_end": _time(override.until if override is not None else None, "it is cleared"),
        "override_reason": override.reason if override is not None else "no reason is known",
        "pause_end": _time(pause.until if pause is not None else None, "it is resumed"),
        "pause_reason": pause.reason if pause is not None else "no reason is known",
        "hold_end": _time(since + fleet.behaviour.foreign_hold if since is not None else None, "it is resumed"),
        "fixed": _fixed(state),
        "drain": _seconds(fleet.behaviour.drain.total_seconds()),
        "staying": _staying(state),
        "failing": failing_words(state.observation.target.failing if state.observation is not None else None),
    }


def _activity_memory(state: State) -> str:
    """How much memory a worker's activities may take: its slots times what one takes."""
    each = activity_cost(state.memory.worker.activities).likely_bytes
    slots = max([each.activity_slots or 0 for each in state.observation.workers], default=0) if state.observation else 0
    if not each or not slots:
        return "its slots times the memory of one activity"
    return f"{slots} slots of some {format_size(int(each))} each"


def _staying(state: State) -> str:
    """Silent workers are among them: of what they run nothing is known."""
    staying = state.decision.staying if state.decision is not None else 0
    drain = _seconds(state.fleet.behaviour.drain.total_seconds())
    return f"{_count(staying)} may run tasks that outlast {'its' if staying == 1 else 'their'} drain of {drain}"


def _fixed(state: State) -> str:
    if state.fleet.cache.delivery is Delivery.FIXED:
        return "the fleet declares delivery: fixed"
    if not state.fleet.polls(TaskType.WORKFLOW):
        return "these workers run no workflows"
    return "the workers were seen not to follow it"


def _limit(state: State) -> str:
    seen = state.observation.target.memory_limit_bytes if state.observation is not None else None
    limit = seen if seen is not None else state.fleet.memory.limit
    return format_size(limit) if limit is not None else "an unknown limit"


def _size(size: Size | None) -> str:
    if size is None:
        return "a size that is not known"
    cache = f" with a cache of {size.cache} workflows each" if size.cache is not None else ""
    return f"{_count(size.workers)}{cache}"


def _count(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


def _list(title: str, items: Iterator[str]) -> str:
    lines = [f"- {item}" for item in items]
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _time(at: datetime | None, otherwise: str) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else otherwise


def _seconds(seconds: float) -> str:
    """A length of time in milliseconds, seconds or more; the model's infinities included."""
    if not seconds < LONGEST_TOLD_SECONDS:
        return "without end"
    return format_duration(timedelta(seconds=seconds if seconds < 1 else round(seconds, 1)))


def _spoken(word: StrEnum) -> str:
    return word.value.replace("_", " ")
