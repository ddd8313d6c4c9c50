"""Puts one observation together from what targets and sources tell; what can't be had is missing, with a fault."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from activities.fault_wall import FaultWall, Told
from activities.joining import join, totals, workflow_cores
from activities.neighbours import Neighbours
from activities.queue_slots import queue_slots
from activities.recollection import Recollections, Sighting
from activities.requests import Reconcile
from activities.rows import rows_kept
from activities.schedule import schedule_at
from activities.server_time import ServerTime
from activities.sources.contract import Signals, Source, Suspects
from activities.targets.contract import StepTaken, Target, TargetLook, TargetUnreachable
from activities.tick import Attempt
from scaler.fleet import Fleet, TargetKind
from scaler.learn.freshness import HEARTBEAT
from scaler.model.common import Owner
from scaler.model.observation import (
    Fault,
    Observation,
    QueueSlots,
    ScheduleSeen,
    TargetSeen,
    WorkerExit,
    WorkerSeen,
    WorkerTotals,
)

LONGEST_LOOK_SECONDS = 8.0
"""Together with the longest step it fits into the attempt of a short look, which is the shortest there is."""


STRANGERS_NAMED, LONGEST_NAME = 10, 120
"""Anybody may poll a queue, a thousand at once and under any name; an observation goes into every history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a controller knows around its fleets: which cluster it serves, and who else claims what they do."""

    cluster: str = ""
    neighbours: Neighbours | None = None
    most_watches: int = 1800  # at once; the slots beyond are for checks of submitted fleets


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workers:
    """A fleet's workers as they are told of in an observation."""

    rows: tuple[WorkerSeen, ...] = ()
    totals: tuple[WorkerTotals, ...] = ()
    slots: tuple[QueueSlots, ...] = ()
    exits: tuple[WorkerExit, ...] = ()
    strangers: tuple[str, ...] = ()  # all of them
    cores: float | None = None


_NO_LOOK = TargetLook(target=TargetSeen())
_NO_FAULTS: tuple[Fault, ...] = ()


class Observer:
    """Looks at fleets for all ticks of one controller."""

    def __init__(
        self, targets: Mapping[TargetKind, Target], signals: Source, clock: ServerTime, around: Surroundings
    ) -> None:
        self._around = around
        self._targets = targets
        self._signals = signals
        self._clock = clock
        self._recollections = Recollections()
        self._wall = FaultWall(TargetUnreachable)

    async def observe(self, request: Reconcile, taken: StepTaken, attempt: Attempt) -> Observation:
        """All that is known of the fleet now."""
        fleet, seconds = request.fleet, attempt.seconds_to_ask(LONGEST_LOOK_SECONDS)
        look, read = await asyncio.gather(
            self._wall.told("target", lambda: self._look(fleet), _NO_LOOK, seconds),
            self._wall.told("temporal", lambda: self._signals.read(fleet), Signals(), seconds),
        )
        signals, now = read.value, self._clock.now()
        look = replace(look, value=look.value.in_time_of(now))
        workers = self._wall.worked_out("workers", lambda: self._workers(request, look.value, signals, now), None)
        found = look.value if workers.value is not None else _NO_LOOK
        told = workers.value or _Workers()
        suspects = self._suspects(fleet, found.exits)
        others = self._wall.worked_out("other fleets", lambda: self._others(request.stamp.owner), _NO_FAULTS)
        windows = self._wall.worked_out("schedule", lambda: schedule_at(fleet.schedule, now), ScheduleSeen())
        return Observation(
            observed_at=now,
            found=taken.found,
            applied=taken.applied,
            target=found.target,
            queues=signals.queues,
            task_times=signals.task_times,
            replay=signals.replay,
            workers=told.rows,
            totals=told.totals,
            slots=told.slots,
            exits=told.exits,
            strangers=tuple(name[:LONGEST_NAME] for name in told.strangers[:STRANGERS_NAMED]),
            strangers_seen=len(told.strangers),
            suspects=suspects.value.workflow_ids,
            workflow_cores=told.cores,
            schedule=windows.value,
            faults=_all_faults(look, read, workers, suspects, windows, others)
            + signals.faults
            + suspects.value.faults
            + others.value,
        )

    def _others(self, owner: Owner) -> tuple[Fault, ...]:
        neighbours = self._around.neighbours
        return neighbours.faults(owner.workflow_id) if neighbours is not None else ()

    async def _look(self, fleet: Fleet) -> TargetLook:
        target = self._targets.get(fleet.target.kind)
        return _NO_LOOK if target is None else await target.look(fleet)

    def _workers(self, request: Reconcile, look: TargetLook, signals: Signals, now: datetime) -> _Workers:
        joined = join(look, signals.heartbeats, now, request.fleet.queue_names)
        sighting = Sighting(look, joined, signals.pollers, now)
        recalled = self._recollections.recall(request.stamp.owner, sighting)
        return _Workers(
            rows=rows_kept(recalled.workers(sighting)),
            totals=totals(joined.workers, HEARTBEAT.fresh.total_seconds()),
            slots=queue_slots(joined.told, request.fleet.polled, HEARTBEAT.fresh.total_seconds()),
            exits=recalled.exits(look.exits),
            strangers=recalled.strangers(sighting),
            cores=workflow_cores(signals.heartbeats),
        )

    def _suspects(self, fleet: Fleet, exits: tuple[WorkerExit, ...]) -> Told[Suspects]:
        return self._wall.worked_out("suspects", lambda: self._signals.suspects(fleet, exits), Suspects())


def _all_faults(*told: Told[Any]) -> tuple[Fault, ...]:
    return tuple(fault for each in told for fault in each.faults)
