"""Who may write a target's record, what is written, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scaler.claims import RecordStep, Standing, record_step, set_by_another_hand
from scaler.model.common import Generation, Owner, Size
from scaler.model.plan import Plan, Stamp
from scaler.model.record import CacheCut, RolloutStep, StepOutcome, TargetRecord

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
OURS, THEIRS = Owner("default", "worker-scaler/agents"), Owner("default", "worker-scaler/agents-2")
STANDS = TargetRecord(
    owner=OURS, generation=Generation(10.0, 5), intended=Size(4, 100), previous=Size(3, 100), step=RolloutStep.NONE
)
LOOK = Plan(size=None, until=NOON)


def sized(workers: int, cache: int | None = None, **changes: object) -> Plan:
    return replace(Plan(size=Size(workers, cache), until=NOON), **changes)  # type: ignore[arg-type]


def stamp(counter: int = 6, epoch: float = 10.0, **changes: object) -> Stamp:
    made = Stamp(owner=OURS, generation=Generation(epoch, counter), wake_from=NOON)
    return replace(made, **changes)  # type: ignore[arg-type]


def standing(desired: int | None = 4, *, owner_lives: bool = True) -> Standing:
    return Standing(now=NOON, owner_lives=owner_lives, desired=desired)


@pytest.mark.parametrize(("epoch", "counter"), [(10.0, 4), (9.0, 99)])
def test_a_plan_from_before_the_record_is_refused_and_writes_nothing(epoch: float, counter: int) -> None:
    step = record_step(STANDS, sized(9), stamp(counter, epoch), standing())

    assert step == RecordStep(outcome=StepOutcome.REFUSED_GENERATION, write=None)


def test_the_plan_of_the_record_itself_may_come_again() -> None:
    step = record_step(STANDS, sized(4), stamp(5), standing())

    assert step == RecordStep(outcome=StepOutcome.APPLIED, write=None)


def test_a_plan_that_changes_nothing_writes_nothing() -> None:
    assert record_step(STANDS, sized(4, 100), stamp(6), standing()).write is None


def test_a_fence_writes_the_generation_though_nothing_else_changes() -> None:
    step = record_step(STANDS, sized(4, 100), stamp(6, fence=True), standing())

    assert step.write == replace(STANDS, generation=Generation(10.0, 6))
    assert record_step(step.write, sized(9), stamp(5), standing()).outcome is StepOutcome.REFUSED_GENERATION


def test_a_fenced_look_writes_too_and_changes_no_size() -> None:
    step = record_step(STANDS, LOOK, stamp(6, fence=True), standing())

    assert step == RecordStep(outcome=StepOutcome.LOOKED, write=replace(STANDS, generation=Generation(10.0, 6)))


def test_a_change_is_written_with_the_size_before_it_and_where_the_rollout_stands() -> None:
    step = record_step(STANDS, sized(6, 120, step=RolloutStep.SURGE, surge=2), stamp(6), standing())

    assert step.outcome is StepOutcome.APPLIED
    assert step.write == TargetRecord(
        owner=OURS,
        generation=Generation(10.0, 6),
        intended=Size(6, 120),
        previous=Size(4, 100),
        step=RolloutStep.SURGE,
        surge=2,
    )


def test_a_plan_without_a_cache_leaves_the_records() -> None:
    write = record_step(STANDS, sized(6), stamp(), standing()).write

    assert write is not None
    assert write.intended == Size(6, 100)
    assert write.cut is None


def test_a_smaller_cache_is_a_cut_of_as_many_workers_as_were_intended() -> None:
    write = record_step(STANDS, sized(6, 99), stamp(), standing()).write

    assert write is not None
    assert write.cut == CacheCut(NOON, 4)


def test_a_cut_stays_in_the_record_until_the_next_one() -> None:
    earlier = CacheCut(NOON - timedelta(hours=1), 9)
    for cache, expected in ((100, earlier), (150, earlier), (50, CacheCut(NOON, 4))):
        write = record_step(replace(STANDS, cut=earlier), sized(5, cache), stamp(), standing()).write
        assert write is not None
        assert write.cut == expected


def test_a_first_cache_is_no_cut() -> None:
    write = record_step(replace(STANDS, intended=Size(4)), sized(4, 10), stamp(), standing()).write

    assert write is not None
    assert write.cut is None


def test_the_first_size_counts_what_was_found_as_its_own_former_one() -> None:
    claimed = TargetRecord(owner=OURS, generation=Generation(10.0, 5))
    for desired, previous in ((7, Size(7)), (None, None)):
        write = record_step(claimed, sized(2, 60), stamp(), standing(desired)).write
        assert write is not None
        assert write.previous == previous
        assert not set_by_another_hand(write, desired)


def test_a_size_that_was_never_acted_on_does_not_push_out_the_one_that_stands() -> None:
    first = record_step(STANDS, sized(6), stamp(6), standing(4)).write
    assert first is not None
    second = record_step(first, sized(5), stamp(7), standing(4)).write

    assert second is not None
    assert second.previous == Size(4, 100)
    assert not set_by_another_hand(second, 4)


@pytest.mark.parametrize(("desired", "foreign"), [(4, False), (3, False), (5, True), (0, True), (None, False)])
def test_a_count_that_is_neither_intended_nor_former_is_somebody_elses(desired: int | None, *, foreign: bool) -> None:
    assert set_by_another_hand(STANDS, desired) == foreign
    outcome = record_step(STANDS, sized(6), stamp(), standing(desired)).outcome
    assert outcome is (StepOutcome.REFUSED_HAND if foreign else StepOutcome.APPLIED)


def test_somebody_elses_count_may_be_adopted() -> None:
    step = record_step(STANDS, sized(9), stamp(), standing(9))

    assert step.outcome is StepOutcome.APPLIED
    assert step.write is not None
    assert step.write.intended == Size(9, 100)


def test_a_refused_hand_changes_nothing_but_is_fenced() -> None:
    assert record_step(STANDS, sized(6), stamp(), standing(9)).write is None
    fenced = record_step(STANDS, sized(6), stamp(fence=True), standing(9)).write
    assert fenced == replace(STANDS, generation=Generation(10.0, 6))


def test_without_a_former_size_only_the_intended_count_is_ours() -> None:
    alone = replace(STANDS, previous=None)

    assert not set_by_another_hand(alone, 4)
    assert set_by_another_hand(alone, 3)
    assert not set_by_another_hand(replace(STANDS, intended=None), 9)


@pytest.mark.parametrize("plan", [sized(6), sized(6, step=RolloutStep.SURGE)])
def test_only_a_look_claims_a_target(plan: Plan) -> None:
    for found in (None, replace(STANDS, owner=None), replace(STANDS, owner=THEIRS)):
        step = record_step(found, plan, stamp(), standing(owner_lives=False))
        assert step == RecordStep(outcome=StepOutcome.REFUSED_OWNER, write=None)


def test_a_look_claims_what_nobody_owns_and_keeps_its_record() -> None:
    new = record_step(None, LOOK, stamp(1), standing())
    left = record_step(replace(STANDS, owner=None), LOOK, stamp(1, 20.0), standing())
    closed = record_step(replace(STANDS, owner=THEIRS), LOOK, stamp(1, 20.0), standing(owner_lives=False))

    assert new.write == TargetRecord(owner=OURS, generation=Generation(10.0, 1))
    assert left.write == closed.write == replace(STANDS, generation=Generation(20.0, 1))
    assert {new.outcome, left.outcome, closed.outcome} == {StepOutcome.LOOKED}


def test_a_living_owner_keeps_its_target() -> None:
    step = record_step(replace(STANDS, owner=THEIRS), LOOK, stamp(1, 20.0), standing(owner_lives=True))

    assert step == RecordStep(outcome=StepOutcome.REFUSED_OWNER, write=None)


def test_a_fleet_that_gives_up_claims_nothing() -> None:
    assert record_step(None, LOOK, stamp(release=True), standing()) == RecordStep(outcome=StepOutcome.LOOKED)


def test_a_release_leaves_the_record_without_an_owner() -> None:
    step = record_step(STANDS, sized(4, 100), stamp(release=True), standing())

    assert step.write == replace(STANDS, owner=None, generation=Generation(10.0, 6))


def test_a_step_that_only_a_later_version_knows_is_a_look() -> None:
    step = record_step(STANDS, sized(9, 50, step=RolloutStep.UNKNOWN), stamp(), standing())

    assert step == RecordStep(outcome=StepOutcome.LOOKED, write=None)
