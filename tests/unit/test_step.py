"""The one way in which a step is taken: the record first, under a revision, and conflicts tried again."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from activities.targets.contract import TargetLook
from activities.targets.step import TRIES, Found, Intent, Written, take_step
from scaler.model.common import Generation, Owner, Quality, Size
from scaler.model.observation import ExitReason, TargetSeen, WorkerExit
from scaler.model.plan import Plan, Stamp
from scaler.model.record import RolloutStep, StepOutcome, TargetRecord
from tests.support.states import NOW, OWNER

OTHER = Owner("default", "worker-scaler/other")


def stamp(counter: int, **changes: bool) -> Stamp:
    made = Stamp(owner=OWNER, generation=Generation(1.0, counter), wake_from=NOW, at=NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def plan(workers: int | None) -> Plan:
    return Plan(size=Size(workers, 100) if workers is not None else None, until=NOW)


@dataclass
class Paper:
    """A target with a revision; the test may have somebody write between a read and a write."""

    record: TargetRecord | None = None
    desired: int = 0
    revision: int = 0
    between: list[Callable[["Paper"], None]] = field(default_factory=list)
    writes: list[Intent] = field(default_factory=list)

    async def read(self) -> Found:
        found = Found(record=self.record, desired=self.desired, revision=self.revision)
        if self.between:
            self.between.pop(0)(self)
        return found

    async def write(self, intent: Intent) -> Written:
        if intent.found.revision != self.revision:
            return Written(record=self.record, conflict=True)
        self.writes.append(intent)
        self.revision += 1
        self.record = intent.record or self.record
        if intent.acts is not None and intent.acts.intended is not None:
            self.desired = intent.acts.intended.workers
        return Written(record=self.record)


def orphan(counter: int, workers: int) -> Callable[[Paper], None]:
    """A late step of this fleet's own, written in between."""

    def writes(paper: Paper) -> None:
        paper.revision += 1
        paper.record = TargetRecord(
            owner=OWNER, generation=Generation(1.0, counter), intended=Size(workers, 100), previous=Size(2, 100)
        )
        paper.desired = workers

    return writes


async def lives(_: Owner) -> bool:
    return True


def owned(counter: int = 1) -> Paper:
    return Paper(
        record=TargetRecord(owner=OWNER, generation=Generation(1.0, counter), intended=Size(2, 100)), desired=2
    )


async def test_a_pause_that_meets_its_own_orphan_is_confirmed() -> None:
    paper = owned()
    paper.between = [orphan(3, workers=5)]

    taken = await take_step(paper, plan(None), stamp(4, fence=True), lives)

    assert taken.applied.outcome is StepOutcome.LOOKED
    assert paper.record is not None
    assert (paper.record.generation, paper.record.intended) == (Generation(1.0, 4), Size(5, 100))
    assert paper.desired == 5


async def test_a_step_that_meets_a_newer_one_ends() -> None:
    paper = owned()
    paper.between = [orphan(9, workers=5)]

    taken = await take_step(paper, plan(3), stamp(4), lives)

    assert taken.applied.outcome is StepOutcome.REFUSED_GENERATION
    assert (paper.desired, paper.writes) == (5, [])


async def test_somebody_who_writes_again_and_again_is_told_of() -> None:
    def touched(paper: Paper) -> None:
        paper.revision += 1

    paper = owned()
    paper.between = [touched] * TRIES

    taken = await take_step(paper, plan(3), stamp(4), lives)

    assert taken.applied.outcome is StepOutcome.CONFLICT
    assert paper.desired == 2


async def test_the_record_is_written_with_what_it_intends_and_then_acted_on() -> None:
    paper = owned()

    taken = await take_step(paper, plan(3), stamp(2), lives)
    (write,) = paper.writes

    assert taken.applied.outcome is StepOutcome.APPLIED
    assert write.record is not None
    assert write.record.intended == Size(3, 100)
    assert write.acts == write.record
    assert taken.found == write.found.record


async def test_a_look_that_changes_nothing_writes_nothing() -> None:
    paper = owned()

    taken = await take_step(paper, plan(None), stamp(2), lives)

    assert taken.applied.outcome is StepOutcome.LOOKED
    assert paper.writes == []


async def test_another_living_owners_target_is_left_alone_and_its_name_told() -> None:
    paper = Paper(record=TargetRecord(owner=OTHER, generation=Generation(1.0, 1), intended=Size(2)), desired=2)

    taken = await take_step(paper, plan(None), stamp(2), lives)

    assert taken.applied.outcome is StepOutcome.REFUSED_OWNER
    assert taken.applied.detail == "the group belongs to worker-scaler/other in namespace default"
    assert paper.writes == []


async def test_a_later_versions_step_is_not_guessed_at() -> None:
    paper = owned()

    taken = await take_step(paper, replace(plan(3), step=RolloutStep.UNKNOWN), stamp(2), lives)

    assert (taken.applied.outcome, paper.desired) == (StepOutcome.LOOKED, 2)


@pytest.mark.parametrize("minutes", [-2, 2])
def test_a_target_with_another_clock_tells_the_servers_time_and_the_same_ends(minutes: int) -> None:
    ahead = timedelta(minutes=minutes)
    told_at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    ended = WorkerExit(worker="w-1", reason=ExitReason.CRASHED, at=told_at - timedelta(seconds=30))
    look = TargetLook(target=TargetSeen(at=told_at, quality=Quality.FRESH), exits=(ended,), clock=told_at)

    seen = look.in_time_of(told_at + ahead)

    assert seen.target.at == told_at + ahead
    assert seen.exits[0].at == ended.at + ahead
    assert seen.exits[0].identity == ended.identity
