"""How many workers go at once when the cache size changes."""

from dataclasses import replace

from scaler.model.common import Size
from scaler.model.decision import Mode
from scaler.model.observation import ReplaySeen, WorkerSeen, WorkerState
from scaler.model.remembered import Operator
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
