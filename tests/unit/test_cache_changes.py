"""How often a cache changes of its own accord, and which changes are never undone."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from scaler.model.common import Quality, Size
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import ExitReason, Observation, ReplaySeen, WorkerExit
from scaler.model.remembered import Level, Operator, Rollout
from tests.support import plausible
from tests.support.lives import calm, passed
from tests.support.plausible import Life, Step, with_workers
from tests.support.strategies import declared


def _raising(cache: int = 20) -> Life:
    """A fleet whose small cache replays make dear, just before it is raised."""
    life = Life(declared(workers={"min": 1, "max": 100}), Size(60, cache), 2**18, ReplaySeen())
    for _ in range(8):
        _tick(life)
    life.size = Size(60, cache)
    return life


def _tick(life: Life) -> Step:
    gaps = tuple(max(0, 20 - abs(place - 20)) for place in range(42))
    life.replay = ReplaySeen(
        at=life.now,
        quality=Quality.FRESH,
        sticky_samples=100,
        sticky_seconds=0.01,
        normal_samples=60,
        normal_seconds=1.5,
        events=100.0,
        gaps=gaps,
        silences=gaps,
        closed=40,
    )
    life.tick(life.observe(60.0, 1.0), Operator())
    return life.steps[-1]


def _raised_with(changes: float, last_minutes_ago: float) -> bool:
    life = _raising()
    ticks = 0
    while ticks < 8:
        at = life.now - timedelta(minutes=last_minutes_ago)
        life.memory = replace(life.memory, cache_changes=Level(changes, at), trial=None, scale_in=None)
        if Reason.CACHE_RAISED in _tick(life).decision.reasons:
            return True
        ticks += 1
    return False


@pytest.mark.parametrize(
    ("changes", "last_minutes_ago", "raised"),
    [(1.0, 2.5, False), (1.0, 3.5, True), (3.0, 10.0, True), (4.5, 10.0, False)],
    ids=["three minutes apart", "after three minutes", "the fourth in a while", "no fifth"],
)
def test_voluntary_changes_of_the_cache_are_few_and_apart(
    changes: float, last_minutes_ago: float, *, raised: bool
) -> None:
    assert _raised_with(changes, last_minutes_ago) is raised


def _nobody_new_comes_up(seen: Observation) -> Observation:
    """All workers still run under the former size, five minutes after it was cut."""
    return with_workers(seen, tuple(replace(row, cache=200) for row in seen.workers))


@pytest.mark.parametrize(("forced", "cache"), [(True, 60), (False, 200)])
def test_only_a_voluntary_rollout_that_brings_up_no_worker_is_undone(forced: bool, cache: int) -> None:
    life = calm(4)
    passed(life, 12, 4.0)
    began = life.now - timedelta(minutes=5)
    life.memory = replace(life.memory, rollout=Rollout(began=began, before=200, forced=forced))

    step = passed(life, 1, 4.0, _nobody_new_comes_up)

    assert step.wanted.cache == cache
    assert (Reason.ROLLED_BACK in step.decision.reasons) is not forced


def test_a_cut_for_memory_counts_as_forced() -> None:
    """Runs of 3 MiB fill caches of 200 to 660 MiB of 512: the cut comes before the breach, and is never undone."""
    life = calm(4, cache=200)
    life.bytes_per_workflow = 3 * 2**20
    for fill in (0.1, 0.2, 0.3, 0.4):
        life.tick(life.observe(4.0, fill), Operator())
        if life.memory.rollout is not None:
            break

    assert life.size.cache is not None
    assert life.size.cache < 200
    assert life.memory.rollout is not None
    assert life.memory.rollout.forced
    assert Mode.EMERGENCY not in {step.decision.mode for step in life.steps}


def test_an_emergency_cut_is_a_cut_where_the_estimate_calls_the_present_size_safe() -> None:
    life = calm(4, cache=100)
    passed(life, 12, 4.0)

    def killed(seen: Observation) -> Observation:
        ended = WorkerExit(worker="w-0", reason=ExitReason.OOM_KILLED, at=life.now, cache=100)
        return replace(seen, exits=(ended,))

    step = passed(life, 1, 4.0, killed)

    assert step.decision.mode is Mode.EMERGENCY
    assert step.decision.cache_bound is Constraint.MEMORY
    assert step.wanted.cache is not None
    assert step.wanted.cache <= 70


def test_an_emergency_cuts_by_three_tenths_at_least_each_time() -> None:
    life = calm(4, cache=300)
    caches = [300]
    for _ in range(3):
        step = passed(life, 1, 4.0, lambda seen: plausible.full_worker(seen, life.now))
        assert step.wanted.cache is not None
        caches.append(step.wanted.cache)

    assert all(later <= max(0.7 * sooner, 10) for sooner, later in pairwise(caches))
