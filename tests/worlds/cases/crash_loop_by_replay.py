"""Six workers; a restart empties their caches, the mass of replays makes them fail and end (not for memory), again.

For ten minutes each worker ends 40 s after it began to poll, back-off 10 s. Load: 4 activities a second of 5 s.
Right: no worker is taken away meanwhile, no cache change (it would restart the rest), no run to the maximum; and the
loop is named.
"""

from scaler.model.common import TaskType
from tests.support.lab.loop import Lab
from tests.support.lab.sight import Sight
from tests.support.lab.world import LabWorld, Queue
from tests.worlds.cases.verdict import wrong


def problems() -> tuple[str, ...]:
    """What went wrong."""
    activities = Queue(
        "evals",
        lambda _, chance: sum(chance.random() < 0.4 for _ in range(10)),
        lambda chance: chance.expovariate(1 / 5),
    )
    workflows = Queue(
        "evals",
        lambda _, chance: sum(chance.random() < 0.4 for _ in range(10)),
        lambda chance: chance.uniform(0.05, 0.4),
        slots=20,
        task_type=TaskType.WORKFLOW,
    )
    declared = {
        "name": "evals",
        "target": {"kind": "local", "name": "evals"},
        "task_queues": [{"name": "evals"}],
        "workers": {"min": 2, "max": 20},
    }
    texts: list[str] = []

    def each(world: LabWorld) -> None:
        if 900 <= world.second < 1500:
            for worker in world.live:
                if world.second - worker.ready_at >= 40 and (worker.back_at or 0) <= world.second:
                    world.crash(worker, 10)
        if world.second == 1200:
            texts.append(lab.explain())

    sight = Sight(sdk="temporal-python")
    lab = Lab.of(declared, [workflows, activities], 6, sight, cache=200, each=each)
    lab.run(2400)
    during = [move for move in lab.moves if 900 <= move.second <= 1560]
    caches = {each.size.cache for second, each in lab.decisions if 900 <= second <= 1560 and each.size is not None}
    return wrong(
        {
            "no worker is taken away in the loop": all(move.after >= move.before for move in during),
            "the cache is left alone": len(caches) == 1,
            "at most twelve workers": max((move.after for move in during), default=6) <= 12,
            "the loop is named": any("crash" in text for text in texts),
        }
    )
