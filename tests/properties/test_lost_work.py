"""Lost work: in generated worlds of long tasks spread over workers, nothing that this product does ends one of them."""

from collections import deque
from dataclasses import dataclass
from random import Random

from hypothesis import event, given, settings, target
from hypothesis import strategies as st

from tests.support.lab.loop import Lab
from tests.support.lab.sight import Sight
from tests.support.lab.world import Queue


@dataclass(frozen=True)
class World:
    """A fleet, its long tasks (when each comes and how long it runs), and how many short ones come beside them.

    Nobody can tell a long task from a short one before it has run for longer than those do: so all come in the minute
    before the fleet is looked at.
    """

    workers: int
    slots: int
    drain_seconds: int
    long: tuple[tuple[int, int], ...]
    short_per_second: float
    beats: bool


worlds = st.builds(
    World,
    workers=st.integers(2, 8),
    slots=st.integers(1, 5),
    drain_seconds=st.sampled_from([20, 60]),
    long=st.lists(st.tuples(st.integers(0, 60), st.integers(100, 3000)), max_size=12).map(tuple),
    short_per_second=st.sampled_from([0.0, 0.1, 0.5]),
    beats=st.booleans(),
)


@settings(max_examples=25)  # each is a quarter of an hour, second by second
@given(worlds)
def test_no_running_work_is_lost(world: World) -> None:
    lab = _lived(world)

    scale_ins = sum(move.after < move.before for move in lab.moves)
    event(f"scaled in: {scale_ins > 0}")
    target(float(scale_ins))
    assert sum(queue.lost for queue in lab.world.queues) == 0


def test_a_fleet_gives_workers_up_once_its_long_tasks_have_ended() -> None:
    world = World(6, 3, 60, ((5, 400), (50, 300), (90, 500)), 0.1, beats=True)

    lab = _lived(world)

    assert lab.desired <= 3
    assert lab.world.queues[0].lost == 0


def _lived(world: World) -> Lab:
    """A quarter of an hour and more; workers beat every ten seconds, or never."""
    lengths: deque[float] = deque()  # of the tasks that wait, which begin in the order in which they came

    def arrivals(second: int, chance: Random) -> int:
        came: list[float] = [seconds for at, seconds in world.long if at == second]
        if chance.random() < world.short_per_second:
            came.append(chance.expovariate(1 / 2))
        lengths.extend(came)
        return len(came)

    fleet = {
        "name": "jobs",
        "target": {"kind": "local", "name": "jobs"},
        "task_queues": [{"name": "jobs", "types": ["activity"]}],
        "workers": {"min": 1, "max": 8, "slots": {"activity": world.slots}},
        "behaviour": {"drain": f"{world.drain_seconds}s"},
    }
    queue = Queue("jobs", arrivals, lambda _: lengths.popleft(), slots=world.slots)
    beat_seconds = 10.0 if world.beats else 1e9
    return Lab.of(fleet, [queue], world.workers, Sight(under_way=True), beat_seconds=beat_seconds).run(1100)
