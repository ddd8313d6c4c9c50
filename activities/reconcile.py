"""One tick of one fleet: make the plan so, watch until it ends or something needs a decision, tell what is true.

Never raises for anything the outside does: what can't be read is missing, what can't be done is said. Reads no wall
clock: a tick ends by the server's time when it began and the loop's own clock from then on.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from temporalio import activity

from activities.fault_wall import FaultWall
from activities.observing import Observer, Surroundings
from activities.requests import RECONCILE, Reconcile
from activities.server_time import ServerTime
from activities.sources.contract import Source
from activities.targets.contract import StepTaken, Target, TargetUnreachable
from activities.tick import Attempt
from scaler.fleet import TargetKind
from scaler.model.common import Owner
from scaler.model.observation import Observation, Wake
from scaler.model.plan import SHORTEST_TICK, Stamp
from scaler.model.record import Applied, StepOutcome
from scaler.wakes import crossed, ends_tick, news

SHORTEST_SAMPLING_SECONDS = 1.0
WATCHES_SAMPLED_PER_SECOND = 50
"""A controller with more watches than this samples each less often, so that its load stays bounded."""

LONGEST_STEP_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class _Watch:
    """A watch of this controller; a newer plan for the same fleet ends it."""

    stamp: Stamp
    superseded: asyncio.Event


class Reconciler:
    """Serves the ticks of all fleets of one controller."""

    def __init__(
        self,
        targets: Mapping[TargetKind, Target],
        signals: Source,
        clock: ServerTime | None = None,
        around: Surroundings | None = None,
    ) -> None:
        self._around = around or Surroundings()
        self._targets = targets
        self._clock = clock or ServerTime()
        self._observer = Observer(targets, signals, self._clock, self._around)
        self._wall = FaultWall(TargetUnreachable)
        self._watches: dict[Owner, _Watch] = {}
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """The controller shuts down: every watch returns what it saw."""
        self._leaving.set()

    @activity.defn(name=RECONCILE)
    async def reconcile(self, request: Reconcile) -> Observation:
        """Make the plan so and watch until it ends."""
        attempt = Attempt.begun(self._clock)
        owner = replace(request.stamp.owner, cluster=self._around.cluster)
        request = replace(request, stamp=replace(request.stamp, owner=owner, at=attempt.began))
        watch = self._begin(request.stamp)
        try:
            # A cancelled tick may not leave half a step behind; only the watch can be cut short.
            taken = await asyncio.shield(self._step(request, attempt))
            return await self._until_needed(request, taken, watch, attempt)
        finally:
            if self._watches.get(request.stamp.owner) is watch:
                del self._watches[request.stamp.owner]

    def _begin(self, stamp: Stamp) -> _Watch:
        earlier = self._watches.get(stamp.owner)
        if earlier is not None and earlier.stamp.generation < stamp.generation:
            earlier.superseded.set()
        watch = self._watches[stamp.owner] = _Watch(stamp, asyncio.Event())
        return watch

    async def _step(self, request: Reconcile, attempt: Attempt) -> StepTaken:
        target, kind = self._targets.get(request.fleet.target.kind), request.fleet.target.kind
        if target is None:
            return _not_taken(request, StepOutcome.NOT_ALLOWED, f"no {kind} target is configured")
        taken = await self._wall.told(
            "target",
            lambda: target.step(request.fleet, request.plan, request.stamp),
            None,
            attempt.seconds_to_ask(LONGEST_STEP_SECONDS),
        )
        if taken.value is not None:
            return taken.value
        return _not_taken(request, StepOutcome.FAILED, taken.faults[0].message if taken.faults else "it told nothing")

    async def _until_needed(self, request: Reconcile, taken: StepTaken, watch: _Watch, attempt: Attempt) -> Observation:
        ends = attempt.watch_ends(request.plan)
        if len(self._watches) > self._around.most_watches:
            ends = min(ends, attempt.now + SHORTEST_TICK)
        seen = await self._observer.observe(request, taken, attempt)
        from_the_start = crossed(request.plan.wake, seen, attempt.began)
        while (woken_by := _ended(request, seen, from_the_start, attempt)) is None:
            if attempt.now >= ends:
                return seen
            if (interrupted := await self._pause(ends, watch, attempt)) is not None:
                return replace(seen, woken_by=interrupted)
            seen = await self._observer.observe(request, taken, attempt)
        return replace(seen, woken_by=woken_by)

    async def _pause(self, ends: datetime, watch: _Watch, attempt: Attempt) -> Wake | None:
        """Wait for the next sample; says what came in between."""
        spread_seconds = len(self._watches) / WATCHES_SAMPLED_PER_SECOND
        left_seconds = (ends - attempt.now).total_seconds()
        seconds = min(max(SHORTEST_SAMPLING_SECONDS, spread_seconds), max(left_seconds, 0.05))
        events = {self._leaving: Wake.SHUTDOWN, watch.superseded: Wake.NEWER_PLAN}
        waits = {asyncio.ensure_future(event.wait()): wake for event, wake in events.items()}
        try:
            done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return next((waits[wait] for wait in done), None)


def _ended(request: Reconcile, seen: Observation, from_the_start: frozenset[Wake], attempt: Attempt) -> Wake | None:
    new = news(request.plan.wake, request.stamp, seen)
    if new is None:  # the workflow is of a version that does not tell what it knew
        new = crossed(request.plan.wake, seen, attempt.began) - from_the_start
    return ends_tick(new, attempt.now, request.stamp.wake_from)


def _not_taken(request: Reconcile, outcome: StepOutcome, detail: str) -> StepTaken:
    return StepTaken(found=None, applied=Applied(generation=request.stamp.generation, outcome=outcome, detail=detail))
