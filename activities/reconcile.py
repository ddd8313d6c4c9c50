"""One tick of one fleet: make the plan so, watch until it ends or something needs a decision, tell what is true.

Never raises for anything the outside does: what can't be read is missing, what can't be done is said.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.joining import join, rows_kept, totals, workflow_cores
from activities.recollection import Recollections, Sighting
from activities.requests import RECONCILE, Reconcile
from activities.schedule import schedule_at
from activities.sources.signals import SignalSource
from activities.targets.contract import StepTaken, Target, TargetLook, TargetUnreachable
from activities.watch import crossed, ends_tick
from scaler.fleet import Fleet, TargetKind
from scaler.learn.freshness import HEARTBEAT
from scaler.model.common import Owner
from scaler.model.observation import Fault, Observation, TargetSeen, Wake
from scaler.model.plan import Stamp
from scaler.model.record import Applied, StepOutcome

SHORTEST_SAMPLING = timedelta(seconds=1)
WATCHES_SAMPLED_PER_SECOND = 50
"""A controller with more watches than this samples each less often, so that its load stays bounded."""

STEP_TIMEOUT = timedelta(seconds=20)
LOOK_TIMEOUT = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class _Watch:
    """A watch of this controller; a newer plan for the same fleet ends it."""

    stamp: Stamp
    superseded: asyncio.Event


class Reconciler:
    """Serves the ticks of all fleets of one controller."""

    def __init__(self, targets: Mapping[TargetKind, Target], signals: SignalSource) -> None:
        self._targets = targets
        self._signals = signals
        self._recollections = Recollections()
        self._watches: dict[Owner, _Watch] = {}
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """The controller shuts down: every watch returns what it saw."""
        self._leaving.set()

    @activity.defn(name=RECONCILE)
    async def reconcile(self, request: Reconcile) -> Observation:
        """Make the plan so and watch until it ends."""
        watch = self._begin(request.stamp)
        try:
            # A cancelled tick may not leave half a step behind; only the watch can be cut short.
            taken = await asyncio.shield(self._step(request))
            return await self._until_needed(request, taken, watch)
        finally:
            if self._watches.get(request.stamp.owner) is watch:
                del self._watches[request.stamp.owner]

    def _begin(self, stamp: Stamp) -> _Watch:
        earlier = self._watches.get(stamp.owner)
        if earlier is not None and earlier.stamp.generation < stamp.generation:
            earlier.superseded.set()
        watch = self._watches[stamp.owner] = _Watch(stamp, asyncio.Event())
        return watch

    async def _step(self, request: Reconcile) -> StepTaken:
        target = self._targets.get(request.fleet.target.kind)
        generation = request.stamp.generation
        if target is None:
            return _not_taken(request, StepOutcome.NOT_ALLOWED, f"no {request.fleet.target.kind} target is configured")
        try:
            async with asyncio.timeout(STEP_TIMEOUT.total_seconds()):
                return await target.step(request.fleet, request.plan, request.stamp)
        except TargetUnreachable as error:
            return _not_taken(request, StepOutcome.FAILED, str(error))
        except TimeoutError:
            detail = f"the target did not answer within {STEP_TIMEOUT.total_seconds():.0f} s"
            return _not_taken(request, StepOutcome.FAILED, detail)
        except Exception as error:
            # A defect in a target holds the fleet, with a reason; it must not end the loop.
            logging.getLogger(__name__).exception("Step of %s at %s failed", request.fleet.name, generation)
            return _not_taken(request, StepOutcome.FAILED, f"{type(error).__name__} in the controller; see its log")

    async def _until_needed(self, request: Reconcile, taken: StepTaken, watch: _Watch) -> Observation:
        began = datetime.now(UTC)
        seen = await self._observe(request, taken)
        from_the_start = crossed(request.plan.wake, seen, began)
        while (woken_by := self._ended(request, seen, from_the_start, began)) is None:
            if datetime.now(UTC) >= request.plan.until:
                return seen
            if (interrupted := await self._pause(request, watch)) is not None:
                return replace(seen, woken_by=interrupted)
            seen = await self._observe(request, taken)
        return replace(seen, woken_by=woken_by)

    def _ended(
        self, request: Reconcile, seen: Observation, from_the_start: frozenset[Wake], began: datetime
    ) -> Wake | None:
        new = crossed(request.plan.wake, seen, began) - from_the_start
        return ends_tick(new, datetime.now(UTC), request.stamp.wake_from)

    async def _pause(self, request: Reconcile, watch: _Watch) -> Wake | None:
        """Wait for the next sample; says what came in between."""
        spread = len(self._watches) / WATCHES_SAMPLED_PER_SECOND
        left = request.plan.until - datetime.now(UTC)
        seconds = min(max(SHORTEST_SAMPLING.total_seconds(), spread), max(left.total_seconds(), 0.05))
        events = {self._leaving: Wake.SHUTDOWN, watch.superseded: Wake.NEWER_PLAN}
        waits = {asyncio.ensure_future(event.wait()): wake for event, wake in events.items()}
        try:
            done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return next((waits[wait] for wait in done), None)

    async def _observe(self, request: Reconcile, taken: StepTaken) -> Observation:
        fleet = request.fleet
        look, signals = await asyncio.gather(self._look(fleet), self._signals.read(fleet))
        now = datetime.now(UTC)
        joined = join(look.found, signals.heartbeats, now)
        sighting = Sighting(look.found, joined, signals.pollers, now)
        recalled = self._recollections.recall(request.stamp.owner, sighting)
        suspects = self._signals.suspects(fleet, look.found.exits)
        rows = rows_kept(joined.workers)
        return Observation(
            observed_at=now,
            found=taken.found,
            applied=taken.applied,
            target=look.found.target,
            queues=signals.queues,
            task_times=signals.task_times,
            replay=signals.replay,
            workers=rows,
            totals=totals(joined.workers, HEARTBEAT.fresh.total_seconds()),
            exits=recalled.exits(look.found.exits),
            strangers=recalled.strangers(sighting),
            suspects=suspects.workflow_ids,
            workflow_cores=workflow_cores(signals.heartbeats),
            schedule=schedule_at(fleet.schedule, now),
            faults=(*look.faults, *signals.faults, *suspects.faults),
        )

    async def _look(self, fleet: Fleet) -> "_Look":
        target = self._targets.get(fleet.target.kind)
        if target is None:
            return _Look(TargetLook(target=TargetSeen()))
        try:
            async with asyncio.timeout(LOOK_TIMEOUT.total_seconds()):
                return _Look(await target.look(fleet))
        except (TargetUnreachable, TimeoutError) as error:
            fault = Fault("target", str(error) or "no answer in time")
            return _Look(TargetLook(target=TargetSeen()), (fault,))


@dataclass(frozen=True, slots=True)
class _Look:
    found: TargetLook
    faults: tuple[Fault, ...] = ()


def _not_taken(request: Reconcile, outcome: StepOutcome, detail: str) -> StepTaken:
    return StepTaken(found=None, applied=Applied(generation=request.stamp.generation, outcome=outcome, detail=detail))
