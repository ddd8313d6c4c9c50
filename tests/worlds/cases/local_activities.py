"""Python workers whose workflow tasks call a service as a local activity: each holds its slot for 5 s and no CPU.

Three such tasks a second: 15 of the 100 slots of one worker; nothing waits. Right: two workers at most stay.
"""

from scaler.model.common import TaskType
from tests.support.lab.loop import Lab
from tests.support.lab.sight import Sight
from tests.support.lab.world import Queue
from tests.worlds.cases.verdict import wrong


def problems(sdk: str = "temporal-python") -> tuple[str, ...]:
    """What went wrong."""
    queue = Queue(
        "orders",
        arrivals=lambda _, chance: sum(chance.random() < 0.3 for _ in range(10)),
        service=lambda chance: chance.uniform(4, 6),
        slots=100,
        task_type=TaskType.WORKFLOW,
    )
    declared = {
        "name": "orders",
        "target": {"kind": "local", "name": "orders"},
        "task_queues": [{"name": "orders", "types": ["workflow"]}],
        "workers": {"min": 1, "max": 40},
        "cache": {"delivery": "fixed"},
        "objective": {"workflow_task": "1s"},
    }
    lab = Lab.of(declared, [queue], 2, Sight(sdk=sdk))
    lab.run(1500)
    return wrong(
        {
            "at most four workers": max((move.after for move in lab.moves), default=2) <= 4,
            "nothing is late": queue.late == 0,
        }
    )
