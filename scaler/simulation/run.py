"""Runs one policy in one world under one load, and scores it. Deterministic: same arguments, same figures."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from scaler.model.common import TaskType
from scaler.model.observation import ExitReason, WorkerExit
from scaler.simulation.baseline import Instruments, PolicyLoop
from scaler.simulation.catalogue import fleet_of
from scaler.simulation.contender import Clairvoyant, Contender, Joint
from scaler.simulation.events import EventWorld
from scaler.simulation.future import Future
from scaler.simulation.joint import Decided, JointLoop
from scaler.simulation.load import Load
from scaler.simulation.policy import Briefing
from scaler.simulation.scenario import Scenario
from scaler.simulation.score import Account, Score, scored
from scaler.simulation.simulated_platform import SizeChange
from scaler.simulation.steps import SteppedWorld
from scaler.simulation.world import World

TIMELINE_SECONDS: Final = 15.0

LEAD_SECONDS: Final = 120.0
"""For how long a fleet that is found warm has run before anybody takes charge: it is found at work, not empty."""


class Mode(StrEnum):
    """How time passes."""

    EVENTS = "events"  # every moment: exact and slow
    STEPS = "steps"  # half a second at a time, for sweeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a contender is set into; the same for all that are compared."""

    scenario: Scenario
    load: Load
    seed: int
    mode: Mode = Mode.STEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How things stood at one moment of a run."""

    at: float
    desired: int
    existing: int
    ready: int
    cache: int
    workflow_backlog: int
    activity_backlog: int
    activity_slots_used: int
    memory_max_fraction: float
    turns_answered: int
    oom_kills: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished run."""

    policy: str
    score: Score
    timeline: tuple[Sample, ...]
    changes: tuple[SizeChange, ...]
    exits: tuple[WorkerExit, ...]
    decided: tuple[Decided, ...] = field(default=())  # of this product


class Loop(Protocol):
    """Whoever decides the sizes of a running world."""

    @property
    def beat_seconds(self) -> float:
        """How often `act` is to be called; a second, or a part of it."""
        ...

    def look(self, now: float) -> None:
        """Some time has passed, and it is not in charge yet: its instruments alone run."""
        ...

    def act(self, now: float) -> None:
        """Some time has passed."""
        ...


def run(setting: Setting, contender: Contender) -> Run:
    """Run one contender to the end of the load."""
    scenario = _as_found(setting.scenario, contender)
    make: type[World[Any]] = EventWorld if setting.mode is Mode.EVENTS else SteppedWorld
    with _undisturbed():
        return _Running(make(scenario, setting.load, setting.seed), setting, contender).to_the_end()


class _Running:
    """One run under way."""

    def __init__(self, world: World[Any], setting: Setting, contender: Contender) -> None:
        self._world = world
        self._name = contender.name
        self._loop = _loop(world, setting, contender)
        self._timeline: list[Sample] = []
        self._kills = 0

    def to_the_end(self) -> Run:
        """Let all time pass."""
        world, loop = self._world, self._loop
        beats = round(1 / loop.beat_seconds)
        warm_up = int(world.scenario.warm_up.total_seconds())
        paid_in_warm_up = 0.0
        in_charge_from = LEAD_SECONDS if world.scenario.start.warm else 0.0
        act = loop.look if in_charge_from else loop.act
        act(0.0)
        for second in range(int(world.load.seconds)):
            if second + 1 >= in_charge_from:
                act = loop.act
            for beat in range(1, beats):
                world.advance(second + beat * loop.beat_seconds)
                act(world.now)
            now = second + 1.0
            world.advance(now)
            act(now)
            if now % TIMELINE_SECONDS == 0:
                self._timeline.append(self._sample(now))
            if second + 1 == warm_up:
                paid_in_warm_up = world.platform.worker_seconds(now)
        world.finish()
        return self._finished(world.platform.worker_seconds(world.now) - paid_in_warm_up)

    def _sample(self, now: float) -> Sample:
        world, platform = self._world, self._world.platform
        kills = sum(ended.reason is ExitReason.OOM_KILLED for ended in platform.exits)
        self._kills, new = kills, kills - self._kills
        return Sample(
            at=now,
            desired=platform.desired,
            existing=len(platform.workers),
            ready=sum(worker.serving for worker in platform.workers),
            cache=platform.cache,
            workflow_backlog=world.figures(TaskType.WORKFLOW).waiting,
            activity_backlog=world.figures(TaskType.ACTIVITY).waiting,
            activity_slots_used=sum(worker.busy for worker in platform.workers),
            memory_max_fraction=max((each.memory_bytes() for each in platform.workers), default=0)
            / platform.limit_bytes,
            turns_answered=world.tally.answered,
            oom_kills=new,
        )

    def _finished(self, worker_seconds: float) -> Run:
        world, loop = self._world, self._loop
        decided = tuple(loop.decided) if isinstance(loop, JointLoop) else ()
        decided_on = [(each.at, each.seen_at) for each in decided]
        if isinstance(loop, PolicyLoop):
            decided_on = [(at, at) for at in loop.asked_at]
        account = Account(
            tally=world.tally,
            turns=len(world.load),
            exits=world.platform.exits,
            changes=world.platform.changes,
            decided_on=decided_on,
            worker_seconds=worker_seconds,
            memory_limit_bytes=world.platform.limit_bytes,
            percentile=world.scenario.objective.percentile,
            warm_up_seconds=world.scenario.warm_up.total_seconds(),
        )
        return Run(
            policy=self._name,
            score=scored(account),
            timeline=tuple(self._timeline),
            changes=tuple(world.platform.changes),
            exits=tuple(world.platform.exits),
            decided=decided,
        )


def _loop(world: World[Any], setting: Setting, contender: Contender) -> Loop:
    """Whoever decides in this run."""
    fleet = fleet_of(setting.scenario)
    if isinstance(contender, Joint):
        return JointLoop(world, contender.declare(fleet), setting.seed)
    briefing = Briefing(setting.scenario, fleet)
    if isinstance(contender, Clairvoyant):
        policy = contender.make(briefing, Future(setting.load))
    else:
        policy = contender.make(briefing)
    cut = None if contender.decides_cache else setting.scenario.cut_by_hand
    return PolicyLoop(world, Instruments.of(world, setting.seed), policy, cut)


def _as_found(scenario: Scenario, contender: Contender) -> Scenario:
    """The scenario with the cache size that the contender starts with; only this product reads histories."""
    changes: dict[str, Any] = {}
    if contender.start_cache is not None:
        changes["start"] = scenario.start.model_copy(update={"cache": contender.start_cache})
    if not isinstance(contender, Joint):
        changes["metrics"] = scenario.metrics.model_copy(update={"runs_sampled": 0})
    return scenario.model_copy(update=changes)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the cyclic collector: a run makes millions of values and not one cycle."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
