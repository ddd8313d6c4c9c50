"""What activities take of a worker's memory: told from noise and from the cache, and a bound on the count."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.learn.activity_bytes import activity_cost, told_apart
from scaler.learn.learning import learn
from scaler.model.common import Size
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation, ReplaySeen, WorkerSeen
from scaler.model.remembered import ActivityFit, Operator, Override
from tests.support.plausible import TICK, Life, with_workers
from tests.support.strategies import LIMIT_BYTES, declared

MIB = 2**20
BASE_MIB = 60


def life(workers: int, *, most: int = 30, cache: int = 150) -> Life:
    bounds = {"min": 1, "max": most}
    return Life(declared(workers=bounds, cache={"max": 2000}), Size(workers, cache), MIB, ReplaySeen())


class Chance:
    """Workers whose caches, activities and memory vary from tick to tick; seeded."""

    def __init__(
        self, seed: int, *, slots: int, running: tuple[int, ...], each_mib: float = 0.0, noise: float = 2.0
    ) -> None:
        self._random = random.Random(seed)
        self._slots, self._running, self._each_mib, self._noise = slots, running, each_mib, noise

    def told(self, seen: Observation, cached: tuple[int, int]) -> Observation:
        return with_workers(seen, tuple(self._row(worker, cached) for worker in seen.workers))

    def _row(self, worker: WorkerSeen, cached: tuple[int, int]) -> WorkerSeen:
        held, runs = self._random.randint(*cached), self._random.choice(self._running)
        used_mib = BASE_MIB + held + runs * self._each_mib + self._random.gauss(0, self._noise)
        return replace(
            worker,
            cached=held,
            activity_slots=self._slots,
            activity_slots_used=runs,
            memory_bytes=int(used_mib * MIB),
        )


@pytest.mark.parametrize("slots", [8, 100])
@pytest.mark.parametrize("seed", range(4))
def test_noise_of_15_mib_is_not_taken_for_activities(seed: int, slots: int) -> None:
    """375 workflows are safe; by what 15 MiB of noise once passed for, at 100 slots, 67 to 184 were."""
    fleet, chance = life(4, most=4), Chance(seed, slots=slots, running=(0, 0, 1, 1, 2, 3), noise=15.0)
    fleet.fleet = declared(workers={"min": 4, "max": 4}, cache={"max": 2000})
    for _ in range(400):
        fleet.tick(chance.told(fleet.observe(1.0, 0.0), (100, 150)), Operator())
    estimate, _ = learn(fleet.steps[-1].seen, fleet.fleet, fleet.memory, fleet.now)

    assert estimate.memory.largest_cache(0.85 * LIMIT_BYTES, slots) >= 375 / 2
    assert fleet.size == Size(4, 150)


def test_what_an_activity_takes_is_found_within_minutes() -> None:
    fleet, chance = life(8), Chance(1, slots=50, running=(1, 2, 4, 5, 6), each_mib=20.0)
    for _ in range(16):
        fleet.tick(chance.told(fleet.observe(4.0, 0.0), (20, 40)), Operator())
    cost = activity_cost(fleet.memory.worker.activities)

    assert 18.0 <= cost.likely_bytes / MIB <= 22.0
    assert cost.likely_bytes < cost.high_bytes <= 24.0 * MIB


def test_slots_of_another_moment_are_not_paired_with_memory_of_now() -> None:
    fleet, chance = life(8), Chance(1, slots=50, running=(1, 2, 4, 5, 6), each_mib=20.0)
    for _ in range(40):
        seen = chance.told(fleet.observe(4.0, 0.0), (20, 40))
        fleet.tick(
            with_workers(seen, tuple(replace(row, heartbeat_age_seconds=30.0) for row in seen.workers)), Operator()
        )

    assert activity_cost(fleet.memory.worker.activities) == (0.0, 0.0, None)


def test_memory_of_the_moment_of_a_heartbeat_is_paired_with_it_however_old_it_is() -> None:
    fleet, chance = life(8), Chance(1, slots=50, running=(1, 2, 4, 5, 6), each_mib=20.0)
    for _ in range(40):
        seen = chance.told(fleet.observe(4.0, 0.0), (20, 40))
        rows = tuple(
            replace(
                row,
                heartbeat_age_seconds=30.0,
                memory_at_beat_mib=(row.memory_bytes or 0) // MIB,
                memory_bytes=200 * MIB,
            )
            for row in seen.workers
        )
        fleet.tick(with_workers(seen, rows), Operator())

    assert 18.0 <= activity_cost(fleet.memory.worker.activities).likely_bytes / MIB <= 22.0


def hungry(workers: int, *, minutes: int, most: int = 30, operator: Operator = Operator()) -> Life:  # noqa: B008
    """Sixty activities of 40 MiB on average in workers of 512 MiB, of which 60 are their own, with fifty slots each."""
    fleet = life(workers, most=most, cache=200)
    rng = random.Random(7)
    for _ in range(minutes * 4):
        now = fleet.size.workers
        runs = [0] * now
        for _ in range(60 + rng.randint(-8, 8)):
            runs[rng.randrange(now)] += 1
        seen = fleet.observe(40.0, 0.0)
        rows = tuple(
            replace(
                row,
                cached=(held := rng.randint(5, 25)),
                activity_slots=50,
                activity_slots_used=taken,
                memory_bytes=int((BASE_MIB + held / 16 + 40 * taken + rng.gauss(0, 3)) * MIB),
            )
            for row, taken in zip(seen.workers, runs, strict=True)
        )
        fleet.tick(with_workers(seen, rows), operator)
    return fleet


def test_a_fleet_is_not_shrunk_to_where_activities_fill_the_memory() -> None:
    """By slots alone two workers would do. Of 375 MiB that are usable nine activities take all."""
    fleet = hungry(16, minutes=40)

    assert min(step.wanted.workers for step in fleet.steps) >= 12
    assert fleet.size.cache == 200
    assert Constraint.ACTIVITY_MEMORY in {step.decision.workers_bound for step in fleet.steps}
    assert Mode.INFEASIBLE not in {step.decision.mode for step in fleet.steps}


def test_an_operator_takes_no_workers_away_that_memory_needs() -> None:
    known = hungry(16, minutes=10)
    override = Operator(override=Override(reason="test", until=known.now + timedelta(hours=1), workers=2))
    for _ in range(3):
        known.tick(replace(known.steps[-1].seen, observed_at=known.now), override)

    assert known.size.workers >= 12
    assert Reason.HELD_BY_ACTIVITY_MEMORY in known.steps[-1].decision.reasons


def test_where_no_allowed_count_is_enough_it_says_so() -> None:
    fleet = hungry(5, minutes=8, most=6)
    last = fleet.steps[-1].decision

    assert fleet.size.workers == 6
    assert {Reason.BOUNDS_INFEASIBLE, Reason.ACTIVITIES_FILL_MEMORY} <= set(last.reasons)


def test_a_fit_of_one_worker_does_not_take_one_heartbeat_for_twelve() -> None:
    """Ticks of five seconds meet each beat of a minute twelve times."""
    fleet = life(1, most=1)
    for tick in range(60):
        seen = replace(fleet.observe(1.0, 0.5), observed_at=fleet.now)
        rows = tuple(
            replace(row, heartbeat_age_seconds=5.0 * (tick % 12), memory_age_seconds=5.0 * (tick % 12))
            for row in seen.workers
        )
        fleet.tick(with_workers(seen, rows), Operator())
        fleet.now += timedelta(seconds=5) - TICK

    assert fleet.memory.worker.activities.moments[0] <= 10.0


@pytest.mark.parametrize(
    ("weight", "workers", "apart"),
    [(6.0, 3, True), (5.9, 3, False), (12.0, 50, True), (11.9, 50, False)],
    ids=["two beats of each", "less", "a dozen of many", "less than a dozen"],
)
def test_activities_are_told_apart_after_two_beats_of_each_worker_or_a_dozen(
    weight: float, workers: int, *, apart: bool
) -> None:
    assert told_apart(ActivityFit((weight, *(9 * [0.0]))), workers) == apart
