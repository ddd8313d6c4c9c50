"""One fleet's life: decided by the production code, checked by every rule at every step, afflicted in between."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from scaler import interventions
from scaler.learn.hinted import with_hints
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation
from scaler.model.plan import LONGEST_TICK
from scaler.model.remembered import Remembered
from scaler.rules.situation import GROWTH_COUNTS_FROM
from scaler.simulation.outside import FleetLoop
from tests.properties.test_safety_rules import RULES, Told, memory_stays_small_and_ticks_end, sized
from tests.soak import mishaps
from tests.soak.kinds import KINDS, LARGE, FleetKind
from tests.soak.mishaps import MISHAPS, OFTEN, Afflicted, Mishap
from tests.soak.tally import Broken, Tally
from tests.soak.world import World

BEGAN = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
CALM_STEPS = 12
STEPS = 160
HAPPENS = 0.16
HARM = 0.8
"""How often a change of the product's own accord is followed by just what would make it wrong."""

ANYTHING = (*OFTEN * 3, *MISHAPS)

LARGE_LIVES, LARGE_STEPS = 0.01, 40
BOUNDED = (Constraint.WORKERS_MAX, Constraint.CONNECTIONS)
MEMORY_JSON = TypeAdapter(Remembered)
BYTES_OF_ONE_QUEUE, MOST_BYTES = 4 * 1024, 16 * 1024


def memory_stays_small(step: Told) -> None:
    """What the next decision must remember is a few KiB, and survives being written."""
    written = MEMORY_JSON.dump_json(step.after)
    assert len(written) <= (BYTES_OF_ONE_QUEUE if len(step.fleet.task_queues) == 1 else MOST_BYTES)
    assert MEMORY_JSON.validate_json(written) == step.after


def ticks_end(step: Told) -> None:
    """No tick is longer than a minute."""
    assert step.now <= step.decision.plan.until <= step.now + LONGEST_TICK


def the_schedules_floor_is_kept(step: Told) -> None:
    """Nothing is taken away of its own accord below the floor that a window gives now."""
    floor = min(step.seen.schedule.floor, step.fleet.workers.max)
    override = step.before.operator.override
    if sized(step) and (override is None or override.workers is None) and step.before.unechoed is None:
        assert step.wanted.workers >= min(step.current.workers, floor)


CHECKED = (
    *(each for each in RULES if each is not memory_stays_small_and_ticks_end),
    memory_stays_small,
    ticks_end,
    the_schedules_floor_is_kept,
)


class Life:
    """One fleet, from its calm beginning on. The same seed and number live the same life."""

    def __init__(
        self, seed: int, number: int, kind: FleetKind | None = None, happens: Sequence[Mishap] = ANYTHING
    ) -> None:
        self.number, self.happens = number, happens
        self.chance = random.Random(f"{seed}/{number}")
        self.kind = kind or self._kind()
        self.loop = FleetLoop(self.kind.declared, BEGAN)
        self.world = World(self.kind, self.chance, BEGAN)
        self.world.drain_seconds = self.loop.state.fleet.behaviour.drain.total_seconds()
        self.tally = Tally(lives=1)
        self.usual_at = 0.0

    def _kind(self) -> FleetKind:
        if self.chance.random() < LARGE_LIVES:
            return self.chance.choice(LARGE)
        return self.chance.choices(KINDS, [kind.weight for kind in KINDS])[0]

    def live(self, steps: int) -> Tally:
        """Take so many decisions; fewer about a large fleet."""
        most = min(steps, LARGE_STEPS) if self.kind in LARGE else steps
        for _ in self.steps():
            if self.tally.steps >= most:
                break
        self.tally.lost_work, self.tally.lost_unseen = self.world.lost_spared, self.world.lost_unseen
        return self.tally

    def steps(self) -> Iterator[Told]:
        """Its decisions, one by one, for as long as anybody asks."""
        while True:
            afflicted = Afflicted(self.loop, self.world)
            self._happen(afflicted)
            step = self._tick(afflicted)
            if step is None:
                continue
            self.tally.count(step)
            self._check(step)
            self._harm(step, afflicted)
            yield step

    def _happen(self, afflicted: Afflicted) -> None:
        if self.tally.steps < CALM_STEPS or self.loop.state.observation is None:
            return
        if self.world.t >= self.usual_at:
            mishaps.work_is_as_usual(afflicted)
            self.usual_at = self.world.t + self.chance.uniform(60, 600)
        if self.chance.random() < HAPPENS:
            self.chance.choice(self.happens)(afflicted)

    def _tick(self, afflicted: Afflicted) -> Told | None:
        loop, world = self.loop, self.world
        fleet, now = loop.state.fleet, world.now
        seen = _decided_on(loop, now)
        before = interventions.expired(loop.state.memory, now)
        plan = loop.decide(now)
        step = None
        if seen is not None and loop.decision is not None:
            # The state keeps the decision without the names of workers, which are in the plan.
            step = Told(seen, fleet, before, now, replace(loop.decision, plan=plan), loop.state.memory)
        if not afflicted.unreachable:
            levels = loop.apply(now, desired=world.desired)
            if levels is not None and not afflicted.unacted:
                own = step is not None and _of_its_own_accord(step)
                world.follow(levels, spared=own, threatened=_threatened(step) if step is not None else frozenset())
        self._pass((plan.until - now).total_seconds(), afflicted)
        return step

    def _pass(self, seconds: float, afflicted: Afflicted) -> None:
        """The rest of the tick."""
        loop, world = self.loop, self.world
        if self.chance.random() < 0.1 and seconds > 2:
            if loop.watch(world.told(), world.now):
                return
            early = self.chance.uniform(1, seconds)
            world.advance(early)
            seconds -= early
            if loop.watch(world.told(), world.now):
                return
        world.advance(max(seconds, 0.1))
        if afflicted.lost or not loop.watch(world.told(), world.now + timedelta(seconds=afflicted.ahead_seconds)):
            loop.lose()

    def _check(self, step: Told) -> None:
        for rule in CHECKED:
            try:
                rule(step)
            except AssertionError as error:
                text = str(error).splitlines()[0] if str(error) else f"{step.current} → {step.wanted}"
                name = self.kind.name
                self.tally.found.append(Broken(rule.__name__, name, self.number, self.tally.steps, text))

    def _harm(self, step: Told, afflicted: Afflicted) -> None:
        """Now and then what was just changed turns out to be wrong."""
        if Reason.SCALE_IN in step.decision.reasons and self.chance.random() < HARM:
            mishaps.workers_cannot_keep_up(afflicted)
            self.usual_at = self.world.t + 90
        elif Reason.CACHE_RAISED in step.decision.reasons and self.chance.random() < HARM:
            mishaps.runs_weigh_more(afflicted)


def _decided_on(loop: FleetLoop, now: datetime) -> Observation | None:
    """What the next decision is made from: the newest observation with what workers hinted since.

    Rules that decide again about a changed observation need the same one, or the hints are what makes the difference.
    """
    seen = loop.state.observation
    return None if seen is None else with_hints(seen, loop.state.hints, now)


def _of_its_own_accord(step: Told) -> bool:
    """Whether what this decision has leave could have been left: no emergency, no stop, no bound, nobody's hand."""
    decision = step.decision
    asked = step.before.operator.stop is not None or decision.workers_bound in BOUNDED
    foreign = Reason.FOREIGN_COUNT in decision.reasons or Reason.USER_DEPLOY in decision.reasons
    return decision.mode is not Mode.EMERGENCY and not asked and not foreign


def _threatened(step: Told) -> frozenset[str]:
    """Workers that what they hold may get killed: to be drained is better, whatever they run."""
    limit_bytes = step.seen.target.memory_limit_bytes
    if limit_bytes is None:
        return frozenset()
    full_bytes = GROWTH_COUNTS_FROM * limit_bytes
    return frozenset(worker.name for worker in step.seen.workers if (worker.memory_bytes or 0) >= full_bytes)
