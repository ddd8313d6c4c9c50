"""Five workers of five slots, one job of about two hours on each or nearly each; nothing else to do.

Right: no job is lost. Either the workers with a job stay until it ends, or they drain for as long as it takes.
"""

from tests.support.lab.loop import Lab
from tests.support.lab.world import Queue
from tests.worlds.cases.verdict import wrong

JOBS = {5 + 7 * number for number in range(5)}


def problems() -> tuple[str, ...]:
    """What went wrong."""
    queue = Queue(
        "jobs",
        arrivals=lambda t, _: int(t in JOBS),
        service=lambda chance: chance.uniform(5400, 9000),
        slots=5,
    )
    declared = {
        "name": "jobs",
        "target": {"kind": "local", "name": "jobs"},
        "task_queues": [{"name": "jobs", "types": ["activity"]}],
        "workers": {"min": 1, "max": 5},
    }
    Lab.of(declared, [queue], 5, seed=3).run(3600)
    return wrong({"no job is lost with its worker": queue.lost == 0})
