"""The stable entry for worlds outside this project: observe, decide, apply, explain, with no server and no clock.

`FleetLoop` is one fleet's loop as `workflows/scale_fleet.py` and `activities/reconcile.py` run it, around whatever
stands for the platform and the workers. Names and fields here and in `told` only grow, with defaults. It lives among
the simulations because it needs what both the workflow and the activities are made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from activities.joining import join, totals, workflow_cores
from activities.memory_tracks import MemoryTracks
from activities.queue_slots import queue_slots
from activities.rows import rows_kept
from activities.schedule import schedule_at
from scaler.claims import Standing, record_step
from scaler.decide import decide
from scaler.door import read_fleet
from scaler.learn.freshness import HEARTBEAT
from scaler.learn.hinted import with_hints
from scaler.model.common import Generation, Owner
from scaler.model.decision import Decision
from scaler.model.observation import Observation
from scaler.model.plan import Plan, Stamp
from scaler.model.record import Applied, StepOutcome, TargetRecord
from scaler.simulation.asked import changed
from scaler.simulation.told import Told, faults, heartbeats, look, queues, task_times
from scaler.state import State
from scaler.wakes import ends_tick, news
from scaler.words.explain import explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What the platform is to make so; levels, so that doing it twice is doing it once.

    It keeps `workers + surge` workers that are not draining, starts new ones under `cache`, drains those in `replace`
    whatever their number, and takes others away in the order of `victims`, only as far as there are too many.
    """

    workers: int
    surge: int
    cache: int | None
    replace: tuple[str, ...]
    victims: tuple[str, ...]


@dataclass(slots=True)
class _Watch:
    """The tick under way: its plan and stamp, and the echo of its step."""

    plan: Plan
    stamp: Stamp
    found: TargetRecord | None
    applied: Applied
    began: datetime


class FleetLoop:
    """One fleet. In turn: `decide`, `apply`, then `watch` once a second or so until it says that the tick is over."""

    def __init__(self, fleet: Mapping[str, Any], began: datetime) -> None:
        """Take a fleet as JSON declares it; raises `Refused` with every mistake in it."""
        self._owner = Owner("default", f"worker-scaler/{fleet.get('name')}")
        self.state = State(fleet=read_fleet(fleet), generation=Generation(began.timestamp(), 0))
        self.record: TargetRecord | None = None  # as the target keeps it
        self.given_up = False
        self._short = False
        self._tracks = MemoryTracks()
        self._watch: _Watch | None = None

    @property
    def decision(self) -> Decision | None:
        """The newest decision; None until there was one."""
        return self.state.decision

    def decide(self, now: datetime) -> Plan:
        """Plan the next tick. Before the first observation the only plan is to look."""
        seen, release = self.state.observation, False
        plan = Plan(size=None, until=now)
        if seen is not None:
            seen = with_hints(seen, self.state.hints, now)
            decision, memory = decide(seen, self.state.fleet, self.state.memory, now)
            self.state = self.state.decided(decision, memory)
            release = self.state.may_release
            plan = replace(decision.plan, until=now) if self._short or release else decision.plan
        sent = self.state.sent(plan, now)
        stamp = replace(self.state.stamp(plan, seen, self._owner, now), release=release)
        self.state, self._short = sent, False
        unanswered = Applied(
            generation=stamp.generation, outcome=StepOutcome.FAILED, detail="the target did not answer"
        )
        self._watch = _Watch(plan, stamp, None, unanswered, now)
        return plan

    def apply(self, now: datetime, desired: int | None) -> Levels | None:
        """Write the plan to the target's record; returns what to make so, or None if the target is left as it is.

        `desired` is the count that the target is set to. Not to call it is a target that does not answer; not to
        carry the levels out is a controller that was killed in between.
        """
        watch = self._under_way()
        standing = Standing(now=now, owner_lives=True, desired=desired)
        step = record_step(self.record, watch.plan, watch.stamp, standing)
        watch.found, self.record = self.record, step.write or self.record
        watch.applied = Applied(generation=watch.stamp.generation, outcome=step.outcome, record=self.record)
        if step.outcome is not StepOutcome.APPLIED or self.record is None or self.record.intended is None:
            return None
        return Levels(
            workers=self.record.intended.workers,
            surge=watch.plan.surge,
            cache=self.record.intended.cache,
            replace=watch.plan.replace,
            victims=watch.plan.victims,
        )

    def watch(self, told: Told, now: datetime) -> bool:
        """Take one look; True once the tick is over, and what was told is what the next decision builds on."""
        watch, seen = self._under_way(), self.observe(told, now)
        self._tracks = self._tracks.after(seen.workers, now)
        woken_by = ends_tick(news(watch.plan.wake, watch.stamp, seen) or frozenset(), now, watch.stamp.wake_from)
        if woken_by is None and now < watch.plan.until:
            return False
        self.state = self.state.saw(replace(seen, woken_by=woken_by))
        self._short = self.state.overtaken
        self.given_up = watch.stamp.release and self.state.given_up(watch.stamp.generation)
        self._watch = None
        return True

    def observe(self, told: Told, now: datetime) -> Observation:
        """What `reconcile` would make of what was told; changes nothing."""
        watch, fleet = self._under_way(), self.state.fleet
        beats = tuple(heartbeats(told, now))
        found = look(told, now)
        joined = join(found, beats, now, fleet.queue_names)
        return Observation(
            observed_at=now,
            found=watch.found,
            applied=watch.applied,
            target=found.target,
            queues=queues(told, now),
            task_times=task_times(told, now),
            replay=told.replay,
            workers=rows_kept(self._tracks.after(joined.workers, now).at_beats(joined.workers, now)),
            totals=totals(joined.workers, HEARTBEAT.fresh.total_seconds()),
            slots=queue_slots(joined.told, fleet.polled, HEARTBEAT.fresh.total_seconds()),
            exits=found.exits,
            strangers=told.strangers,
            suspects=told.suspects,
            workflow_cores=workflow_cores(beats),
            schedule=schedule_at(fleet.schedule, now),
            faults=faults(told),
        )

    def update(self, name: str, now: datetime, request: Mapping[str, Any] | None = None) -> None:
        """Take a message of the workflow by its name, with its JSON.

        It ends the watch, whose observation is lost; call `decide` next, whose tick is a short look.
        """
        self.state = changed(self.state, name, request or {}, now)
        self._short, self._watch = True, None

    def lose(self) -> None:
        """The tick's observation never arrives; call `decide` next."""
        self._watch = None

    def explain(self) -> str:
        """Why the fleet is the size it is, and what would change it."""
        return explain(self.state)

    def _under_way(self) -> _Watch:
        if self._watch is None:
            raise RuntimeError("no tick is under way; call decide first")
        return self._watch
