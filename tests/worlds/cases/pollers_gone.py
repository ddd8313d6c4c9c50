"""Every worker stops polling ten minutes after it was ready, with 14 of 15 slots free; it lives on and beats.

One activity a second of 5 s: two workers are plenty while they poll. Right: say that tasks wait although most slots
are free, and replace the workers that take nothing; not more and more workers and no word about the idle ones.
"""

from tests.support.lab.loop import Lab
from tests.support.lab.world import LabWorker, LabWorld, Queue
from tests.worlds.cases.verdict import wrong

POLLS_SECONDS = 600


def problems() -> tuple[str, ...]:
    """What went wrong."""

    def polls(worker: LabWorker) -> bool:
        return lab.world.second - worker.ready_at < POLLS_SECONDS or lab.world.second < POLLS_SECONDS

    queue = Queue(
        "main",
        arrivals=lambda *_: 1,
        service=lambda chance: chance.expovariate(1 / 5),
        slots=15,
        taken_by=polls,
    )
    declared = {
        "name": "main",
        "target": {"kind": "local", "name": "main"},
        "task_queues": [{"name": "main", "types": ["activity"]}],
        "workers": {"min": 1, "max": 10},
    }
    texts: list[str] = []

    def each(world: LabWorld) -> None:
        if queue.waiting and world.second - queue.waiting[0] > 5 and world.second % 5 == 0:
            texts.append(lab.explain())

    lab = Lab.of(declared, [queue], 2, each=each)
    lab.run(4200)
    return wrong(
        {
            "fewer than one in eight is late": queue.late < queue.came / 8,
            "the count stays below the maximum": max((move.after for move in lab.moves), default=2) < 10,
            "it is said that tasks wait while slots are free": any("free" in text for text in texts),
        }
    )
