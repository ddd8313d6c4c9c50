"""A target with one number, as a Deployment has: what stands there is taken apart into the count and what is borrowed.

A controller may be killed between the record and the act, any number of times; none of it passes for another's hand.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.claims import Counted, Standing, counted, record_step, set_by_another_hand
from scaler.model.common import Generation, Owner, Size
from scaler.model.plan import Plan, Stamp
from scaler.model.record import RolloutStep, StepOutcome, TargetRecord

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
OURS = Owner("default", "worker-scaler/agents")
STANDS = TargetRecord(
    owner=OURS, generation=Generation(10.0, 1), intended=Size(4, 100), previous=Size(3, 100), step=RolloutStep.REPLACE
)


@dataclass
class Deployment:
    """One number, and the record beside it."""

    record: TargetRecord = STANDS
    replicas: int = 4

    def write(self, workers: int, surge: int) -> StepOutcome:
        """The first half of a step, as of a controller that is killed after it."""
        stands = counted(self.replicas, self.record)
        stamp = Stamp(
            owner=OURS, generation=Generation(10.0, self.record.generation.counter + 1), wake_from=NOON, fence=True
        )
        standing = Standing(now=NOON, owner_lives=True, desired=stands.desired, borrowed=stands.borrowed)
        plan = Plan(size=Size(workers, 100), until=NOON, step=RolloutStep.REPLACE, surge=surge)
        step = record_step(self.record, plan, stamp, standing)
        self.record = step.write or self.record
        return step.outcome

    def act(self) -> None:
        """The second half."""
        assert self.record.intended is not None
        self.replicas = self.record.intended.workers + self.record.surge


def test_what_is_borrowed_is_not_the_count() -> None:
    assert counted(6, replace(STANDS, surge=2)) == Counted(desired=4, borrowed=2)
    assert counted(4, None) == Counted(desired=4, borrowed=0)


def test_a_surge_that_was_never_given_back_is_nobody_elses_count() -> None:
    """The record says that the two go; the controller is killed before it says so to the platform."""
    deployment = Deployment()
    deployment.write(4, 2)
    deployment.act()
    deployment.write(4, 0)

    stands = counted(deployment.replicas, deployment.record)
    assert stands == Counted(desired=4, borrowed=2)
    assert not set_by_another_hand(deployment.record, stands.desired)
    assert deployment.write(5, 0) is StepOutcome.APPLIED


def test_a_surge_that_never_came_is_not_missed() -> None:
    deployment = Deployment()
    deployment.write(6, 2)
    deployment.write(5, 1)

    assert counted(deployment.replicas, deployment.record) == Counted(desired=4, borrowed=0)


@pytest.mark.parametrize("replicas", [0, 5, 9])
def test_another_hand_is_seen_through_a_surge(replicas: int) -> None:
    deployment = Deployment()
    deployment.write(4, 2)
    deployment.act()
    deployment.replicas = replicas

    stands = counted(deployment.replicas, deployment.record)
    assert set_by_another_hand(deployment.record, stands.desired)
    assert stands.desired + stands.borrowed == replicas


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4), st.booleans()), max_size=12))
def test_whatever_was_written_and_not_acted_on_what_stands_is_ours(steps: list[tuple[int, int, bool]]) -> None:
    deployment = Deployment()
    for workers, surge, acts in steps:
        assert deployment.write(workers, surge) is StepOutcome.APPLIED
        if acts:
            deployment.act()

        stands = counted(deployment.replicas, deployment.record)
        assert not set_by_another_hand(deployment.record, stands.desired), (deployment, stands)
        assert stands.desired + stands.borrowed == deployment.replicas
