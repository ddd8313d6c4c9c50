"""What happens to a fleet between two of its ticks: by load, platform, operator and network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scaler.simulation.outside import FleetLoop
from tests.soak.world import LIMIT_BYTES, Worker, World


@dataclass(slots=True)
class Afflicted:
    """A fleet's loop and its world, and what of the tick to come goes wrong."""

    loop: FleetLoop
    world: World
    unreachable: bool = False  # the step is not taken
    unacted: bool = False  # the record is written, and nobody acts
    lost: bool = False  # the observation never arrives
    ahead_seconds: float = 0.0  # how far the controller's clock is ahead

    def any_worker(self) -> Worker | None:
        """One that lives."""
        live = self.world.live
        return self.world.chance.choice(live) if live else None

    def update(self, name: str, /, **request: Any) -> None:
        """A message of the workflow."""
        self.loop.update(name, self.world.now, request)


Mishap = Callable[[Afflicted], None]


def load_changes(fleet: Afflicted) -> None:
    """All of it, to none, a little, as it was, or double."""
    factor = fleet.world.chance.choice((0.0, 0.05, 0.3, 0.6, 1.0, 1.3, 2.0))
    for stream in fleet.world.streams:
        kind = stream.kind
        stream.rate = factor * kind.load * kind.slots * fleet.world.kind.workers / kind.seconds


def load_falls(fleet: Afflicted) -> None:
    """By a third."""
    for stream in fleet.world.streams:
        stream.rate *= 0.66


def tasks_take_longer(fleet: Afflicted) -> None:
    """Or as long as before."""
    for stream in fleet.world.streams:
        slower = fleet.world.chance.choice((1.0, 1.0, 1.6))
        stream.seconds = stream.kind.seconds * slower


def workers_cannot_keep_up(fleet: Afflicted) -> None:
    """Tasks take just so long that what is there no longer suffices."""
    for stream in fleet.world.streams:
        capacity = stream.kind.slots * len(fleet.world.serving)
        if stream.rate and not stream.kind.long:
            stream.seconds = max(stream.seconds, min(1.15 * capacity / stream.rate, 4 * stream.kind.seconds))


def work_is_as_usual(fleet: Afflicted) -> None:
    """Tasks take as long as declared, nothing is limited, everything is told."""
    world = fleet.world
    for stream in world.streams:
        stream.seconds, stream.limited, stream.age_seconds = stream.kind.seconds, False, 0.0
    for worker in world.workers:
        worker.polls, worker.beats, worker.extra_bytes = True, world.kind.beats, 0
    world.histories, world.memory_known, world.target_age_seconds = True, True, 0.0
    world.unschedulable, world.other_scaler, world.suspects = 0, None, ()


def runs_weigh_more(fleet: Afflicted) -> None:
    """As code or data change."""
    fleet.world.bytes_per_run = min(int(fleet.world.bytes_per_run * 2.2), 6 * 2**20)


def runs_weigh_less(fleet: Afflicted) -> None:
    """As code or data change."""
    fleet.world.bytes_per_run = max(int(fleet.world.bytes_per_run / 2), 2**16)


def more_runs_are_open(fleet: Afflicted) -> None:
    """More than all caches hold, or few."""
    fleet.world.runs = fleet.world.chance.choice((0.3, 1.5, 4.0)) * fleet.world.kind.workers * 60


def runs_of_a_worker_were_replayed(fleet: Afflicted) -> None:
    """They weigh up to five times as much as those that grew in place."""
    if (worker := fleet.any_worker()) is not None:
        worker.heavier = fleet.world.chance.choice((1.3, 2.8, 5.0))


def a_queue_is_unread(fleet: Afflicted) -> None:
    """Its statistics are old, or missing."""
    fleet.world.chance.choice(fleet.world.streams).age_seconds = fleet.world.chance.choice((None, 45.0, 400.0))


def histories_are_unread(fleet: Afflicted) -> None:
    """Nothing is sampled."""
    fleet.world.histories = False


def memory_is_unknown(fleet: Afflicted) -> None:
    """The target tells of no worker's memory."""
    fleet.world.memory_known = False


def the_target_is_unread(fleet: Afflicted) -> None:
    """It is known as it was minutes ago."""
    fleet.world.target_age_seconds = 200.0


def a_worker_falls_silent(fleet: Afflicted) -> None:
    """It serves, and sends no heartbeats."""
    if (worker := fleet.any_worker()) is not None:
        worker.beats = False


def pollers_of_a_worker_die(fleet: Afflicted) -> None:
    """It beats, and takes nothing more."""
    if (worker := fleet.any_worker()) is not None:
        worker.polls = False


def a_worker_crashes(fleet: Afflicted) -> None:
    """Its tasks begin anew elsewhere."""
    if (worker := fleet.any_worker()) is not None:
        fleet.world.end(worker, "crashed")


def a_worker_is_killed(fleet: Afflicted) -> None:
    """For its memory."""
    if (worker := fleet.any_worker()) is not None:
        fleet.world.end(worker, "oom_killed")


def a_poison_run_kills(fleet: Afflicted) -> None:
    """And is suspected."""
    fleet.world.suspects = ("conversation-7",)
    a_worker_is_killed(fleet)


def a_worker_is_nearly_full(fleet: Afflicted) -> None:
    """Something beside its runs took the memory."""
    if (worker := fleet.any_worker()) is not None:
        worker.extra_bytes = max(0, int(0.94 * LIMIT_BYTES) - fleet.world.memory_of(worker))


def the_next_worker_starts_slowly(fleet: Afflicted) -> None:
    """Thirty times as slowly as others."""
    fleet.world.start_factor = 30.0


def somebody_sets_the_count(fleet: Afflicted) -> None:
    """By hand, on the platform."""
    world = fleet.world
    world.desired = max(0, world.desired + world.chance.choice((-3, -1, 1, 5)))
    world.settle(world.desired, (), spared=False)


def somebody_deploys(fleet: Afflicted) -> None:
    """New code, and all workers with it."""
    world = fleet.world
    world.version = f"v{world.numbers}"
    for worker in world.live:
        world.drain(worker, spared=False)
    world.settle(world.desired, (), spared=False)


def a_queue_is_limited(fleet: Afflicted) -> None:
    """The server holds it back."""
    fleet.world.chance.choice(fleet.world.streams).limited = True


def there_is_no_room(fleet: Afflicted) -> None:
    """The platform can't start what it should."""
    fleet.world.unschedulable = 1


def another_scaler_appears(fleet: Afflicted) -> None:
    """It says nothing yet."""
    fleet.world.other_scaler = "hpa/agents"


def an_operator_pauses(fleet: Afflicted) -> None:
    """For a minute."""
    fleet.update("pause", reason="soak", **{"for": "1m"})


def an_operator_resumes(fleet: Afflicted) -> None:
    """Whatever was held."""
    fleet.update("resume")


def an_operator_overrides(fleet: Afflicted) -> None:
    """The count, the cache, or both, for three minutes."""
    chance, high = fleet.world.chance, fleet.loop.state.fleet.workers.max
    asked: dict[str, int] = {}
    if chance.random() < 0.7:
        asked["workers"] = chance.randrange(high + 3)
    if not asked or chance.random() < 0.3:
        asked["cache"] = chance.choice((1, 20, 100, 3000))
    fleet.update("override", reason="soak", **{"for": "3m"}, **asked)


def an_override_is_cleared(fleet: Afflicted) -> None:
    """Before its time."""
    fleet.update("clear_override")


def the_declaration_changes(fleet: Afflicted) -> None:
    """Its bounds."""
    declared, chance = dict(fleet.world.kind.declared), fleet.world.chance
    bounds = dict(declared["workers"])
    bounds["max"] = max(bounds["min"] + 1, int(bounds["max"] * chance.choice((0.5, 1.0, 1.5))))
    declared["workers"] = bounds
    fleet.update("apply", **declared)


def a_worker_hints(fleet: Afflicted) -> None:
    """All its slots are taken."""
    if (worker := fleet.any_worker()) is not None:
        fleet.update("hint", worker=worker.name, slots_used=8, slots=8)


def the_observation_is_lost(fleet: Afflicted) -> None:
    """After the step was taken."""
    fleet.lost = True


def the_target_does_not_answer(fleet: Afflicted) -> None:
    """To the step."""
    fleet.unreachable = True


def the_controller_is_killed_in_between(fleet: Afflicted) -> None:
    """After the record was written, before anybody acted."""
    fleet.unacted = True


def another_clock_is_ahead(fleet: Afflicted) -> None:
    """The tick is served by a host with another time."""
    fleet.ahead_seconds = fleet.world.chance.choice((5.0, 30.0, 3600.0))


OFTEN: tuple[Mishap, ...] = (
    load_changes,
    load_falls,
    load_falls,
    tasks_take_longer,
    runs_weigh_more,
    runs_weigh_less,
    more_runs_are_open,
    a_worker_hints,
    the_observation_is_lost,
)

MISHAPS: tuple[Mishap, ...] = (
    *OFTEN,
    runs_of_a_worker_were_replayed,
    a_queue_is_unread,
    histories_are_unread,
    memory_is_unknown,
    the_target_is_unread,
    a_worker_falls_silent,
    pollers_of_a_worker_die,
    a_worker_crashes,
    a_worker_is_killed,
    a_poison_run_kills,
    a_worker_is_nearly_full,
    the_next_worker_starts_slowly,
    somebody_sets_the_count,
    somebody_deploys,
    a_queue_is_limited,
    there_is_no_room,
    another_scaler_appears,
    an_operator_pauses,
    an_operator_resumes,
    an_operator_overrides,
    an_override_is_cleared,
    the_declaration_changes,
    the_target_does_not_answer,
    the_controller_is_killed_in_between,
    another_clock_is_ahead,
)
