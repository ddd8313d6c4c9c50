"""How many workers go at once when the cache size changes, and in which order a rollout proceeds."""

from dataclasses import replace

import pytest

from scaler.model.common import Size
from scaler.model.decision import Mode
from scaler.model.observation import ReplaySeen, WorkerSeen, WorkerState
from scaler.model.record import RolloutStep
from scaler.model.remembered import Operator, Rollout
from scaler.rules.rollout import Stage
from scaler.rules.situation import EMERGENCY_FRACTION
from tests.support.plausible import BASE_BYTES, Life, Step, oom_kill, with_workers
from tests.support.strategies import LIMIT_BYTES, declared

WORKERS, CACHE = 8, 100
PER_SECOND = 20.0


def _life() -> Life:
    """Eight workers with memory to spare."""
    life = Life(declared(workers={"min": WORKERS, "max": 16}), Size(WORKERS, CACHE), 2**18, ReplaySeen())
    for _ in range(4):
        life.tick(life.observe(PER_SECOND, 0.5), Operator())
    return life


def _after_a_jump(fraction: float, starting: int = 0, age_seconds: float = 500.0) -> Step:
    """All but some that start suddenly use so much of their limit."""
    life = _life()
    life.bytes_per_workflow = int((fraction * LIMIT_BYTES - BASE_BYTES) / (CACHE // 2)) + 1
    rows = tuple(replace(worker, age_seconds=age_seconds) for worker in life.observe(PER_SECOND, 0.5).workers)
    return _decided(life, (*(_begun(worker) for worker in rows[:starting]), *rows[starting:]))


def _decided(life: Life, rows: tuple[WorkerSeen, ...]) -> Step:
    """What is decided on these workers."""
    life.tick(with_workers(life.observe(PER_SECOND, 0.5), rows), Operator())
    return life.steps[-1]


def _begun(worker: WorkerSeen) -> WorkerSeen:
    return replace(worker, state=WorkerState.STARTING, cached=None, memory_bytes=BASE_BYTES, heartbeat_age_seconds=None)


def _used(step: Step) -> int:
    return max(worker.memory_bytes or 0 for worker in step.seen.workers)


def test_of_workers_that_all_grow_towards_a_kill_half_stay_until_others_serve() -> None:
    step = _after_a_jump(0.8)

    assert step.decision.mode is Mode.EMERGENCY
    assert _used(step) < EMERGENCY_FRACTION * LIMIT_BYTES
    assert 0 < len(step.decision.plan.replace) <= WORKERS // 2


def test_workers_that_are_as_good_as_killed_all_go() -> None:
    step = _after_a_jump(0.95)

    assert step.decision.mode is Mode.EMERGENCY
    assert _used(step) >= EMERGENCY_FRACTION * LIMIT_BYTES
    assert len(step.decision.plan.replace) == WORKERS


def test_workers_that_would_come_up_with_the_cache_that_kills_go_at_once() -> None:
    """They serve nothing yet, and would take over what the others held."""
    step = _after_a_jump(0.8, starting=3)

    assert step.decision.mode is Mode.EMERGENCY
    assert {"w-0", "w-1", "w-2"} < set(step.decision.plan.replace)
    assert len(step.decision.plan.replace) <= 3 + (WORKERS - 3) // 2


def test_workers_that_filled_within_seconds_all_go_since_the_other_half_would_be_killed_alone() -> None:
    step = _after_a_jump(0.8, age_seconds=10.0)

    assert step.decision.mode is Mode.EMERGENCY
    assert _used(step) < EMERGENCY_FRACTION * LIMIT_BYTES
    assert len(step.decision.plan.replace) == WORKERS


def test_one_worker_that_fills_within_seconds_takes_no_others_with_it() -> None:
    life = _life()
    first, *others = life.observe(PER_SECOND, 0.5).workers
    leaking = replace(first, memory_bytes=int(0.95 * LIMIT_BYTES))
    rows = tuple(replace(worker, age_seconds=10.0) for worker in (leaking, *others))

    step = _decided(life, rows)

    assert step.decision.mode is Mode.EMERGENCY
    assert first.name in step.decision.plan.replace
    assert len(step.decision.plan.replace) <= 1 + step.decision.plan.surge


def test_who_lasts_until_others_serve_stays() -> None:
    life = _life()
    rows = life.observe(PER_SECOND, 0.5).workers
    filling = tuple(replace(row, age_seconds=40.0, memory_bytes=int(0.8 * LIMIT_BYTES)) for row in rows[:5])
    lasting = tuple(replace(row, age_seconds=5000.0, memory_bytes=int(0.5 * LIMIT_BYTES)) for row in rows[5:])

    step = _decided(life, (*filling, *lasting))

    assert step.decision.mode is Mode.EMERGENCY
    assert set(step.decision.plan.replace) == {worker.name for worker in filling}


def test_a_fleet_that_starts_is_left_to_start_while_nobody_else_serves() -> None:
    """To begin anew each time that one is killed as it comes up would leave the fleet without any for good."""
    life = _life()
    rows = tuple(_begun(worker) for worker in life.observe(PER_SECOND, 0.5).workers)

    life.tick(oom_kill(with_workers(life.observe(PER_SECOND, 0.5), rows), life.now), Operator())

    assert life.steps[-1].decision.mode is Mode.EMERGENCY
    assert life.size.cache is not None
    assert life.size.cache < CACHE
    assert life.steps[-1].decision.plan.replace == ()


NEW_CACHE = 60


def _rolled(step: RolloutStep, surge: int, *caches: int, used: tuple[int, ...] = ()) -> Stage:
    """What a calm fleet of eight plans next in a rollout whose workers started under these sizes."""
    life = _life()
    life.size = Size(WORKERS, NEW_CACHE)
    seen = life.observe(PER_SECOND, 0.1)
    template = replace(seen.workers[0], memory_bytes=BASE_BYTES)
    rows = tuple(
        replace(template, name=f"w-{number}", cache=cache, activity_slots_used=used[number] if used else 1)
        for number, cache in enumerate(caches)
    )
    assert seen.found is not None
    record = replace(seen.found, step=step, surge=surge)
    seen = replace(seen, found=record, applied=replace(seen.applied, record=record))
    life.tick(with_workers(seen, rows), Operator())
    plan = life.steps[-1].decision.plan
    assert plan.size == Size(WORKERS, NEW_CACHE)
    return Stage(step=plan.step, surge=plan.surge, replace=plan.replace)


def test_a_change_that_can_wait_surges_a_quarter_before_it_replaces_any() -> None:
    assert _rolled(RolloutStep.NONE, 0, *[CACHE] * 8) == Stage(step=RolloutStep.SURGE, surge=2)


def test_nobody_is_replaced_while_no_worker_with_the_new_size_serves() -> None:
    assert _rolled(RolloutStep.SURGE, 2, *[CACHE] * 8) == Stage(step=RolloutStep.SURGE, surge=2)


def test_no_more_are_replaced_at_once_than_the_surge_makes_up_for() -> None:
    stage = _rolled(RolloutStep.SURGE, 2, *[CACHE] * 8, NEW_CACHE, NEW_CACHE)

    assert (stage.step, stage.surge) == (RolloutStep.REPLACE, 2)
    assert len(stage.replace) == 2
    assert set(stage.replace) <= {f"w-{number}" for number in range(8)}


def test_the_surge_stays_until_as_many_with_the_new_size_serve_as_are_wanted() -> None:
    assert _rolled(RolloutStep.REPLACE, 2, *[NEW_CACHE] * 7) == Stage(step=RolloutStep.CONFIRM, surge=2)


def test_the_surge_goes_once_as_many_serve_as_are_wanted() -> None:
    assert _rolled(RolloutStep.CONFIRM, 2, *[NEW_CACHE] * 10) == Stage()


def test_of_too_many_workers_the_least_busy_go() -> None:
    life = _life()
    life.fleet = declared(workers={"min": 1, "max": 3})
    rows = life.observe(PER_SECOND, 0.1).workers
    used = (5, 1, 4, 0, 2, 6, 3, 7)
    rows = tuple(replace(row, activity_slots_used=slots) for row, slots in zip(rows, used, strict=True))

    assert _decided(life, rows).decision.plan.victims == ("w-3", "w-1", "w-4", "w-6", "w-2")


def test_a_rollout_is_remembered_for_as_long_as_any_worker_is_old() -> None:
    life = _life()
    began = Rollout(began=life.now, before=40, forced=False)
    life.memory = replace(life.memory, rollout=began)
    rows = life.observe(PER_SECOND, 0.5).workers

    _decided(life, (replace(rows[0], cache=40), *rows[1:]))
    assert life.memory.rollout == began

    _decided(life, rows)
    assert life.memory.rollout is None


@pytest.mark.parametrize(("surge", "replaced"), [(0, 1), (1, 1), (3, 3)])
def test_as_many_are_replaced_at_once_as_the_surge_makes_up_for_and_one_without_any(surge: int, replaced: int) -> None:
    life = _life()
    life.fleet = declared(workers={"min": WORKERS, "max": 16}, behaviour={"surge": surge})
    idle = (replace(row, activity_slots_used=0) for row in life.observe(PER_SECOND, 0.5).workers)
    rows = tuple(replace(row, cache=40 if place < 5 else CACHE) for place, row in enumerate(idle))

    step = _decided(life, rows)

    assert step.decision.plan.step is RolloutStep.REPLACE
    assert len(step.decision.plan.replace) == replaced
