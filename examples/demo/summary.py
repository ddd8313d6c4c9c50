"""What a demo comes to, in figures. Pure: a recording in, figures out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.table import Table

from examples.demo.reaction import reaction_seconds
from examples.demo.recording import Recording
from examples.demo.scenes import Scene
from scaler.cli import words
from scaler.cli.tables import facts
from scaler.learn.nearest_rank import nearest_rank
from scaler.model.common import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures; None is what was not seen."""

    seconds: float
    workers_min: int
    workers_max: int
    cache_first: int | None
    cache_last: int | None
    size_changes: int
    oom_kills: int
    turns_completed: int
    turns_failed: int
    turn_latency_p95_ms: float | None
    activity_schedule_to_start_p95_ms: float | None
    workflow_task_schedule_to_start_p95_ms: float | None
    workflow_tasks: int
    replayed_elsewhere: int  # went on in another worker than the one that had them cached
    peak_memory_fraction: float | None
    reaction_s: float | None
    ticks: int
    history_events: int
    picture: str


def summarised(recording: Recording, told: Sequence[Scene], picture: Path) -> Summary:
    """The figures of a recording."""
    sizes = [sample.size for sample in recording.samples if sample.size is not None]
    caches = [size.cache for size in sizes if size.cache is not None]
    last = recording.samples[-1] if recording.samples else None
    return Summary(
        seconds=round(last.at_seconds, 1) if last is not None else 0.0,
        workers_min=min((size.workers for size in sizes), default=0),
        workers_max=max((size.workers for size in sizes), default=0),
        cache_first=caches[0] if caches else None,
        cache_last=caches[-1] if caches else None,
        size_changes=_changes(sizes),
        oom_kills=len(recording.oom_kills),
        turns_completed=last.completed if last is not None else 0,
        turns_failed=last.failed if last is not None else 0,
        turn_latency_p95_ms=_milliseconds(recording.turn_latency_p95_seconds),
        activity_schedule_to_start_p95_ms=_milliseconds(
            nearest_rank([wait.seconds for wait in recording.activity_waits], 95)
        ),
        workflow_task_schedule_to_start_p95_ms=_milliseconds(
            nearest_rank([wait.seconds for wait in recording.workflow_task_waits], 95)
        ),
        replayed_elsewhere=sum(wait.replayed for wait in recording.workflow_task_waits),
        workflow_tasks=len(recording.workflow_task_waits),
        peak_memory_fraction=_peak(recording),
        reaction_s=_rounded(reaction_seconds(recording, told)),
        ticks=last.ticks if last is not None else 0,
        history_events=recording.history_events,
        picture=str(picture),
    )


def _changes(sizes: Sequence[Size]) -> int:
    return sum(before != after for before, after in pairwise(sizes))


def _peak(recording: Recording) -> float | None:
    shares = [
        sample.peak_bytes / sample.limit_bytes
        for sample in recording.samples
        if sample.peak_bytes is not None and sample.limit_bytes
    ]
    return round(max(shares), 3) if shares else None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def summary_table(summary: Summary) -> Table:
    """The figures for a person."""
    span, number = words.span, words.number
    failed = f", {summary.turns_failed} failed" if summary.turns_failed else ", none failed"
    share = f" ({summary.replayed_elsewhere / summary.workflow_tasks:.1%})" if summary.workflow_tasks else ""
    rows = [
        ("turns", f"{summary.turns_completed} answered{failed}; 95% within {_span(summary.turn_latency_p95_ms)}"),
        ("workers", f"{summary.workers_min} to {summary.workers_max}"),
        ("cache", f"{number(summary.cache_first)} at first, {number(summary.cache_last)} at last"),
        ("size changes", number(summary.size_changes)),
        ("activities", f"95% started within {_span(summary.activity_schedule_to_start_p95_ms)}"),
        ("workflow tasks", f"95% started within {_span(summary.workflow_task_schedule_to_start_p95_ms)}"),
        (
            "replays",
            f"{summary.replayed_elsewhere} of {summary.workflow_tasks} workflow tasks{share}, in another worker",
        ),
        ("memory", f"fullest worker at {_percent(summary.peak_memory_fraction)} of its limit"),
        ("OOM kills", number(summary.oom_kills)),
        ("reaction", f"{span(summary.reaction_s)} from a burst's first backlog to more workers starting"),
        ("controller", f"{summary.ticks} ticks, {summary.history_events} history events"),
    ]
    return facts(rows)


def _span(milliseconds: float | None) -> str:
    return words.span(None if milliseconds is None else milliseconds / 1000)


def _percent(share: float | None) -> str:
    return words.MISSING if share is None else f"{share:.0%}"
