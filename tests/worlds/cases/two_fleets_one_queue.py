"""Two fleets serve one queue, half each, as the product asks them to declare: 80 busy slots, 10 a worker.

This fleet's world: the other fleet's workers take half of the tasks, and the server tells of the whole queue.
Right: five or six workers here, forty busy slots and a margin.
"""

from tests.support.lab.loop import Lab
from tests.support.lab.world import Queue
from tests.worlds.cases.verdict import wrong


def problems() -> tuple[str, ...]:
    """What went wrong."""
    half = Queue(
        "shared",
        lambda _, chance: sum(chance.random() < 0.4 for _ in range(50)),
        lambda chance: chance.expovariate(1 / 2),
        fleets=2,
    )
    declared = {
        "name": "a",
        "target": {"kind": "local", "name": "a"},
        "task_queues": [{"name": "shared", "types": ["activity"], "share": 0.5}],
        "workers": {"min": 1, "max": 20},
    }
    lab = Lab.of(declared, [half], 6)
    lab.run(1500)
    return wrong({"at most seven workers": lab.desired <= 7, "at most 5 % are late": half.late <= 0.05 * half.came})
