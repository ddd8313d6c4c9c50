"""Fleets of more than a hundred workers: rows name only some of them, and nobody is missed all the same."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.joining import totals
from activities.rows import rows_kept
from scaler.decide import decide
from scaler.learn.slots import slots_of
from scaler.model.common import Generation, Polled, Quality, Size, TaskType
from scaler.model.decision import Decision
from scaler.model.observation import Observation, ReplaySeen, TargetSeen, TaskTimesSeen, WorkerSeen, WorkerState
from scaler.model.record import Applied, RolloutStep, StepOutcome, TargetRecord
from scaler.model.remembered import Operator, Remembered
from tests.support import states
from tests.support.plausible import Life
from tests.support.strategies import declared

SHORT = tuple(
    TaskTimesSeen(
        at=states.NOW, quality=Quality.FRESH, queue="agents", task_type=kind, samples=90, service_mean_seconds=seconds
    )
    for kind, seconds in ((TaskType.WORKFLOW, 0.01), (TaskType.ACTIVITY, 2.0))
)


def _life(workers: int) -> Life:
    bounds = {"min": workers, "max": 2000}
    return Life(declared(workers=bounds), Size(workers, 60), 2**20, ReplaySeen())


def _cut_to_rows(seen: Observation, workers: tuple[WorkerSeen, ...], step: RolloutStep, surge: int) -> Observation:
    assert seen.found is not None
    record = replace(seen.found, step=step, surge=surge)
    return replace(
        seen,
        workers=rows_kept(workers),
        totals=totals(workers, 150.0),
        found=record,
        applied=replace(seen.applied, record=record),
    )


@pytest.mark.parametrize("workers", [90, 110, 300, 1000])
def test_a_rollout_of_which_all_are_ready_ends(workers: int) -> None:
    life = _life(workers)
    seen = life.observe(200.0, 0.5)

    life.tick(_cut_to_rows(seen, seen.workers, RolloutStep.CONFIRM, 25), Operator())

    plan = life.steps[-1].decision.plan
    assert (plan.step, plan.surge, plan.size) == (RolloutStep.NONE, 0, Size(workers, 60))


@pytest.mark.parametrize("workers", [90, 150])
def test_the_surge_of_a_rollout_whose_tasks_are_short_goes_at_once(workers: int) -> None:
    everybody = _ready(workers + 38, cache=120)

    decision = _decided(everybody, Size(workers, 120), RolloutStep.REPLACE)

    assert (decision.plan.step, decision.plan.surge) == (RolloutStep.NONE, 0)
    assert decision.plan.size == Size(workers, 120)
    assert len(decision.plan.victims) == 38


def test_of_twenty_old_workers_among_three_hundred_that_are_neither_fullest_nor_idlest_none_is_missed() -> None:
    life = _life(300)
    seen = life.observe(900.0, 0.5)
    everybody = tuple(
        replace(
            row,
            cache=40 if 100 <= index < 120 else 60,
            activity_slots_used=8 if 100 <= index < 120 else 3,
            memory_bytes=(row.memory_bytes or 0) + (50 if index < 50 else 0) * 2**20,
        )
        for index, row in enumerate(seen.workers)
    )

    life.tick(_cut_to_rows(seen, everybody, RolloutStep.REPLACE, 75), Operator())

    plan = life.steps[-1].decision.plan
    assert plan.step is RolloutStep.REPLACE
    assert set(plan.replace) == {f"w-{number}" for number in range(100, 120)}


def test_of_thirty_old_workers_emptier_than_the_fullest_and_busier_than_the_idlest_none_is_missed() -> None:
    old = [states.worker(number, cache=120, memory_bytes=150 * states.MIB, cached=100) for number in range(1, 31)]
    old = [replace(each, activity_slots_used=7) for each in old]
    new = [states.worker(number, cache=240, memory_bytes=200 * states.MIB, cached=100) for number in range(31, 151)]
    new = [replace(each, activity_slots_used=3) for each in new]

    decision = _decided((*old, *new), Size(150, 240), RolloutStep.REPLACE)

    assert decision.plan.step is RolloutStep.REPLACE
    assert set(decision.plan.replace) == {each.name for each in old}


def _ready(count: int, cache: int) -> tuple[WorkerSeen, ...]:
    return tuple(
        states.worker(number, cache=cache, age_seconds=600.0, memory_bytes=150 * states.MIB)
        for number in range(1, count + 1)
    )


def _decided(workers: tuple[WorkerSeen, ...], size: Size, step: RolloutStep) -> Decision:
    """The decision on a fleet in the middle of a rollout whose surge is as large as the default."""
    fleet = states.fleet(workers={"min": 1, "max": 400, "slots": {"activity": 8}})
    surge = -(-size.workers // 4)
    stamped = Generation(1.0, 5)
    record = TargetRecord(owner=states.OWNER, generation=stamped, intended=size, step=step, surge=surge)
    seen = Observation(
        observed_at=states.NOW,
        found=record,
        applied=Applied(generation=stamped, outcome=StepOutcome.APPLIED, record=record),
        target=TargetSeen(
            at=states.NOW,
            quality=Quality.FRESH,
            desired=size.workers,
            cache=size.cache,
            memory_limit_bytes=256 * states.MIB,
        ),
        queues=(states.queue(TaskType.WORKFLOW, at=states.NOW), states.queue(TaskType.ACTIVITY, at=states.NOW)),
        task_times=SHORT,
        workers=rows_kept(workers),
        totals=totals(workers, 150.0),
    )
    return decide(seen, fleet, Remembered(), states.NOW)[0]


sizes = st.integers(150, 1000)


@st.composite
def large_fleets(draw: st.DrawFn) -> tuple[WorkerSeen, ...]:
    """Workers of up to four kinds, one of which may be as small as one worker."""
    count, kinds = draw(sizes), draw(st.integers(1, 4))
    edges = sorted(draw(st.lists(st.integers(1, count - 1), min_size=kinds - 1, max_size=kinds - 1)))
    return tuple(
        states.worker(
            number,
            cache=60 + 20 * sum(number >= edge for edge in edges),
            memory_bytes=(number * 7919 % 1009) * states.MIB,
            activity_slots_used=number * 31 % 9,
            heartbeat_age_seconds=None if number % 17 == 0 else 5.0,
        )
        for number in range(count)
    )


@given(large_fleets())
def test_rows_hold_the_fullest_and_a_fair_part_of_each_kind(workers: tuple[WorkerSeen, ...]) -> None:
    rows = rows_kept(workers)
    of_kind, kept_of_kind = Counter(each.cache for each in workers), Counter(each.cache for each in rows)
    by_memory = sorted(workers, key=lambda each: each.memory_bytes or 0, reverse=True)

    assert len(rows) == len({each.name for each in rows}) == 100
    assert {each.name for each in by_memory[:10]} <= {each.name for each in rows}
    assert all(kept_of_kind[cache] >= min(of_kind[cache], 90 // len(of_kind)) for cache in of_kind)


@given(large_fleets())
def test_of_each_kind_the_idlest_that_report_themselves_have_rows(workers: tuple[WorkerSeen, ...]) -> None:
    rows = rows_kept(workers)
    fullest = {each.name for each in sorted(workers, key=lambda each: each.memory_bytes or 0, reverse=True)[:10]}
    for cache in {each.cache for each in workers}:
        beating = [each for each in workers if each.cache == cache and each.heartbeat_age_seconds is not None]
        named = [each for each in rows if each in beating and each.name not in fullest]
        missed = [each for each in beating if each not in rows]
        if named and missed:
            assert max(_used(each) for each in named) <= min(_used(each) for each in missed)


def _used(worker: WorkerSeen) -> int:
    return (worker.activity_slots_used or 0) + (worker.workflow_slots_used or 0)


@dataclass
class _Rollout:
    """A fleet whose target carries each plan out at once; new workers serve two ticks after they were started."""

    workers: list[WorkerSeen]
    record: TargetRecord
    memory: Remembered
    ticks: int = 0

    def tick(self) -> Decision:
        now = states.NOW + timedelta(seconds=5 * self.ticks)
        intended = self.record.intended
        assert intended is not None
        seen = Observation(
            observed_at=now,
            found=self.record,
            applied=Applied(generation=self.record.generation, outcome=StepOutcome.APPLIED, record=self.record),
            target=TargetSeen(
                at=now,
                quality=Quality.FRESH,
                desired=intended.workers,
                cache=intended.cache,
                memory_limit_bytes=2**30,
            ),
            queues=tuple(states.queue(kind, at=now) for kind in TaskType if kind is not TaskType.UNKNOWN),
            task_times=tuple(replace(each, at=now) for each in SHORT),
            workers=rows_kept(self.workers),
            totals=totals(self.workers, 150.0),
        )
        fleet = states.fleet(workers={"min": intended.workers, "max": 2000}, cache={"max": 400})
        decision, self.memory = decide(seen, fleet, self.memory, now)
        self._carry_out(decision)
        self.ticks += 1
        return decision

    def _carry_out(self, decision: Decision) -> None:
        plan = decision.plan
        assert plan.size is not None
        self.record = replace(self.record, step=plan.step, surge=plan.surge, intended=plan.size)
        ready = [replace(each, state=WorkerState.READY, heartbeat_age_seconds=2.0) for each in self.workers]
        staying = [each for each in ready if each.name not in plan.replace]
        keep = plan.size.workers + plan.surge
        excess = set(plan.victims[: max(len(staying) - keep, 0)])
        staying = [each for each in staying if each.name not in excess]
        started = range(len(staying), keep)
        self.workers = staying + [
            self._started(1000 * (self.ticks + 1) + number, plan.size.cache) for number in started
        ]

    @staticmethod
    def _started(number: int, cache: int | None) -> WorkerSeen:
        return states.worker(
            number,
            cache=cache,
            age_seconds=1.0,
            state=WorkerState.STARTING,
            memory_bytes=60 * states.MIB,
            heartbeat_age_seconds=None,
            activity_slots_used=None,
            workflow_slots_used=None,
            cached=None,
        )


@pytest.mark.parametrize("workers", [150, 400, 1000])
def test_a_rollout_of_hundreds_of_workers_replaces_all_of_them_and_ends(workers: int) -> None:
    old = [states.worker(number, cache=240, memory_bytes=150 * states.MIB) for number in range(workers)]
    record = TargetRecord(
        owner=states.OWNER, generation=Generation(1.0, 5), intended=Size(workers, 120), step=RolloutStep.SURGE, surge=0
    )
    rollout = _Rollout(old, record, Remembered())

    fewest_serving, decision = workers, rollout.tick()
    while decision.plan.step is not RolloutStep.NONE and rollout.ticks < 120:
        decision = rollout.tick()
        fewest_serving = min(fewest_serving, sum(each.state is WorkerState.READY for each in rollout.workers))

    assert {each.cache for each in rollout.workers} == {120}
    assert len(rollout.workers) == workers
    assert rollout.record.surge == 0
    assert fewest_serving >= workers


@pytest.mark.parametrize("workers", [80, 150, 300, 1000])
def test_tasks_do_not_look_shorter_for_being_told_of_by_the_idlest(workers: int) -> None:
    """Tasks of 6 s keep 60 % of eight slots busy, on each worker more or less of them."""
    chance = Random(1)
    rows = tuple(
        states.worker(
            number,
            activity_slots_used=sum(chance.random() < 0.6 for _ in range(8)),
            activities_per_second=0.8,
            memory_bytes=150 * states.MIB + chance.randrange(2**20),
        )
        for number in range(workers)
    )
    seen = states.observation(workers=rows_kept(rows), totals=totals(rows, 150.0))

    told = slots_of(seen, states.fleet(), Polled("agents", TaskType.ACTIVITY))

    assert told.settled_used / told.settled_done_per_second == pytest.approx(6.0, abs=0.3)


def test_of_a_large_fleet_young_workers_that_have_a_row_do_not_count() -> None:
    rows = tuple(
        states.worker(
            number, activity_slots_used=4, activities_per_second=0.8, age_seconds=20.0 if number < 5 else 900.0
        )
        for number in range(150)
    )
    rows = tuple(
        replace(row, memory_bytes=(row.memory_bytes or 0) + 500 * states.MIB * (number < 5))
        for number, row in enumerate(rows)
    )
    seen = states.observation(workers=rows_kept(rows), totals=totals(rows, 150.0))

    told = slots_of(seen, states.fleet(), Polled("agents", TaskType.ACTIVITY))

    assert told.settled_used == 4 * 145
    assert told.settled_done_per_second == pytest.approx(0.8 * 145)
