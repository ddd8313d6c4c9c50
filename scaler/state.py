"""All that a fleet's workflow knows. Pure and frozen; at most 32 KiB as JSON.

The same value is the continue-as-new payload and the answer of queries and updates, so nothing lives beside it
and nothing is lost.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaler import interventions
from scaler.fleet import Fleet
from scaler.hint import Hint, kept
from scaler.model.common import Claims, Generation, Owner, Size
from scaler.model.decision import Decision, DecisionSummary
from scaler.model.observation import Observation
from scaler.model.plan import SHORTEST_TICK, Plan, Stamp
from scaler.model.record import StepOutcome
from scaler.model.remembered import Remembered
from scaler.wakes import ends_known, held

STATE_VERSION = 1
DECISIONS_KEPT = 20

SOONEST_WAKE = timedelta(seconds=1)

STOP_TRIES, DRAIN_TRIES = 6, 60
"""Ticks of five seconds in a row in which a target may not answer before a fleet is given up without it. To empty it
is tried for longer; a record that still names this fleet keeps nobody out, since its workflow has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that a fleet's workflow knows."""

    fleet: Fleet
    generation: Generation  # of the newest plan that was sent
    host: str | None = None  # where a local target lives
    claims: Claims | None = None  # None until a version that resolves them checked the fleet
    ticks: int = 0  # over all runs
    memory: Remembered = field(default_factory=Remembered)
    plan: Plan | None = None
    observation: Observation | None = None
    decision: Decision | None = None
    decisions: tuple[DecisionSummary, ...] = ()
    fence: bool = False  # a plan was sent that no observation echoed
    sent_at: datetime | None = None  # when the newest plan was sent
    hints: tuple[Hint, ...] = ()  # what workers said of themselves lately
    version: int = STATE_VERSION

    def decided(self, decision: Decision, memory: Remembered) -> "State":
        """After a decision. Equal ones in a row are counted in the log, not repeated."""
        newest = DecisionSummary.of(decision)
        last = self.decisions[-1] if self.decisions else None
        if last is not None and newest.says_the_same_as(last):
            log = (*self.decisions[:-1], replace(last, repeated=last.repeated + 1))
        else:
            log = (*self.decisions, newest)[-DECISIONS_KEPT:]
        # The names of workers are in the plan already, a hundred of them maybe.
        kept = replace(decision, plan=replace(decision.plan, replace=(), victims=()))
        return replace(self, memory=memory, decision=kept, decisions=log)

    def sent(self, plan: Plan, now: datetime) -> "State":
        """After a plan was handed to the target; until its echo it counts as maybe carried out."""
        memory = replace(self.memory, unechoed=_either(self.memory.unechoed, plan.size))
        return replace(
            self,
            plan=plan,
            generation=self.generation.next(),
            ticks=self.ticks + 1,
            fence=True,
            sent_at=now,
            memory=memory,
        )

    def wake_from(self, now: datetime) -> datetime:
        """From when on a breach may end the tick that starts now: soon after a long one, later after a short one."""
        long = self.sent_at is not None and now - self.sent_at >= SHORTEST_TICK
        return now + (SOONEST_WAKE if long else SHORTEST_TICK)

    def stamp(self, plan: Plan, seen: Observation | None, owner: Owner, now: datetime) -> Stamp:
        """Of the next plan, made from what was seen; to be asked for before it counts as sent."""
        return Stamp(
            owner=owner,
            generation=self.generation.next(),
            wake_from=self.wake_from(now),
            fence=self.fence,
            held=held(plan, seen) if seen is not None else (),
            ends_known=ends_known(seen) if seen is not None else (),
        )

    def hinted(self, hint: Hint, now: datetime) -> "State":
        """With what one of its workers said of itself."""
        return replace(self, hints=kept(self.hints, replace(hint, at=now), now))

    def saw(self, observation: Observation) -> "State":
        """After an observation. Only the echo of the newest plan settles what was sent before it."""
        applied, found = observation.applied, observation.found
        memory = interventions.stop_answered(self.memory, settled=applied.settled)
        state = replace(self, observation=observation, memory=memory)
        if applied.generation == self.generation and applied.settled:
            return replace(state, fence=False, memory=replace(memory, unechoed=None))
        if applied.outcome is StepOutcome.REFUSED_GENERATION and found is not None:
            return replace(state, generation=max(self.generation, found.generation))
        return state

    @property
    def may_release(self) -> bool:
        """Whether the target can be given up: asked for, nothing under way, and empty if it was to be drained.

        One that is not this fleet's, or does not answer for long, is given up as it is.
        """
        stop, seen = self.memory.operator.stop, self.observation
        if stop is None or seen is None:
            return False
        if self.out_of_reach is not None:
            return True
        return not self.fence and (not stop.drain or sum(total.workers for total in seen.totals) == 0)

    @property
    def out_of_reach(self) -> str | None:
        """Why nothing can be done to the target of a fleet that is to be given up; None where something can."""
        stop, seen = self.memory.operator.stop, self.observation
        if stop is None or seen is None:
            return None
        applied = seen.applied
        record = applied.record or seen.found
        owned = record is not None and record.owner is not None
        refused = applied.outcome is StepOutcome.REFUSED_OWNER and owned
        silent = stop.unanswered >= (DRAIN_TRIES if stop.drain else STOP_TRIES)
        if not (refused or silent or applied.outcome is StepOutcome.NOT_ALLOWED):
            return None
        return applied.detail or applied.outcome.value.replace("_", " ")

    def given_up(self, generation: Generation) -> bool:
        """Whether the target took this plan or a later one, which gives it up; or can't be made to."""
        return self.carries(generation) or (self.out_of_reach is not None and self._answered(generation))

    @property
    def overtaken(self) -> bool:
        """Whether the target's record is ahead of this workflow, as after a reset; the next plan is above it."""
        return self.observation is not None and self.observation.applied.outcome is StepOutcome.REFUSED_GENERATION

    def carries(self, generation: Generation) -> bool:
        """Whether the target has confirmed this plan or a later one."""
        return self.observation is not None and self.observation.applied.settled and self._answered(generation)

    def answered(self, generation: Generation) -> bool:
        """Whether it is known what came of this plan or a later one."""
        return self.carries(generation) or self.failed(generation) is not None

    def failed(self, generation: Generation) -> str | None:
        """Why the target did not take this plan or a later one, if it has answered and did not."""
        if self.observation is None or self.observation.applied.settled or not self._answered(generation):
            return None
        if self.overtaken:
            return None
        applied = self.observation.applied
        return applied.detail or applied.outcome.value.replace("_", " ")

    def _answered(self, generation: Generation) -> bool:
        return self.observation is not None and self.observation.applied.generation >= generation


def _either(earlier: Size | None, later: Size | None) -> Size | None:
    """What the target may come to have if any of two plans was carried out: the more workers, the smaller cache."""
    if earlier is None or later is None:
        return earlier or later
    caches = [size.cache for size in (earlier, later) if size.cache is not None]
    return Size(max(earlier.workers, later.workers), min(caches, default=None))
