"""The figures of a run as they are printed: for a person a table, for a program one JSON object on the last line."""

import json

from rich.table import Table

from benchmarks.live.figures import Figures
from benchmarks.live.options import Options

_MEANINGS = {
    "turns": "sent, at times that no answer delays",
    "conversations": "that they belong to; none of them ends",
    "late_share": "answered after more than 10 s, or lost",
    "lost": "not answered 30 s after the load had ended",
    "turn_p50_s": "from sending a turn to its answer",
    "turn_p95_s": "",
    "turn_p99_s": "",
    "activity_wait_p95_s": "from scheduling a model call to its start",
    "workflow_task_wait_p95_s": "the same for workflow tasks",
    "oom_kills": "workers that exceeded their memory limit",
    "oom_kills_after_first_decision": "… of which the product could have prevented",
    "restarts": "starts of a worker after it ended unasked",
    "worker_seconds": "ready, starting, borrowed by a rollout or waiting for a restart",
    "least_worker_seconds": "if every slot were busy all the time",
    "worker_seconds_over_least": "",
    "draining_worker_seconds": "of workers that were leaving; not counted above",
    "workers_min": "wanted, without what a rollout borrows",
    "workers_max": "",
    "cache_last": "workflows that each worker may keep cached, at the end",
    "reaction_s": "from a burst's first task beyond its objective to an order for more workers",
    "machine_cpu_share": "on average",
    "machine_busy_share": "of the time over 80% CPU: there tasks may wait for the machine",
    "memory_limit_held_by": "cgroup: the kernel; watchdog: only the supervisor, once a second",
}


def as_line(options: Options, found: Figures) -> str:
    """The options and all figures, as one JSON object."""
    return json.dumps({**options.told(), **found.told()})


def as_table(found: Figures) -> Table:
    """Each figure with what it means."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold", style="dim")
    for name, value in found.told().items():
        table.add_row(name, "–" if value is None else str(value), _MEANINGS[name])
    return table
