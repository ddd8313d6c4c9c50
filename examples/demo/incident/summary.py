"""What both sides come to, in figures. Pure: recordings in, figures out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.table import Table

from examples.demo.incident.side import Side
from examples.demo.recording import Sample, Wait
from examples.demo.scenes import Scene
from scaler.cli import words
from scaler.fleet import Fleet
from scaler.learn.nearest_rank import nearest_rank
from scaler.model.common import TaskType
from scaler.model.decision import Mode

MOST_MACHINE_CPU = 0.8
"""Beyond, tasks wait for the machine and no longer for workers: such a run shows nothing."""

_MODE_LAGS_SECONDS = 2.0
"""A sample's mode may be older than its size by a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFigures:
    """One side; None is what was not seen."""

    oom_kills: int
    oom_kills_after_first_decision: int
    turns_completed: int
    turns_failed: int
    turns_unanswered: int  # that still waited when the load had ended
    turn_latency_p95_ms: float | None  # of those answered
    activity_schedule_to_start_p95_ms: float | None
    activity_schedule_to_start_p95_ms_by_phase: dict[str, float | None]
    slo_violation_share: float | None  # of activities and workflow tasks after the warm-up
    workers_min: int
    workers_max: int
    cache_last: int | None
    worker_seconds: float
    machine_cpu_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What the product promises of such a night, and whether it kept it."""

    no_oom_kill_after_first_decision: bool
    activities_inside_objective: bool  # at its percentile, in each phase after the warm-up
    workers_held_after_cuts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both sides. One that is not valid took more of the machine's CPU than it may: what waited waited for that."""

    valid: bool
    before: SideFigures
    after: SideFigures
    promises: Promises
    picture: str


def compared(before: Side, after: Side, fleet: Fleet, scenes: Sequence[Scene], picture: Path) -> Comparison:
    """The figures of both sides."""
    figures = side_figures(after, fleet, scenes)
    return Comparison(
        valid=max(before.machine_cpu_share, after.machine_cpu_share) <= MOST_MACHINE_CPU,
        before=side_figures(before, fleet, scenes),
        after=figures,
        promises=Promises(
            no_oom_kill_after_first_decision=figures.oom_kills_after_first_decision == 0,
            activities_inside_objective=_inside(figures, fleet, scenes),
            workers_held_after_cuts=held_after_cuts(after.recording.samples),
        ),
        picture=str(picture),
    )


def side_figures(side: Side, fleet: Fleet, scenes: Sequence[Scene]) -> SideFigures:
    """The figures of one side."""
    recording = side.recording
    last = recording.samples[-1] if recording.samples else None
    sizes = [sample.size for sample in recording.samples if sample.size is not None]
    latency = recording.turn_latency_p95_seconds
    decided_at = first_decision_seconds(side)
    return SideFigures(
        oom_kills=len(recording.oom_kills),
        oom_kills_after_first_decision=sum(at > decided_at for at in recording.oom_kills),
        turns_completed=last.completed if last is not None else 0,
        turns_failed=last.failed if last is not None else 0,
        turns_unanswered=last.arrived - last.completed - last.failed if last is not None else 0,
        turn_latency_p95_ms=_milliseconds(latency),
        activity_schedule_to_start_p95_ms=_milliseconds(_p95(recording.activity_waits)),
        activity_schedule_to_start_p95_ms_by_phase={
            scene.name: _milliseconds(_p95(_within(recording.activity_waits, scene))) for scene in scenes
        },
        slo_violation_share=_late_share(side, fleet, scenes[0].ends),
        workers_min=min((size.workers for size in sizes), default=0),
        workers_max=max((size.workers for size in sizes), default=0),
        cache_last=sizes[-1].cache if sizes else None,
        worker_seconds=round(sum(reading.processes * reading.seconds for reading in side.cpu), 1),
        machine_cpu_share=round(side.machine_cpu_share, 3),
    )


def first_decision_seconds(side: Side) -> float:
    """When whoever decides first knew enough to; kills after that moment are its own.

    For the CPU rule that is its first full averaging time, for this product the first decision that rests on a worker
    which had told what it caches. Who never came to know is excused of nothing.
    """
    if side.wishes:
        return side.wishes[0].at_seconds
    return next((sample.at_seconds for sample in side.recording.samples if sample.cached), 0.0)


def held_after_cuts(samples: Sequence[Sample]) -> bool:
    """Whether no cut of the cache was followed by fewer workers than before it, until its hold had ended."""
    known = [(sample, sample.size) for sample in samples if sample.size is not None]
    for place, ((_, before), (cut, size)) in enumerate(pairwise(known)):
        if before.cache is None or size.cache is None or size.cache >= before.cache:
            continue
        for later, then in known[place + 1 :]:
            if later.mode == Mode.STEADY and later.at_seconds > cut.at_seconds + _MODE_LAGS_SECONDS:
                break
            if then.workers < before.workers:
                return False
    return True


def _inside(figures: SideFigures, fleet: Fleet, scenes: Sequence[Scene]) -> bool:
    objective = 1000 * fleet.objective_seconds(TaskType.ACTIVITY)
    waits = figures.activity_schedule_to_start_p95_ms_by_phase
    return all((waits[scene.name] or 0.0) <= objective for scene in scenes[1:])


def _late_share(side: Side, fleet: Fleet, since: float) -> float | None:
    kinds = (
        (side.recording.activity_waits, TaskType.ACTIVITY),
        (side.recording.workflow_task_waits, TaskType.WORKFLOW),
    )
    late = [
        wait.seconds > fleet.objective_seconds(task_type)
        for waits, task_type in kinds
        for wait in waits
        if wait.at_seconds >= since
    ]
    return round(sum(late) / len(late), 4) if late else None


def _within(waits: Sequence[Wait], scene: Scene) -> list[Wait]:
    return [wait for wait in waits if scene.begins <= wait.at_seconds < scene.ends]


def _p95(waits: Sequence[Wait]) -> float | None:
    return nearest_rank([wait.seconds for wait in waits], 95)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def comparison_table(comparison: Comparison) -> Table:
    """Both sides for a person."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    for name, tell in _ROWS.items():
        table.add_row(name, tell(comparison.before), tell(comparison.after))
    for phase in comparison.before.activity_schedule_to_start_p95_ms_by_phase:
        waits = (
            side.activity_schedule_to_start_p95_ms_by_phase[phase] for side in (comparison.before, comparison.after)
        )
        table.add_row(f"  {phase}", *map(_span, waits))
    return table


_ROWS: Mapping[str, Callable[[SideFigures], str]] = {
    "OOM kills": lambda side: str(side.oom_kills),
    "  after the first decision": lambda side: str(side.oom_kills_after_first_decision),
    "turns answered": lambda side: str(side.turns_completed),
    "turns failed, without an answer at the end": lambda side: f"{side.turns_failed}, {side.turns_unanswered}",
    "turn latency, p95": lambda side: _span(side.turn_latency_p95_ms),
    "tasks that waited too long": lambda side: words.share(side.slo_violation_share, 1.0),
    "workers": lambda side: f"{side.workers_min} to {side.workers_max}",
    "worker-seconds": lambda side: words.number(side.worker_seconds),
    "cache at last": lambda side: words.number(side.cache_last),
    "the machine's CPU": lambda side: words.share(side.machine_cpu_share, 1.0),
    "activity schedule-to-start, p95": lambda side: _span(side.activity_schedule_to_start_p95_ms),
}


def _span(milliseconds: float | None) -> str:
    return words.span(None if milliseconds is None else milliseconds / 1000)
