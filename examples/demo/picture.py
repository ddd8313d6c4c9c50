"""Draws a recording: panels over one time axis, the phases of the load behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from examples.demo import series
from examples.demo.changes import changes
from examples.demo.recording import Recording, Sample
from examples.demo.scenes import Scene
from scaler.fleet import Fleet
from scaler.model.common import TaskType

BLUE, PALE, ORANGE, RED, GREY, INK = "#1f5fa8", "#c9dcf1", "#d9822b", "#c0392b", "#8a8f98", "#2b2f36"
MIB = 2**20

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is drawn."""

    title: str
    fleet: Fleet
    scenes: Sequence[Scene]
    recording: Recording


def draw(subject: Subject, path: Path) -> None:
    """Write the picture; its format follows from the name."""
    samples = [sample for sample in subject.recording.samples if sample.at_seconds >= 0]
    panels = (_load, _workers, _cache, _backlog, _waits, _memory)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 11.2), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, height_ratios=(1, 1.1, 1.1, 0.9, 1.1, 1.1))
        for panel, ax in zip(panels, axes, strict=True):
            show_phases(ax, subject.scenes)
            panel(ax, subject, samples)
            ax.margins(x=0)
            ax.grid(axis="y", color="#e6e8eb", linewidth=0.8)
            ax.set_axisbelow(True)
        name_phases(axes[0], subject.scenes)
        axes[-1].set_xlabel("seconds since the load began")
        figure.suptitle(subject.title, fontsize=11, fontweight="bold", color=INK, x=0.012, ha="left")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def show_phases(ax: Axes, scenes: Sequence[Scene]) -> None:
    """Shade every other phase."""
    for place, scene in enumerate(scenes):
        if place % 2:
            ax.axvspan(scene.begins, scene.ends, color="#f3f5f8", linewidth=0, zorder=0)


def name_phases(ax: Axes, scenes: Sequence[Scene]) -> None:
    """Write the names of the phases at the top."""
    for scene in scenes:
        middle = (scene.begins + scene.ends) / 2
        ax.text(middle, 1.0, scene.name, transform=ax.get_xaxis_transform(), ha="center", va="top", color=GREY)


def _load(ax: Axes, _: Subject, samples: Sequence[Sample]) -> None:
    times = [sample.at_seconds for sample in samples]
    ax.fill_between(times, [sample.offered_per_second for sample in samples], color=PALE, label="offered")
    ax.plot(*series.answered_per_second(samples), color=BLUE, linewidth=1.3, label="answered")
    ax.set_title("Load: turns per second")
    ax.set_ylim(0, 1.5 * max((sample.offered_per_second for sample in samples), default=1))
    _legend(ax)


def _workers(ax: Axes, _: Subject, samples: Sequence[Sample]) -> None:
    times = [sample.at_seconds for sample in samples]
    ax.fill_between(times, [sample.ready for sample in samples], step="post", color=PALE, label="serving")
    ax.step(times, [_size(sample)[0] for sample in samples], where="post", color=BLUE, linewidth=1.6, label="decided")
    needed = [float("nan") if sample.needed is None else sample.needed.workers for sample in samples]
    ax.step(times, needed, where="post", color=ORANGE, linewidth=1, linestyle=(0, (2, 2)), label="the load alone")
    ax.set_title("Workers (N)")
    ax.set_ylim(0, 1.25 * max((max(sample.ready, _size(sample)[0]) for sample in samples), default=1))
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    _legend(ax)


def _cache(ax: Axes, subject: Subject, samples: Sequence[Sample]) -> None:
    times = [sample.at_seconds for sample in samples]
    cached = [float("nan") if sample.cached is None else sample.cached for sample in samples]
    ax.fill_between(times, cached, step="post", color=PALE, label="in the fullest worker")
    ax.step(times, [_size(sample)[1] for sample in samples], where="post", color=BLUE, linewidth=1.6, label="decided")
    replays = [wait.at_seconds for wait in subject.recording.workflow_task_waits if wait.replayed]
    ax.plot(
        replays,
        [0.04] * len(replays),
        "|",
        color=RED,
        markersize=7,
        transform=ax.get_xaxis_transform(),
        label="replayed in another worker",
    )
    for change in changes(samples):
        if change.before.cache != change.after.cache:
            why = f": {change.cache_bound.replace('_', ' ')}" if change.cache_bound else ""
            text = f"{change.before.cache} → {change.after.cache}{why}"
            ax.annotate(
                text, (change.at_seconds, change.after.cache or 0), (4, 6), textcoords="offset points", color=INK
            )
    ax.set_title("Cache of each worker (C): workflows")
    ax.set_ylim(0, 1.3 * max((max(_size(sample)[1], sample.cached or 0) for sample in samples), default=1))
    _legend(ax)


def _backlog(ax: Axes, subject: Subject, samples: Sequence[Sample]) -> None:
    until = samples[-1].at_seconds if samples else 0.0
    times, counts = series.waiting(subject.recording.activity_waits, until)
    ax.fill_between(times, counts, step="post", color=ORANGE, alpha=0.75, linewidth=0, label="activities that waited")
    told = [sample.backlog for sample in samples]
    seen = [float("nan") if count is None else count for count in told]
    ax.step(
        [sample.at_seconds for sample in samples],
        seen,
        where="post",
        color=INK,
        linewidth=1,
        label="as the server told it",
    )
    ax.set_title("Backlog: tasks")
    ax.set_ylim(0, 1.25 * max([4.0, *counts, *(count for count in told if count is not None)]))
    _legend(ax)


def _waits(ax: Axes, subject: Subject, samples: Sequence[Sample]) -> None:
    until = samples[-1].at_seconds if samples else 0.0
    percent, recording = subject.fleet.objective.percentile, subject.recording
    kinds = (
        ("activities", recording.activity_waits, TaskType.ACTIVITY, ORANGE),
        ("workflow tasks", recording.workflow_task_waits, TaskType.WORKFLOW, BLUE),
    )
    for name, waits, task_type, color in kinds:
        times, figures = series.wait_percentile(waits, until, percent)
        ax.plot(times, figures, color=color, linewidth=1.4, label=name)
        ax.axhline(subject.fleet.objective_seconds(task_type), color=color, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_yscale("log")
    ax.set_ylim(0.001, 20)
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g} s" if value >= 1 else f"{1000 * value:g} ms")
    )
    ax.set_title(
        f"Schedule to start, {percent:g}th percentile of the last {series.WINDOW_SECONDS:g} s; objectives dashed"
    )
    _legend(ax)


def _memory(ax: Axes, subject: Subject, samples: Sequence[Sample]) -> None:
    times = [sample.at_seconds for sample in samples]
    fullest = [float("nan") if sample.fullest_bytes is None else sample.fullest_bytes / MIB for sample in samples]
    ax.fill_between(times, fullest, color=PALE, label="fullest worker")
    ax.plot(times, fullest, color=BLUE, linewidth=1.2)
    limit = max((sample.limit_bytes or 0 for sample in samples), default=0) / MIB
    ax.axhline(limit, color=RED, linewidth=1.3, label="limit")
    bound = limit * (1 - subject.fleet.memory.headroom)
    ax.axhline(bound, color=RED, linewidth=1, linestyle=(0, (4, 3)), label="what may be planned with")
    kills = subject.recording.oom_kills
    if kills:
        ax.plot(kills, [limit] * len(kills), "x", color=RED, markersize=8, label="killed for memory")
    ax.set_ylim(0, 1.3 * max(limit, 1))
    ax.set_title("Memory: MiB")
    _legend(ax)


def _size(sample: Sample) -> tuple[float, float]:
    size = sample.size
    if size is None:
        return 0.0, 0.0
    return float(size.workers), float(size.cache or 0)


def _legend(ax: Axes) -> None:
    ax.legend(loc="upper right", ncols=4, bbox_to_anchor=(1.0, 1.22), borderaxespad=0, handlelength=1.6)
