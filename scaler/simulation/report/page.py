"""One HTML page of a comparison, self-contained: the figures, cost against violations, and each policy's first run."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np

from scaler.simulation.comparison import OVER_CLAIRVOYANT, Circumstances, Outcome
from scaler.simulation.entrants import ENTRANTS, JOINT
from scaler.simulation.load import Load
from scaler.simulation.report.chart import Frame, Line, Marks, chart, rounded_up
from scaler.simulation.run import Run, Sample

COLUMNS: Final[Sequence[tuple[str, str, str]]] = (
    ("policy", "policy", "s"),
    ("oom_kills", "OOM kills", "d"),
    ("slo_violation_minutes", "violation minutes", ".1f"),
    ("slo_violation_task_share", "late tasks", ".2%"),
    ("worker_hours", "worker-hours", ".1f"),
    (OVER_CLAIRVOYANT, "over clairvoyant", ".2f"),
    ("size_changes", "size changes", ".1f"),
    ("reversals_10m", "reversals in 10 min", ".1f"),
    ("cache_rollouts", "cache rollouts", ".1f"),
    ("replay_seconds", "replay CPU s", ",.0f"),
    ("max_memory_fraction", "most memory", ".0%"),
)
"""Key, heading and format of each figure that is told to people; programs get all."""

BLUE, GRAY, ORANGE, RED, GREEN = "#2563eb", "#9ca3af", "#d97706", "#dc2626", "#059669"

STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1340px;padding:0 1rem;color:#1f2937;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .2rem}p{max-width:60rem;margin:.3rem 0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.25rem .8rem;text-align:right}
th{font-weight:600;border-bottom:2px solid #d1d5db;vertical-align:bottom}td{border-bottom:1px solid #e5e7eb}
th:first-child,td:first-child{text-align:left;white-space:nowrap}tr.own{background:#eff6ff;font-weight:600}
.charts{display:flex;flex-wrap:wrap;gap:.5rem}.quiet{color:#6b7280}.bad{color:#dc2626}
svg .grid{stroke:#e5e7eb}svg text{font:11px system-ui,sans-serif;fill:#6b7280}svg .title{font-weight:600;fill:#1f2937}
"""


def page(circumstances: Circumstances, load: Load, outcomes: Sequence[Outcome]) -> str:
    """The whole page; `load` is that of the first seed."""
    scenario = circumstances.scenario
    figures = [outcome.figures() for outcome in outcomes]
    objective = scenario.objective
    promised = (
        f"Objective: {objective.percentile:g} % of workflow tasks start within "
        f"{objective.workflow_task.total_seconds():g} s, of activities within {objective.activity.total_seconds():g} s."
    )
    played = "the recorded trace" if circumstances.trace is not None else "the scenario's own arrivals"
    runs = f"{circumstances.seeds} {'run' if circumstances.seeds == 1 else 'runs'} of {played}, {load.seconds / 60:.0f} minutes each; figures are means, kills and memory the worst."  # noqa: E501
    hours = load.seconds / 3600
    body = [
        f"<h1>{escape(scenario.name)}</h1><p>{escape(scenario.about)}</p>",
        f'<p class="quiet">{escape(promised)} {escape(runs)}</p>',
        _table(figures),
        '<div class="charts">',
        _plane(figures),
        _arrivals(load, hours),
        "</div>",
        *_policies(outcomes, hours),
    ]
    head = f'<meta charset="utf-8"><title>{escape(scenario.name)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _table(figures: Sequence[dict[str, Any]]) -> str:
    heads = "".join(f"<th>{escape(heading)}</th>" for _, heading, _ in COLUMNS)
    rows = []
    for row in figures:
        cells = "".join(f"<td>{escape(format(row[key], form))}</td>" for key, _, form in COLUMNS)
        rows.append(f'<tr class="{"own" if row["policy"] == JOINT else ""}">{cells}</tr>')
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _plane(figures: Sequence[dict[str, Any]]) -> str:
    """Cost against violations: who is further down and to the left is better in both."""
    frame = Frame(
        title="late tasks in % against worker-hours",
        x_max=rounded_up(1.05 * max(row["worker_hours"] for row in figures)),
        y_max=rounded_up(max(0.5, 105 * max(row["slo_violation_task_share"] for row in figures))),
        x_name="h",
        width=640,
        height=320,
    )
    marks = [
        Marks(
            points=[(row["worker_hours"], 100 * row["slo_violation_task_share"]) for row in rows],
            color=color,
            labels=[row["policy"] for row in rows],
        )
        for color, rows in _by_color(figures).items()
    ]
    return chart(frame, marks=marks)


def _by_color(figures: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """This product, those whose workers were killed, and the others; in the order of their cost."""
    colored: dict[str, list[dict[str, Any]]] = {GRAY: [], RED: [], BLUE: []}
    for row in sorted(figures, key=lambda row: float(row["worker_hours"])):
        colored[BLUE if row["policy"] == JOINT else RED if row["oom_kills"] else GRAY].append(row)
    return colored


def _arrivals(load: Load, hours: float) -> str:
    edges = np.arange(0.0, load.seconds + 60, 60.0)
    counts, _ = np.histogram(load.at, edges)
    points = [(edge / 3600, count / 60) for edge, count in zip(edges, counts, strict=False)]
    frame = Frame(
        title="turns per second",
        x_max=hours,
        y_max=rounded_up(max(rate for _, rate in points)),
        x_name="h",
        width=640,
        height=320,
    )
    return chart(frame, [Line(name="", points=points, color=GREEN)])


def _policies(outcomes: Sequence[Outcome], hours: float) -> list[str]:
    """Each policy's first run; the axes are the same for all."""
    firsts = [outcome.runs[0] for outcome in outcomes]
    workers = rounded_up(max(sample.existing for first in firsts for sample in first.timeline))
    backlog = rounded_up(max(sample.activity_backlog for first in firsts for sample in first.timeline))
    parts = []
    for first in firsts:
        kills = f'<span class="bad">{first.score.oom_kills} OOM kills</span>' if first.score.oom_kills else ""
        parts.append(f"<h2>{escape(first.policy)} {kills}</h2>")
        known = ENTRANTS.get(first.policy)
        parts.append(f'<p class="quiet">{escape(known.stands_for if known else "")}</p><div class="charts">')
        parts += [_workers(first, hours, workers), _waiting(first, hours, backlog), _memory(first, hours), "</div>"]
    return parts


def _series(run: Run, name: str, scale: float = 1.0) -> list[tuple[float, float]]:
    return [(sample.at / 3600, scale * getattr(sample, name)) for sample in run.timeline]


def _kills(run: Run, height: float) -> Marks:
    killed: list[Sample] = [sample for sample in run.timeline if sample.oom_kills]
    return Marks(points=[(sample.at / 3600, height) for sample in killed], color=RED, radius=2.5)


def _workers(run: Run, hours: float, most: float) -> str:
    frame = Frame(title="workers", x_max=hours, y_max=most, x_name="h")
    lines = [
        Line(name="existing", points=_series(run, "existing"), color=GRAY),
        Line(name="serving", points=_series(run, "ready"), color=BLUE),
    ]
    return chart(frame, lines, [_kills(run, most)])


def _waiting(run: Run, hours: float, most: float) -> str:
    frame = Frame(title="tasks waiting", x_max=hours, y_max=most, x_name="h")
    lines = [
        Line(name="activities", points=_series(run, "activity_backlog"), color=ORANGE),
        Line(name="workflow tasks", points=_series(run, "workflow_backlog"), color=BLUE),
    ]
    return chart(frame, lines)


def _memory(run: Run, hours: float) -> str:
    most = max(sample.cache for sample in run.timeline)
    frame = Frame(title=f"memory in %; cache of {most}", x_max=hours, y_max=100.0, x_name="h")
    lines = [
        Line(name="cache", points=_series(run, "cache", 100 / most), color=GREEN, dashed=True),
        Line(name="fullest worker", points=_series(run, "memory_max_fraction", 100), color=ORANGE),
    ]
    return chart(frame, lines, [_kills(run, 100.0)])
