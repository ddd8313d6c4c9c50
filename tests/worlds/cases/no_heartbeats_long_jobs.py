"""Workers that never send heartbeats (an older SDK). One short activity a second; and now and then a job of two hours.

Some jobs run, spread over six workers of ten slots. Histories show only what has ended, so no job shows. Right: what
is not known is not idle: no worker with a job is taken away while it runs.
"""

import random

from tests.support.lab.loop import Lab
from tests.support.lab.world import Queue
from tests.worlds.cases.verdict import wrong

JOBS = set(range(10, 70, 5))
NEVER_SECONDS = 1e9


def problems(beats_seconds: float = NEVER_SECONDS) -> tuple[str, ...]:
    """What went wrong."""

    def service(chance: random.Random) -> float:
        return 7200.0 if lab.world.second in JOBS and chance.random() < 0.6 else chance.expovariate(1 / 2)

    queue = Queue("mix", lambda t, chance: int(chance.random() < 0.9) + (t in JOBS), service, slots=10)
    declared = {
        "name": "mix",
        "target": {"kind": "local", "name": "mix"},
        "task_queues": [{"name": "mix", "types": ["activity"]}],
        "workers": {"min": 1, "max": 8, "slots": {"activity": 10}},
    }
    lab = Lab.of(declared, [queue], 6, beat_seconds=beats_seconds)
    lab.run(2400)
    return wrong({"no job is lost with its worker": queue.lost == 0})
