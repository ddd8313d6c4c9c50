"""Each worker starts five activities a second at most (a limit of the worker, not of the queue), with ten slots.

Thirty of 0.2 s arrive a second: six workers can just start them, seven or eight keep them from waiting. By slots one
would do. Right: seven or eight workers, held there.
"""

from tests.support.lab.loop import Lab
from tests.support.lab.world import Queue
from tests.worlds.cases.verdict import wrong

SECONDS = 3600


def problems() -> tuple[str, ...]:
    """What went wrong."""
    queue = Queue(
        "billing",
        arrivals=lambda _, chance: sum(chance.random() < 0.3 for _ in range(100)),
        service=lambda chance: chance.expovariate(1 / 0.2),
        slots=10,
        worker_rate=5,
    )
    declared = {
        "name": "billing",
        "target": {"kind": "local", "name": "billing"},
        "task_queues": [{"name": "billing", "types": ["activity"]}],
        "workers": {"min": 1, "max": 20},
    }
    counts: list[int] = []
    Lab.of(declared, [queue], 2, each=lambda world: counts.append(len(world.live))).run(SECONDS)
    steady = counts[len(counts) // 2 :]
    return wrong(
        {
            "at most 5 % are late": queue.late <= 0.05 * queue.came,
            "the count stays within three workers in the second half": max(steady) - min(steady) <= 3,
        }
    )
