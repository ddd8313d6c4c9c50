"""What a controller saw may never be told: its tick fails, or it is lost with the controller. The loop goes on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.check_target import Serving, TargetChecker
from activities.neighbours import Neighbours
from activities.reconcile import Reconciler
from activities.requests import RECONCILE, Reconcile
from activities.running_fleets import RunningFleets
from scaler.cli.controller import Parts
from scaler.fleet import TargetKind
from scaler.model.decision import Reason
from scaler.model.observation import Observation
from scaler.state import State
from tests.support.paper_target import PaperTarget
from tests.support.served_fleets import Served, parts_of
from workflows.messages import TASK_QUEUE
from workflows.scale_fleet import DEAD_CONTROLLER, ScaleFleet

WANTED = 4


def anywhere(name: str) -> dict[str, str]:
    """A target that every controller reaches, so that the test's own worker serves all of it."""
    return {"kind": "kubernetes", "name": name}


class FaultyReconciler(Reconciler):
    """Ticks towards `WANTED` workers fail or get lost after their step, as often as the test says of their fleet."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.targets, parts.signals)
        self.failing = Counter[str]()
        self.losing = Counter[str]()

    @activity.defn(name=RECONCILE)
    async def reconcile(self, request: Reconcile) -> Observation:
        """One tick."""
        seen, name = await super().reconcile(request), request.fleet.name
        if _towards_wanted(request) and self.failing[name]:
            self.failing[name] -= 1
            raise ApplicationError("the connection broke before this could be told")
        if _towards_wanted(request) and self.losing[name]:
            self.losing[name] -= 1
            await asyncio.Event().wait()
        return seen


def _towards_wanted(request: Reconcile) -> bool:
    return request.plan.size is not None and request.plan.size.workers == WANTED


@pytest.fixture(scope="module")
async def faulty(client: Client, paper: PaperTarget) -> AsyncIterator[FaultyReconciler]:
    """Serves the fleets of this module."""
    parts = parts_of(client, {TargetKind.KUBERNETES: paper})
    reconciler = FaultyReconciler(parts)
    neighbours = Neighbours(RunningFleets(client, TASK_QUEUE))
    checker = TargetChecker(neighbours, parts.targets, Serving(task_queue=TASK_QUEUE, host=parts.host))
    activities: list[Any] = [reconciler.reconcile, checker.check_target]
    async with Worker(client, task_queue=TASK_QUEUE, workflows=[ScaleFleet], activities=activities):
        yield reconciler
        reconciler.leave()


@pytest.fixture(scope="module", autouse=True)
async def long_story(client: Client, paper: PaperTarget, faulty: FaultyReconciler) -> AsyncIterator[asyncio.Task[None]]:
    """It begins before the other tests, since it takes the longest."""
    task = asyncio.create_task(_is_lost_unnoticed(client, paper, faulty))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_tick_that_fails_after_its_step_is_retried_and_scales_nothing_twice(
    client: Client, paper: PaperTarget, faulty: FaultyReconciler
) -> None:
    fleet, group = await Served.start(client, "fails", target=anywhere("fails")), paper.group("fails")
    await fleet.look()
    faulty.failing["fails"] = 2

    await fleet.update("override", workers=WANTED, for_="2s", reason="a test")
    state = await fleet.until(_answered_an_override)

    assert faulty.failing["fails"] == 0
    assert (group.desired, group.started) == (WANTED, WANTED)
    assert state.observation is not None
    assert state.observation.applied.record is not None
    assert await fleet.faults() == []


async def test_an_update_need_not_wait_for_a_lost_tick(
    client: Client, paper: PaperTarget, faulty: FaultyReconciler
) -> None:
    fleet, group = await Served.start(client, "lost", target=anywhere("lost")), paper.group("lost")
    await fleet.look()
    faulty.losing["lost"] = 1

    await fleet.update("override", workers=WANTED, for_="10m", reason="a test")
    await fleet.until(lambda _: group.desired == WANTED)
    await fleet.update("override", workers=2, for_="10m", reason="a test")
    await fleet.until(lambda _: group.desired == 2)

    assert group.started == WANTED, "nothing is scaled twice"
    assert await fleet.faults() == []


async def test_a_tick_that_was_lost_is_noticed_without_an_update_and_done_again(
    long_story: asyncio.Task[None],
) -> None:
    """Nobody heartbeats, so it takes the tick and half a minute."""
    await long_story


async def _is_lost_unnoticed(client: Client, paper: PaperTarget, faulty: FaultyReconciler) -> None:
    fleet, group = await Served.start(client, "unnoticed", target=anywhere("unnoticed")), paper.group("unnoticed")
    await fleet.look()
    faulty.losing["unnoticed"] = 1

    await fleet.update("override", workers=WANTED, for_="2s", reason="a test")
    state = await fleet.until(_answered_an_override, 2 + 2 * DEAD_CONTROLLER.total_seconds())

    assert (group.desired, group.started) == (WANTED, WANTED)
    assert state.observation is not None
    assert await fleet.faults() == []
    events = await fleet.events()
    assert not any(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED for event in events)


def _answered_an_override(state: State) -> bool:
    """Whether a plan that an override made was answered, and the override has run out since."""
    seen = state.observation
    overridden = any(Reason.OVERRIDDEN in line.reasons for line in state.decisions)
    return (
        overridden
        and state.memory.operator.override is None
        and seen is not None
        and seen.applied.record is not None
        and seen.applied.record.intended is not None
        and seen.applied.record.intended.workers == WANTED
    )
