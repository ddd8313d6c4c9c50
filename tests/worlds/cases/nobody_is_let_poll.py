"""From the tenth minute on the server turns every poll away (a limit of the namespace); workers start, beat and idle.

Two activities a second of 2 s before; two workers. New workers are turned away too: more of them do nothing.
Right: at most a step of a few workers, then stop and say that tasks wait while all slots are free.
"""

from tests.support.lab.loop import Lab
from tests.support.lab.world import Queue
from tests.worlds.cases.verdict import wrong


def problems() -> tuple[str, ...]:
    """What went wrong."""
    queue = Queue(
        "main",
        arrivals=lambda _, chance: sum(chance.random() < 0.5 for _ in range(4)),
        service=lambda chance: chance.expovariate(1 / 2),
        slots=10,
        taken_by=lambda _: lab.world.second < 720,
    )
    declared = {
        "name": "main",
        "target": {"kind": "local", "name": "main"},
        "task_queues": [{"name": "main", "types": ["activity"]}],
        "workers": {"min": 1, "max": 40},
    }
    lab = Lab.of(declared, [queue], 2)
    lab.run(2400)
    return wrong(
        {
            "at most ten workers": max((move.after for move in lab.moves), default=2) <= 10,
            "it is said that tasks wait while slots are free": "free" in lab.explain(),
        }
    )
