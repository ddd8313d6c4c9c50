"""Changes that did harm are taken back: as far as memory allows, one step at a time, and only what did the harm."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.model.common import Size
from scaler.model.decision import Mode, Reason
from scaler.model.observation import Observation
from scaler.model.remembered import Change, Operator, Override, Trial
from tests.support import plausible
from tests.support.lives import calm, passed, waiting
from tests.support.plausible import SERVICE_SECONDS, SLOTS, Life, with_workers

MIB = 2**20


def _trial(life: Life, change: Change, before: Size, **figures: object) -> Trial:
    return replace(
        Trial(change=change, at=life.now, before=before, after=life.size, late_before=False, arrivals_before=1000.0),
        **figures,  # type: ignore[arg-type]
    )


def _with_memory(seen: Observation, memory_bytes: int, cached: int) -> Observation:
    return with_workers(seen, tuple(replace(row, memory_bytes=memory_bytes, cached=cached) for row in seen.workers))


def test_one_late_reading_takes_back_one_step_of_a_long_decline() -> None:
    """A load that falls for an hour and a half from 100 workers; then three tasks wait 4 s."""
    life = calm(100, bounds={"min": 1, "max": 200})
    rate = 0.7 * 100 * SLOTS / SERVICE_SECONDS
    for tick in range(400):
        life.tick(life.observe(rate * max(0.05, 1 - tick / 450), 0.5), Operator())
    left = rate * (1 - 400 / 450)
    while life.memory.scale_in is None or life.now - life.memory.scale_in.at < timedelta(seconds=45):
        life.tick(life.observe(left, 0.5), Operator())
    before = life.size.workers
    assert before < 30

    step = passed(life, 1, left, waiting(3, 4.0))

    assert before <= step.wanted.workers <= 2 * before


def test_steps_within_one_window_are_taken_back_together() -> None:
    """Ten, eight and seven within a minute: what made tasks late began at ten."""
    life = calm(7)
    passed(life, 12, 4.0)
    life.size = Size(7, 60)
    at, since = life.now - timedelta(seconds=50), life.now - timedelta(seconds=80)
    life.memory = replace(life.memory, scale_in=_trial(life, Change.SCALE_IN, Size(10, 60), at=at, since=since))

    step = passed(life, 1, 4.0, waiting(3, 1.5))

    assert step.wanted.workers == 10
    assert Reason.ROLLED_BACK in step.decision.reasons


def test_a_take_back_keeps_the_step_limit_however_late_tasks_are() -> None:
    life = calm(5, bounds={"min": 1, "max": 100})
    passed(life, 12, 4.0)
    life.size = Size(5, 60)
    at = life.now - timedelta(seconds=50)
    life.memory = replace(life.memory, scale_in=_trial(life, Change.SCALE_IN, Size(80, 60), at=at))

    step = passed(life, 1, 4.0, waiting(3, 60.0))

    assert step.wanted.workers == 10


@pytest.mark.parametrize(
    ("late_before", "arrivals_before"), [(True, 1000.0), (False, 3.0)], ids=["late before", "more demand"]
)
def test_lateness_that_a_change_did_not_cause_takes_nothing_back(late_before: bool, arrivals_before: float) -> None:
    life = calm(6)
    passed(life, 12, 4.0)
    life.size = Size(6, 60)
    life.memory = replace(
        life.memory,
        scale_in=_trial(
            life,
            Change.SCALE_IN,
            Size(9, 60),
            at=life.now - timedelta(minutes=2),
            late_before=late_before,
            arrivals_before=arrivals_before,
        ),
    )

    step = passed(life, 1, 4.0, waiting(3, 1.5))

    assert Reason.ROLLED_BACK not in step.decision.reasons
    assert step.after.embargoes == ()


def test_a_raise_is_taken_back_no_further_than_memory_allows() -> None:
    """100 → 200 outgrew its prediction; runs take 5 MiB each now, and not even 100 of them fit 512 MiB."""
    life = calm(4, cache=200)
    passed(life, 20, 4.0)
    life.size = Size(life.size.workers, 200)
    before = Size(life.size.workers, 100)
    life.memory = replace(life.memory, trial=_trial(life, Change.CACHE_RAISE, before, predicted_bytes=260 * MIB))

    step = passed(life, 1, 4.0, lambda seen: _with_memory(seen, (60 + 60 * 5) * MIB, cached=60))

    assert step.wanted.cache is not None
    assert step.wanted.cache * 5 + 60 <= 0.85 * 512
    assert step.wanted.cache >= 60


def test_a_raise_that_is_safe_to_take_back_goes_back_to_where_it_was() -> None:
    life = calm(4, cache=120)
    passed(life, 20, 4.0)
    life.size = Size(life.size.workers, 120)
    before = Size(life.size.workers, 60)
    life.memory = replace(life.memory, trial=_trial(life, Change.CACHE_RAISE, before, predicted_bytes=100 * MIB))

    step = passed(life, 1, 4.0)

    assert step.wanted.cache == 60


def test_a_scale_in_leaves_a_raise_of_the_cache_on_trial() -> None:
    life = calm(8)
    passed(life, 40, 30.0)
    workers = life.size.workers
    life.memory = replace(
        life.memory, trial=_trial(life, Change.CACHE_RAISE, Size(workers, 40), predicted_bytes=100 * MIB)
    )
    while life.size.workers == workers:
        life.tick(life.observe(6.0, 0.5), Operator())
        assert len(life.steps) < 80

    step = passed(life, 1, 6.0, lambda seen: _with_memory(seen, 200 * MIB, cached=30))

    assert step.wanted.cache == 40
    assert Reason.ROLLED_BACK in step.decision.reasons


def test_nothing_is_taken_back_in_an_emergency() -> None:
    """A cut that made tasks late is on trial while a worker runs full: the cache goes down, not back up."""
    life = calm(4, cache=60)
    passed(life, 20, 4.0)
    at = life.now - timedelta(minutes=2)
    before = Size(life.size.workers, 100)
    life.memory = replace(life.memory, trial=_trial(life, Change.CACHE_CUT, before, at=at))

    step = passed(life, 1, 4.0, lambda seen: plausible.full_worker(waiting(3, 1.5)(seen), life.now))

    assert step.decision.mode is Mode.EMERGENCY
    assert step.wanted.cache is not None
    assert step.wanted.cache < 60


@pytest.mark.parametrize("by", ["override", "lowered maximum"])
def test_a_count_that_somebody_lowered_is_no_trial(by: str) -> None:
    life = calm(8)
    passed(life, 12, 30.0)
    operator = Operator()
    if by == "override":
        operator = Operator(override=Override(reason="less", until=life.now + timedelta(hours=1), workers=3))
    else:
        life.fleet = calm(8, bounds={"min": 1, "max": 3}).fleet

    step = passed(life, 1, 0.5, operator=operator)

    assert step.wanted.workers < step.current.workers
    assert step.after.scale_in is None
    assert step.after.trial is None
