"""Draws both sides of the replay over one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from examples.demo import series
from examples.demo.incident.cpu_rule import CpuRule, mean_share
from examples.demo.incident.side import Side
from examples.demo.picture import BLUE, GREY, INK, MIB, RED, STYLE, name_phases, show_phases
from examples.demo.recording import Sample
from examples.demo.scenes import Scene
from scaler.fleet import Fleet
from scaler.model.common import TaskType

ORANGE = "#d9822b"
_NONE = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What is drawn: the sides by their names, in the order in which they are drawn."""

    title: str
    fleet: Fleet
    rule: CpuRule
    scenes: Sequence[Scene]
    before: Side
    after: Side

    @property
    def sides(self) -> tuple[tuple[str, str, Side], ...]:
        """Name, colour and side."""
        return ("before", ORANGE, self.before), ("after", BLUE, self.after)


def draw(contrast: Contrast, path: Path) -> None:
    """Write the picture; its format follows from the name."""
    panels = (_workers, _cache, _cpu, _memory, _backlog, _waits)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 11.6), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, height_ratios=(1.1, 0.9, 0.9, 1.1, 0.9, 1.1))
        for panel, ax in zip(panels, axes, strict=True):
            show_phases(ax, contrast.scenes)
            panel(ax, contrast)
            ax.margins(x=0)
            ax.grid(axis="y", color="#e6e8eb", linewidth=0.8)
            ax.set_axisbelow(True)
            ax.legend(loc="upper right", ncols=4, bbox_to_anchor=(1.0, 1.22), borderaxespad=0, handlelength=1.6)
        name_phases(axes[0], contrast.scenes)
        axes[-1].set_xlim(0, contrast.scenes[-1].ends)
        axes[-1].set_xlabel("seconds since the load began")
        figure.suptitle(contrast.title, fontsize=11, fontweight="bold", color=INK, x=0.012, ha="left")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _workers(ax: Axes, contrast: Contrast) -> None:
    most = 1
    for name, color, side in contrast.sides:
        times, sizes = _times(side), [_NONE if each.size is None else each.size.workers for each in _seen(side)]
        serving = [each.ready for each in _seen(side)]
        most = max([most, *serving])
        ax.step(times, serving, where="post", color=color, alpha=0.8, linewidth=1.1, linestyle=(0, (1, 1)))
        ax.step(times, sizes, where="post", color=color, linewidth=1.7, label=name)
    ax.set_title("Workers (N): set, and dotted those that serve")
    ax.set_ylim(0, 1.3 * most)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _cache(ax: Axes, contrast: Contrast) -> None:
    for name, color, side in contrast.sides:
        sizes = [_NONE if each.size is None or each.size.cache is None else each.size.cache for each in _seen(side)]
        ax.step(_times(side), sizes, where="post", color=color, linewidth=1.7, label=name)
    ax.set_title("Cache of each worker (C): workflows")
    ax.set_ylim(0, None)


def _cpu(ax: Axes, contrast: Contrast) -> None:
    seconds = contrast.rule.average_seconds
    for name, color, side in contrast.sides:
        shares = [mean_share(side.cpu[: place + 1], seconds) for place in range(len(side.cpu))]
        times = [reading.at_seconds for reading in side.cpu]
        ax.plot(times, [_NONE if share is None else share for share in shares], color=color, linewidth=1.3, label=name)
    ax.axhline(contrast.rule.target, color=ORANGE, linewidth=1, linestyle=(0, (4, 3)), label="what the rule aims at")
    ax.set_title(f"CPU of one worker, mean of the last {seconds:g} s")
    ax.set_ylim(0, None)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _memory(ax: Axes, contrast: Contrast) -> None:
    limit = max((each.limit_bytes or 0 for _, _, side in contrast.sides for each in _seen(side)), default=0) / MIB
    for name, color, side in contrast.sides:
        fullest = [_NONE if each.fullest_bytes is None else each.fullest_bytes / MIB for each in _seen(side)]
        ax.plot(_times(side), fullest, color=color, linewidth=1.2, label=name)
    ax.axhline(limit, color=RED, linewidth=1.2, label="limit")
    for (_, color, side), height in zip(contrast.sides, (1.07, 1.17), strict=True):
        kills = [at for at in side.recording.oom_kills if at >= 0]
        label = "killed for memory" if kills else None
        ax.plot(kills, [height * limit] * len(kills), "x", color=color, markersize=7, mew=1.8, label=label)
    ax.set_title("Memory of the fullest worker: MiB")
    ax.set_ylim(0, 1.3 * max(limit, 1))


def _backlog(ax: Axes, contrast: Contrast) -> None:
    for name, color, side in contrast.sides:
        times, counts = series.waiting(side.recording.activity_waits, contrast.scenes[-1].ends)
        ax.fill_between(times, counts, step="post", color=color, alpha=0.35, linewidth=0)
        ax.step(times, counts, where="post", color=color, linewidth=1.2, label=name)
    ax.set_title("Backlog: activities that waited")
    ax.set_ylim(0, None)


def _waits(ax: Axes, contrast: Contrast) -> None:
    percent = contrast.fleet.objective.percentile
    for name, color, side in contrast.sides:
        times, figures = series.wait_percentile(side.recording.activity_waits, contrast.scenes[-1].ends, percent)
        ax.plot(times, figures, color=color, linewidth=1.4, label=name)
    objective = contrast.fleet.objective_seconds(TaskType.ACTIVITY)
    ax.axhline(objective, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), label="objective")
    ax.set_yscale("log")
    ax.set_ylim(0.001, 100)
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g} s" if value >= 1 else f"{1000 * value:g} ms")
    )
    ax.set_title(f"Schedule to start of activities, {percent:g}th percentile of the last {series.WINDOW_SECONDS:g} s")


def _seen(side: Side) -> list[Sample]:
    return [sample for sample in side.recording.samples if sample.at_seconds >= 0]


def _times(side: Side) -> list[float]:
    return [sample.at_seconds for sample in _seen(side)]
