"""From what was seen to what is to be done: learn, search, guard. Pure: time is an argument, never read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from scaler import pace
from scaler.cache_gate import CacheChoice, chosen_cache
from scaler.estimate import learn
from scaler.fleet import Fleet
from scaler.guard import Count, Limit, bounded, held_count, remembered
from scaler.model.common import Size
from scaler.model.decision import Constraint, Decision, Mode, Reason
from scaler.model.memory import Memory
from scaler.model.observation import Observation
from scaler.model.plan import SHORTEST_TICK, Plan
from scaler.model.record import StepOutcome
from scaler.operator import expired
from scaler.rollout import Stage, next_stage, victims
from scaler.search import need
from scaler.situation import Situation, set_size


def decide(seen: Observation, fleet: Fleet, memory: Memory, now: datetime) -> tuple[Decision, Memory]:
    """The next step of a fleet, and what the decision after it must remember.

    Args:
        seen: The newest observation, maybe of a tick ago: its age counts.
        fleet: The declaration in force.
        memory: What the decision before returned, and what people asked for since.
        now: When this decision is made.

    """
    estimate, memory = learn(seen, fleet, expired(memory, now), now)
    needed = need(estimate, fleet, set_size(seen))
    situation = Situation(seen=seen, fleet=fleet, estimate=estimate, need=needed, memory=memory, now=now)
    situation = replace(situation, memory=remembered(situation))
    for settle in _BEFORE_SIZING:
        if (settled := settle(situation)) is not None:
            return settled
    return _sized(situation)


def decide_or_hold(seen: Observation, fleet: Fleet, memory: Memory, now: datetime) -> tuple[Decision, Memory]:
    """Decide; where the decision itself has a defect, hold everything and say so rather than end the loop."""
    try:
        return decide(seen, fleet, memory, now)
    except Exception:  # noqa: BLE001 (whatever it is, the workers serve on)
        plan = Plan(size=None, until=now + SHORTEST_TICK)
        held = Decision(
            at=now,
            plan=plan,
            mode=Mode.BLOCKED,
            size=set_size(seen),
            workers_bound=Constraint.UNKNOWN,
            cache_bound=Constraint.UNKNOWN,
            reasons=(Reason.DECISION_FAILED,),
        )
        return held, memory


Settled = tuple[Decision, Memory]


def _paused(situation: Situation) -> Settled | None:
    if situation.memory.operator.pause is None:
        return None
    return _looking(situation, Mode.PAUSED, Constraint.PAUSE, Reason.PAUSED)


def _blocked(situation: Situation) -> Settled | None:
    """The target is not this fleet's to change: a look claims it, or finds out when it can be."""
    reasons = {
        StepOutcome.NOT_ALLOWED: Reason.TARGET_FAILED,
        StepOutcome.REFUSED_OWNER: Reason.FOREIGN_OWNER,
    }
    reason = reasons.get(situation.seen.applied.outcome)
    if reason is None and situation.record is None:
        reason = Reason.TARGET_FAILED
    return None if reason is None else _looking(situation, Mode.BLOCKED, Constraint.UNKNOWN, reason)


def _stopping(situation: Situation) -> Settled | None:
    """Put back what a rollout borrowed, or take all workers away; the workflow gives the target up then."""
    stop = situation.memory.operator.stop
    if stop is None or situation.memory.unechoed is not None:
        return None
    size = Size(0 if stop.drain else situation.current.workers)
    count = Count(workers=size.workers, bound=Constraint.UNKNOWN, reasons=(Reason.STOPPING,))
    choice = CacheChoice(cache=situation.current.cache, bound=Constraint.UNKNOWN)
    plan = Plan(size=size, until=pace.until(situation, busy=True), victims=victims(situation, situation.current))
    return _decision(situation, plan, Mode.STOPPING, count, choice), situation.memory


def _unconfirmed(situation: Situation) -> Settled | None:
    """A plan may or may not have been carried out: more workers are safe, everything else waits for its echo."""
    unechoed = situation.memory.unechoed
    if unechoed is None:
        return None
    standing = max(unechoed.workers, situation.current.workers)
    wanted = min(situation.need.size.workers, situation.workers_ceiling)
    if wanted <= standing or situation.memory.operator.stop is not None or situation.foreign_hand:
        return _looking(situation, Mode.UNCONFIRMED, Constraint.UNKNOWN, Reason.UNCONFIRMED_PLAN)
    plan = Plan(size=Size(wanted), until=pace.until(situation, busy=True), wake=pace.wake(situation, Size(wanted)))
    count = Count(workers=wanted, bound=situation.need.workers_bound, reasons=(Reason.UNCONFIRMED_PLAN,))
    choice = CacheChoice(cache=situation.current.cache, bound=Constraint.UNKNOWN)
    return _decision(situation, plan, Mode.UNCONFIRMED, count, choice), situation.memory


def _all_gone(situation: Situation) -> Settled | None:
    if situation.any_signal or situation.memory.operator.override is not None:
        return None
    return _looking(situation, Mode.NO_SIGNAL, Constraint.MISSING_SIGNAL, Reason.ALL_SIGNALS_GONE)


_BEFORE_SIZING: tuple[Callable[[Situation], Settled | None], ...] = (
    _paused,
    _blocked,
    _stopping,
    _unconfirmed,
    _all_gone,
)


def _looking(situation: Situation, mode: Mode, bound: Constraint, reason: Reason) -> Settled:
    plan = Plan(size=None, until=pace.until(situation, busy=mode is not Mode.PAUSED))
    count = Count(workers=situation.current.workers, bound=bound, reasons=(reason,))
    return _decision(
        situation, plan, mode, count, CacheChoice(cache=situation.current.cache, bound=bound)
    ), situation.memory


def _sized(situation: Situation) -> Settled:
    choice = chosen_cache(situation)
    memory, held_by_hand = _foreign(situation)
    situation = replace(situation, memory=memory)
    count = held_by_hand or bounded(_count(situation, choice), situation)
    size = Size(count.workers, choice.cache)
    stage = next_stage(situation, size, emergency=choice.emergency)
    if choice.cache is not None and choice.cache != situation.current.cache:
        memory = replace(memory, cache_changed_at=situation.now)
    plan = Plan(
        size=size,
        step=stage.step,
        surge=stage.surge,
        replace=stage.replace,
        victims=victims(situation, size),
        until=pace.until(situation, busy=bool(stage.surge or stage.replace) or choice.emergency),
        wake=pace.wake(situation, size),
    )
    return _decision(situation, plan, _mode(situation, choice, stage), count, choice), memory


def _count(situation: Situation, choice: CacheChoice) -> Count:
    override = situation.memory.operator.override
    if override is not None and override.workers is not None:
        return held_count(Limit(override.workers, Constraint.OVERRIDE), situation, choice.cache)
    needed = situation.need
    return held_count(Limit(needed.size.workers, needed.workers_bound), situation, choice.cache)


def _foreign(situation: Situation) -> tuple[Memory, Count | None]:
    """A count that somebody else set is adopted, and held for a while; even outside the bounds."""
    memory, desired = situation.memory, situation.seen.target.desired
    if situation.foreign_hand and desired is not None:
        held = Count(workers=desired, bound=Constraint.FOREIGN_HAND, reasons=(Reason.FOREIGN_COUNT,))
        return replace(memory, foreign_since=situation.now), held
    since = memory.foreign_since
    if since is None:
        return memory, None
    resumed = memory.operator.resumed_at is not None and memory.operator.resumed_at >= since
    if resumed or situation.now - since >= situation.fleet.behaviour.foreign_hold:
        return replace(memory, foreign_since=None), None
    workers = situation.current.workers
    return memory, Count(workers=workers, bound=Constraint.FOREIGN_HAND, reasons=(Reason.FOREIGN_COUNT,))


def _mode(situation: Situation, choice: CacheChoice, stage: Stage) -> Mode:
    modes = {
        Mode.EMERGENCY: choice.emergency,
        Mode.MEMORY_LIMIT_TOO_SMALL: situation.need.memory_floor,
        Mode.FOREIGN_HOLD: situation.foreign_hand or situation.memory.foreign_since is not None,
        Mode.OVERRIDE: situation.memory.operator.override is not None,
        Mode.ROLLOUT: bool(stage.surge or stage.replace),
    }
    return next((mode for mode, holds in modes.items() if holds), Mode.STEADY)


def _decision(situation: Situation, plan: Plan, mode: Mode, count: Count, choice: CacheChoice) -> Decision:
    current = situation.current.workers
    reasons = (*count.reasons, *choice.reasons)
    if mode is Mode.STEADY and count.workers != current:
        reasons = (Reason.SCALE_IN if count.workers < current else _scale_out(situation), *reasons)
    return Decision(
        at=situation.now,
        plan=plan,
        mode=mode,
        size=Size(count.workers, choice.cache),
        workers_bound=count.bound,
        cache_bound=choice.bound,
        reasons=tuple(dict.fromkeys(reasons)),
        predicted=situation.need.predicted,
    )


def _scale_out(situation: Situation) -> Reason:
    reasons = {
        Constraint.BACKLOG: Reason.SCALE_OUT_BACKLOG,
        Constraint.WORKFLOW_TASK_LOAD: Reason.SCALE_OUT_WORKFLOW_TASKS,
    }
    return reasons.get(situation.need.workers_bound, Reason.SCALE_OUT_ACTIVITY)
