"""A new version of the workers comes out like a cache: surge first, one by one, and back where it does not come up."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from activities.joining import totals
from scaler.learn.freshness import HEARTBEAT
from scaler.model.common import Size
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import FailingSeen, Observation, ReplaySeen, VersionsSeen, WorkerSeen, WorkerState
from scaler.model.record import RolloutStep
from scaler.model.remembered import Operator
from tests.support.plausible import Life, Step
from tests.support.strategies import declared

WORKERS, CACHE = 4, 100
PER_SECOND = 8.0
FAILING = FailingSeen(
    worker="w-9",
    version="b",
    starts=3,
    status=1,
    last_line="ModuleNotFoundError: No module named 'x'",
    log="/l/w-9.log",
)


def _life(workers: int = WORKERS) -> Life:
    bounds = {"min": workers, "max": 16}
    return Life(declared(workers=bounds), Size(workers, CACHE), 2**18, ReplaySeen())


def _seen(life: Life, version: str, rows: Sequence[WorkerSeen], failing: FailingSeen | None = None) -> Observation:
    """A target that starts workers of a version, beside these."""
    seen = life.observe(PER_SECOND, 0.5)
    target = replace(seen.target, version=version, versions=VersionsSeen(failing=failing))
    sums = totals(rows, HEARTBEAT.fresh.total_seconds())
    return replace(seen, target=target, workers=tuple(rows), totals=sums)


def _decided(life: Life, seen: Observation) -> Step:
    life.tick(seen, Operator())
    return life.steps[-1]


def _rows(life: Life) -> tuple[WorkerSeen, ...]:
    return life.observe(PER_SECOND, 0.5).workers


def _new(worker: WorkerSeen, state: WorkerState = WorkerState.READY) -> WorkerSeen:
    return replace(worker, name=f"{worker.name}-new", version="b", state=state)


def test_new_workers_are_surged_before_any_old_one_goes() -> None:
    life = _life()
    rows = _rows(life)

    step = _decided(life, _seen(life, "b", rows))
    assert (step.decision.mode, step.decision.plan.step) == (Mode.ROLLOUT, RolloutStep.SURGE)
    assert (step.decision.plan.surge, step.decision.plan.replace) == (1, ())

    starting = _decided(life, _seen(life, "b", (*rows, _new(rows[0], WorkerState.STARTING))))
    assert (starting.decision.plan.step, starting.decision.plan.replace) == (RolloutStep.SURGE, ())


def test_old_ones_are_replaced_once_a_new_one_serves() -> None:
    life = _life()
    rows = _rows(life)
    step = _decided(life, _seen(life, "b", (*rows, _new(rows[0]))))
    assert step.decision.plan.step is RolloutStep.REPLACE
    assert len(step.decision.plan.replace) == 1
    assert step.decision.plan.replace[0] in {row.name for row in rows}


def test_no_worker_goes_for_the_load_meanwhile() -> None:
    life = _life()
    rows = _rows(life)
    step = _decided(life, _seen(life, "b", (*rows, _new(rows[0]))))
    assert step.wanted.workers == WORKERS


def test_all_new_is_the_end() -> None:
    life = _life()
    rows = tuple(map(_new, _rows(life)))
    step = _decided(life, _seen(life, "b", rows))
    assert (step.decision.plan.step, step.decision.plan.surge) == (RolloutStep.NONE, 0)


def test_a_fleet_whose_cache_is_not_decided_gets_its_version_too() -> None:
    life = _life()
    fixed = declared(workers={"min": WORKERS, "max": 16}, cache={"delivery": "fixed"})
    life.fleet = fixed
    step = _decided(life, _seen(life, "b", _rows(life)))
    assert step.decision.plan.step is RolloutStep.SURGE


@pytest.mark.parametrize(("versions", "version"), [(None, "b"), (VersionsSeen(), "")])
def test_versions_that_are_not_ours_to_change_are_left_alone(versions: VersionsSeen | None, version: str) -> None:
    """A platform brings a deploy out itself; and a target that tells no version has none to bring out."""
    life = _life()
    seen = _seen(life, version, _rows(life))
    step = _decided(life, replace(seen, target=replace(seen.target, versions=versions)))
    assert (step.decision.plan.step, step.decision.mode) == (RolloutStep.NONE, Mode.STEADY)


def test_a_version_that_does_not_come_up_is_taken_back_and_named() -> None:
    """The target starts what served before; its workers of that version need no replacement."""
    life = _life()
    step = _decided(life, _seen(life, "a", _rows(life), FAILING))
    assert (step.decision.plan.step, step.decision.plan.surge) == (RolloutStep.NONE, 0)
    assert Reason.VERSION_TAKEN_BACK in step.decision.reasons
    assert step.decision.mode is not Mode.WORKERS_FAILING


class TestNeverReady:
    def down(self, life: Life) -> Observation:
        rows = [replace(row, state=WorkerState.RESTARTING, version="b") for row in _rows(life)]
        seen = _seen(life, "b", rows, FAILING)
        late = tuple(
            replace(queue, backlog_tasks=5000, backlog_age_seconds=60.0, arrivals_per_second=60.0)
            for queue in seen.queues
        )
        return replace(seen, queues=late)

    def watched(self) -> Life:
        """A fleet whose load and work were seen for a while."""
        life = _life()
        for _ in range(12):
            life.tick(life.observe(PER_SECOND, 0.5), Operator())
        return life

    def test_it_is_a_mode_and_a_reason(self) -> None:
        life = _life()
        step = _decided(life, self.down(life))
        assert step.decision.mode is Mode.WORKERS_FAILING
        assert Reason.WORKERS_NEVER_READY in step.decision.reasons

    def test_more_of_them_are_not_started(self) -> None:
        served, failed = self.watched(), self.watched()
        seen = self.down(served)
        known = replace(seen, target=replace(seen.target, versions=None))
        assert _decided(served, known).wanted.workers > WORKERS
        step = _decided(failed, seen)
        assert step.wanted.workers == WORKERS
        assert step.decision.workers_bound is Constraint.CRASHES

    def test_one_is_tried_where_there_is_none(self) -> None:
        life = _life()
        life.fleet = declared(workers={"min": 0, "max": 16})
        life.size = Size(0, CACHE)
        seen = self.down(life)
        step = _decided(life, replace(seen, workers=(), totals=()))
        assert step.wanted.workers == 1

    def test_workers_that_served_before_are_crashing(self) -> None:
        life = _life()
        rows = _rows(life)
        failing = replace(FAILING, version="a", ever_ready=True)
        crashing = (replace(rows[0], state=WorkerState.RESTARTING), *rows[1:])
        step = _decided(life, _seen(life, "a", crashing, failing))
        assert Reason.WORKERS_CRASHING in step.decision.reasons
        assert step.decision.mode is not Mode.WORKERS_FAILING
