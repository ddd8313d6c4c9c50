"""A fleet that may go to zero; two activities a second for ten minutes, then nothing at all.

Right: at zero some minutes later, whether histories tell of it or not.
"""

from tests.support.lab.loop import Lab
from tests.support.lab.sight import Sight
from tests.support.lab.world import Queue
from tests.worlds.cases.verdict import wrong


def problems() -> tuple[str, ...]:
    """What went wrong."""
    return wrong({f"at zero, histories {known}": _left(histories=known) == 0 for known in (True, False)})


def _left(*, histories: bool) -> int:
    queue = Queue("q", lambda t, _: 2 if t < 600 else 0, lambda chance: chance.expovariate(1 / 2))
    declared = {
        "name": "a",
        "target": {"kind": "local", "name": "a"},
        "task_queues": [{"name": "q", "types": ["activity"]}],
        "workers": {"min": 0, "max": 10},
    }
    lab = Lab.of(declared, [queue], 2, Sight(histories=histories))
    lab.run(3 * 3600)
    return lab.desired
