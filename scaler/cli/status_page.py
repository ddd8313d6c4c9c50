"""One fleet on one page: its size and why, its objectives against what is seen, its workers, and what is wrong.

Pure: the state and the time in, a page out.
"""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from scaler.cli import words
from scaler.cli.status_tables import queue_table, worker_table
from scaler.cli.tables import ALARM, WARNING, facts, mode_style
from scaler.model.decision import Decision
from scaler.model.observation import UNASKED, ExitReason, Observation, WorkerExit, WorkerTotals
from scaler.model.record import StepOutcome
from scaler.state import State
from scaler.words.ends import failing_words
from scaler.words.explain import headline

ENDS_SHOWN = 5
TOLD_ENDS = (*UNASKED, ExitReason.KILLED)

Fact = tuple[str, str | Text]


def status_page(state: State, now: datetime) -> RenderableType:
    """All of it."""
    parts: list[RenderableType] = [_title(state), facts(list(_facts(state, now)))]
    seen = state.observation
    if seen is not None and seen.queues:
        predicted = state.decision.predicted if state.decision is not None else None
        parts += ["", queue_table(state.fleet, seen, now, predicted)]
    if seen is not None and seen.workers:
        parts += ["", worker_table(seen)]
    return Group(*parts)


def status_line(state: State, now: datetime) -> str:
    """The same in a line, for logs."""
    decision, seen = state.decision, state.observation
    if decision is None or seen is None:
        return f"{now:%H:%M:%S} {state.fleet.name}: looking for the first time"
    size = decision.size
    cache = f" × cache {size.cache}" if size is not None and size.cache is not None else ""
    backlog = words.number(backlog_tasks(seen))
    reasons = ", ".join(map(words.spoken, decision.reasons)) or "nothing new"
    return (
        f"{decision.at:%H:%M:%S} {state.fleet.name} {words.spoken(decision.mode)}: {workers_of(state)} workers{cache}, "
        f"backlog {backlog}, oldest {words.span(oldest_seconds(seen))}; {reasons}"
    )


def workers_of(state: State) -> str:
    """Ready workers and how many there should be: `3/4`."""
    ready = state.observation.ready_count if state.observation is not None else None
    size = state.decision.size if state.decision is not None else None
    return f"{words.number(ready)}/{words.number(size.workers if size is not None else None)}"


def backlog_tasks(seen: Observation) -> int | None:
    """Tasks that wait in all queues; None where nothing tells of any."""
    known = [queue.backlog_tasks for queue in seen.queues if queue.backlog_tasks is not None]
    return sum(known) if known else None


def oldest_seconds(seen: Observation) -> float | None:
    """How long the oldest waiting task has waited."""
    return max(
        (queue.backlog_age_seconds for queue in seen.queues if queue.backlog_age_seconds is not None), default=None
    )


def _title(state: State) -> Text:
    title = Text(words.printable(state.fleet.name), style="bold")
    if state.decision is not None:
        title.append(f"  {words.spoken(state.decision.mode)}", style=mode_style(state.decision.mode))
    return title.append(f"  {headline(state)}", style="not bold")


def _facts(state: State, now: datetime) -> Iterator[Fact]:
    if state.decision is not None:
        yield from _size(state, state.decision)
    yield from _memory(state)
    if state.decision is not None:
        yield "reasons", ", ".join(map(words.spoken, state.decision.reasons)) or words.MISSING
        if state.decision.taking_nothing:
            idle = words.printable(", ".join(state.decision.taking_nothing))
            yield "idle", Text(f"{idle}: took nothing although tasks wait and they have free slots", style=WARNING)
    yield from _operator(state, now)
    yield from _target(state)
    yield from _schedule(state, now)
    yield "times", _times(state, now)
    if state.observation is not None:
        yield from _wrong(state.observation, now)


def _size(state: State, decision: Decision) -> Iterator[Fact]:
    fleet, size = state.fleet, decision.size
    wanted = words.number(size.workers if size is not None else None)
    bound = words.spoken(decision.workers_bound)
    yield "workers", f"{wanted} ({fleet.workers.min}–{fleet.workers.max}), {_counts(state)}; bound by {bound}"
    cache = size.cache if size is not None else None
    bound = words.spoken(decision.cache_bound)
    bounds = f" ({fleet.cache.min}–{fleet.cache.max})" if cache is not None else ""
    yield "cache", f"{words.number(cache)}{bounds}; bound by {bound}"


def _counts(state: State) -> str:
    if state.observation is None:
        return "not seen yet"
    totals = state.observation.totals
    counts = {
        "ready": sum(total.ready for total in totals),
        "starting": sum(map(_starting, totals)),
        "restarting": sum(total.restarting for total in totals),
        "draining": sum(total.draining for total in totals),
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "ready")


def _starting(total: WorkerTotals) -> int:
    return total.workers - total.ready - total.draining - total.restarting


def _memory(state: State) -> Iterator[Fact]:
    seen = state.observation
    if seen is None:
        return
    fullest = max((total.memory_max_bytes for total in seen.totals), default=0) or None
    limit = seen.target.memory_limit_bytes
    of = f" of {words.size(limit)} ({words.share(fullest, limit)})" if limit else ", no limit known"
    yield "memory", f"fullest worker {words.size(fullest)}{of}; {state.fleet.memory.headroom:.0%} is kept free"


def _operator(state: State, now: datetime) -> Iterator[Fact]:
    operator = state.memory.operator
    if operator.pause is not None:
        until = f"until {words.left(operator.pause.until, now)}" if operator.pause.until else "until it is resumed"
        yield "paused", Text(f"{until}: {words.printable(operator.pause.reason)}", style=WARNING)
    if operator.override is not None:
        asked = {"workers": operator.override.workers, "cache": operator.override.cache}
        wanted = ", ".join(f"{name} {value}" for name, value in asked.items() if value is not None)
        until = words.left(operator.override.until, now)
        reason = words.printable(operator.override.reason)
        yield "override", Text(f"{wanted or 'as it is'} until {until}: {reason}", style=WARNING)
    if operator.stop is not None:
        yield "stopping", Text("its workers drain first" if operator.stop.drain else "its workers stay", style=WARNING)


def _target(state: State) -> Iterator[Fact]:
    target, seen = state.fleet.target, state.observation
    place = [target.kind.value, target.name or target.selector or "", f"on {state.host}" if state.host else ""]
    text = Text(words.printable(" ".join(filter(None, place))))
    if seen is not None and seen.applied.outcome not in (StepOutcome.APPLIED, StepOutcome.LOOKED):
        text.append(f"; last step {words.spoken(seen.applied.outcome)}", style=ALARM)
        text.append(f": {words.printable(seen.applied.detail)}" if seen.applied.detail else "")
    if seen is not None and seen.target.other_scaler is not None:
        text.append(f"; also scaled by {words.printable(seen.target.other_scaler)}", style=ALARM)
    yield "target", text


def _schedule(state: State, now: datetime) -> Iterator[Fact]:
    schedule = state.observation.schedule if state.observation is not None else None
    if schedule is not None and schedule.floor:
        until = f" until {words.left(schedule.until, now)}" if schedule.until is not None else ""
        yield "schedule", f"at least {schedule.floor} workers{until}"


def _times(state: State, now: datetime) -> str:
    seen = words.ago(state.observation.observed_at, now) if state.observation is not None else "never"
    decided = words.ago(state.decision.at, now) if state.decision is not None else "never"
    return f"decided {decided}, seen {seen}, tick {state.ticks}"


def _wrong(seen: Observation, now: datetime) -> Iterator[Fact]:
    unasked = sorted((end for end in seen.exits if end.reason in TOLD_ENDS), key=lambda end: end.at, reverse=True)
    for end in unasked[:ENDS_SHOWN]:
        yield "ended", Text(_end(end, now), style=ALARM)
    if len(unasked) > ENDS_SHOWN:
        yield "", f"and {len(unasked) - ENDS_SHOWN} more within ten minutes"
    if seen.target.failing is not None:
        yield "failing", Text(words.printable(failing_words(seen.target.failing)), style=ALARM)
    if seen.target.unschedulable:
        why = f": {words.printable(seen.target.unschedulable_reason)}" if seen.target.unschedulable_reason else ""
        yield "not placed", Text(f"{seen.target.unschedulable} workers can't be scheduled{why}", style=ALARM)
    if seen.suspects:
        suspects = words.printable(", ".join(seen.suspects))
        yield "suspects", Text(f"{suspects}: running at several kills for memory; look at them", style=ALARM)
    for fault in seen.faults:
        yield "fault", Text(words.printable(f"{fault.source}: {fault.message}"), style=ALARM)
    if seen.strangers:
        more = seen.strangers_seen - len(seen.strangers)
        others = words.printable(", ".join(seen.strangers)) + (f" and {more} more" if more > 0 else "")
        yield "strangers", Text(f"{others}: they poll the fleet's queues and are not its workers", style=WARNING)


def _end(end: WorkerExit, now: datetime) -> str:
    cache = f", cache {end.cache}" if end.cache is not None else ""
    memory = f", at most {words.size(end.memory_bytes)}" if end.memory_bytes is not None else ""
    return f"{words.printable(end.worker)} {words.spoken(end.reason)} {words.ago(end.at, now)}{cache}{memory}"
