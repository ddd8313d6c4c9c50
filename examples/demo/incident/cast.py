"""Who plays in the incident: the same workers on both sides, and the bounds within which either side sizes them."""

from typing import Any

from activities.targets.supervisor.wanted import BackOff
from examples.demo.cast import Cast
from examples.demo.incident.cpu_rule import CpuRule
from scaler.model.common import Size
from scaler.wire.units import parse_size

LARGE_CACHE = 100
CUT_CACHE = LARGE_CACHE // 10
FIRST_SIZE = Size(4, LARGE_CACHE)
FEWEST, MOST = 2, 10

VCPU = 0.25
"""Of one worker, nominally: nothing holds it to that, so that many of them fit a small machine."""

RULE = CpuRule(target=0.6, average_seconds=25.0, hold_seconds=15.0, fewest=FEWEST, most=MOST)

ACTIVITY_SLOTS = 4


def cast(side: str) -> Cast:
    """The workers of one side; they poll a queue of their own."""
    name = f"agents-{side}"
    workers = {"min": FEWEST, "max": MOST, "slots": {"workflow": 100, "activity": ACTIVITY_SLOTS}}
    declared: dict[str, Any] = {
        "name": name,
        "target": {"kind": "local", "name": name},
        "task_queues": [{"name": name}],
        "workers": workers,
        "cache": {"min": 10, "max": LARGE_CACHE},
        "memory": {"headroom": 0.25},  # what the full load adds to a worker in ten seconds
        "objective": {"percentile": 95, "workflow_task": "200ms", "activity": "1s"},
        "behaviour": {"drain": "20s"},
    }
    first = FIRST_SIZE.workers
    return Cast(
        declared=declared,
        declared_at_first={**declared, "workers": {**workers, "min": first, "max": first}},
        memory_limit_bytes=parse_size("256Mi"),
        worker_environment={
            "AGENTS_TASK_QUEUE": name,
            "AGENTS_ACTIVITY_SLOTS": str(ACTIVITY_SLOTS),
            "AGENTS_SANDBOX": "off",
            "AGENTS_START_CPU_SECONDS": "1",
            "AGENTS_HEARTBEAT_SECONDS": "2",
            "AGENTS_GRACE_SECONDS": "18",
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_MMAP_THRESHOLD_": "131072",
        },
        back_off=BackOff(initial_seconds=1.0, limit_seconds=1.0),
    )
