"""From what was seen to what is to be done: learn, search, guard. Pure: time is an argument, never read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from scaler.fleet import Fleet
from scaler.interventions import expired
from scaler.learn.learning import learn
from scaler.learn.level import level_after
from scaler.model.common import Size
from scaler.model.decision import Constraint, Decision, Mode, Reason
from scaler.model.observation import Observation
from scaler.model.plan import SHORTEST_TICK, Plan
from scaler.model.record import StepOutcome
from scaler.model.remembered import Change, Level, Remembered, Rollout, Trial, figure
from scaler.rules import pace
from scaler.rules.cache_gate import CacheChoice, chosen_cache
from scaler.rules.count import Count, Limit, bounded, good_since, held_count, holding
from scaler.rules.effect import effect_judged, pushed
from scaler.rules.rollout import Stage, next_stage, victims
from scaler.rules.scale_in_window import recommendations, turned
from scaler.rules.situation import Situation, set_size
from scaler.rules.trial import harmful, judged, on_trial
from scaler.size.search import Search

CHANGES_FADE = timedelta(hours=4)
"""Of the leaking count of cache changes: four at once, then one in about an hour."""


def decide(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> tuple[Decision, Remembered]:
    """The next step of a fleet, and what the decision after it must remember.

    Args:
        seen: The newest observation, maybe of a tick ago: its age counts.
        fleet: The declaration in force.
        memory: What the decision before returned, and what people asked for since.
        now: When this decision is made.

    """
    situation = _situation(seen, fleet, memory, now)
    for settle in _BEFORE_SIZING:
        if (settled := settle(situation)) is not None:
            return settled
    return _sized(situation)


def decide_or_hold(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> tuple[Decision, Remembered]:
    """Decide; where the decision itself has a defect, hold everything and say so rather than end the loop."""
    try:
        return decide(seen, fleet, memory, now)
    except Exception:  # noqa: BLE001 (whatever it is, the workers serve on)
        held = Decision(
            at=now,
            plan=Plan(size=None, until=now + SHORTEST_TICK),
            mode=Mode.BLOCKED,
            size=set_size(seen),
            workers_bound=Constraint.UNKNOWN,
            cache_bound=Constraint.UNKNOWN,
            reasons=(Reason.DECISION_FAILED,),
        )
        return held, memory


def _situation(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> Situation:
    """Learn, search, and judge what was changed before."""
    estimate, memory = learn(seen, fleet, expired(memory, now), now)
    search = Search(estimate, fleet, set_size(seen))
    situation = Situation(
        seen=seen, fleet=fleet, estimate=estimate, search=search, need=search.need(), memory=memory, now=now
    )
    memory = replace(
        effect_judged(situation),
        overfull=_overfull(situation),
        good_since=good_since(situation),
        recommendations=recommendations(situation),
    )
    return replace(situation, memory=memory)


def _overfull(situation: Situation) -> int:
    """In how many observations in a row workers held more than the size that they started under allows."""
    cache, memory = situation.current.cache, situation.memory
    if cache is None or situation.rolling or memory.decided_on != situation.seen.observed_at:
        return memory.overfull
    over = [
        worker.cached > cache * (worker.caches or 1)
        for worker in situation.seen.ready
        if worker.cache == cache and worker.cached is not None
    ]
    if not over:
        return memory.overfull
    return min(memory.overfull + 1, 9) if any(over) else 0


Settled = tuple[Decision, Remembered]


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
    plan = Plan(size=size, until=pace.until(situation, busy=True), victims=victims(situation, size))
    return _decision(situation, plan, Mode.STOPPING, count, choice), situation.memory


def _unconfirmed(situation: Situation) -> Settled | None:
    """A plan may or may not have been carried out: more workers are safe, everything else waits for its echo."""
    unechoed = situation.memory.unechoed
    if unechoed is None:
        return None
    standing = max(unechoed.workers, situation.current.workers)
    wanted = min(situation.need.size.workers, situation.workers_ceiling)
    held = situation.memory.operator.stop is not None or situation.foreign_hand or not situation.any_signal
    if wanted <= standing or held or situation.memory.foreign_since is not None:
        return _looking(situation, Mode.UNCONFIRMED, Constraint.UNKNOWN, Reason.UNCONFIRMED_PLAN)
    size = Size(wanted)
    plan = Plan(size=size, until=pace.until(situation, busy=True), wake=pace.wake(situation, size))
    count = Count(workers=wanted, bound=situation.need.workers_bound, reasons=(Reason.UNCONFIRMED_PLAN,))
    choice = CacheChoice(cache=situation.current.cache, bound=Constraint.UNKNOWN)
    return _decision(situation, plan, Mode.UNCONFIRMED, count, choice), situation.memory


_BEFORE_SIZING: tuple[Callable[[Situation], Settled | None], ...] = (_paused, _blocked, _stopping, _unconfirmed)


def _looking(situation: Situation, mode: Mode, bound: Constraint, reason: Reason) -> Settled:
    plan = Plan(size=None, until=pace.until(situation, busy=mode is not Mode.PAUSED))
    count = Count(workers=situation.current.workers, bound=bound, reasons=(reason,))
    choice = CacheChoice(cache=situation.current.cache, bound=bound)
    return _decision(situation, plan, mode, count, choice), situation.memory


def _sized(situation: Situation) -> Settled:
    harm = harmful(situation)
    choice = chosen_cache(situation)
    if not choice.emergency:
        choice = _taken_back(harm) or choice
    memory, count = _count(situation, choice, harm)
    size = Size(count.workers, choice.cache)
    stage = next_stage(situation, size, emergency=choice.emergency)
    under_way = stage != Stage() or choice.emergency or size.workers > situation.current.workers
    plan = Plan(
        size=size,
        step=stage.step,
        surge=stage.surge,
        replace=stage.replace,
        victims=victims(situation, size),
        until=pace.until(replace(situation, memory=memory), busy=under_way),
        wake=pace.wake(situation, size),
    )
    decision = _decision(situation, plan, _mode(situation, choice, stage), count, choice)
    return decision, _memory_after(situation, judged(memory, harm, situation.now), choice, size)


def _taken_back(harm: Trial | None) -> CacheChoice | None:
    """The cache size from before a change of it that did harm."""
    if harm is None or harm.change is Change.SCALE_IN or harm.before.cache is None:
        return None
    return CacheChoice(cache=harm.before.cache, bound=Constraint.EMBARGO, reasons=(Reason.ROLLED_BACK,))


def _count(situation: Situation, choice: CacheChoice, harm: Trial | None) -> tuple[Remembered, Count]:
    """The worker count: somebody else's hand first, then an operator's, then the load's; bounded in the end."""
    memory, foreign = _foreign(situation)
    if foreign is not None:
        return memory, foreign
    override, needed = situation.memory.operator.override, situation.need
    wanted = Limit(needed.size.workers, needed.workers_bound)
    if choice.cache is not None and choice.cache != needed.size.cache:
        wanted = Limit(situation.workers_at(choice.cache), needed.workers_bound)
    if not situation.any_signal:
        wanted = Limit(situation.current.workers, Constraint.MISSING_SIGNAL)
    if override is not None and override.workers is not None:
        wanted = Limit(override.workers, Constraint.OVERRIDE)
    if harm is not None and harm.change is Change.SCALE_IN:
        wanted = Limit(max(wanted.workers, harm.before.workers), Constraint.EMBARGO, Reason.ROLLED_BACK)
    return memory, bounded(held_count(wanted, situation, choice), situation)


def _foreign(situation: Situation) -> tuple[Remembered, Count | None]:
    """A count that somebody else set is adopted, and held for a while, even outside the bounds.

    One that came together with new code is a deploy: adopted, but not held.
    """
    desired, version = situation.seen.target.desired, situation.seen.target.version
    deployed = bool(situation.memory.target_version) and situation.memory.target_version != version
    memory = situation.memory
    if version and version != memory.target_version:
        memory = replace(memory, target_version=version)
    if situation.foreign_hand and desired is not None:
        reason = Reason.USER_DEPLOY if deployed else Reason.FOREIGN_COUNT
        held = Count(workers=desired, bound=Constraint.FOREIGN_HAND, reasons=(reason,))
        return replace(memory, foreign_since=None if deployed else situation.now), held
    since = memory.foreign_since
    if since is None:
        return memory, None
    resumed = memory.operator.resumed_at is not None and memory.operator.resumed_at >= since
    if resumed or situation.now - since >= situation.fleet.behaviour.foreign_hold:
        return replace(memory, foreign_since=None), None
    workers = situation.current.workers
    return memory, Count(workers=workers, bound=Constraint.FOREIGN_HAND, reasons=(Reason.FOREIGN_COUNT,))


def _memory_after(situation: Situation, memory: Remembered, choice: CacheChoice, size: Size) -> Remembered:
    """What the next decision must know of this one's changes."""
    change = choice.change
    if change is None and size.workers < situation.current.workers and situation.memory.operator.override is None:
        change = Change.SCALE_IN
    return replace(
        memory,
        push=pushed(situation, size.workers),
        turns=turned(memory.turns, situation.current.workers, size.workers, situation.now),
        rollout=_rollout(situation, memory, choice),
        cache_changes=memory.cache_changes if choice.change is None else _counted(memory.cache_changes, situation.now),
        trial=memory.trial if change is None else on_trial(situation, change, size),
    )


def _rollout(situation: Situation, memory: Remembered, choice: CacheChoice) -> Rollout | None:
    """The rollout that begins now, or the one that goes on."""
    before = situation.current.cache
    if choice.cache != before and before is not None and choice.cache is not None:
        return Rollout(began=situation.now, before=before, forced=choice.emergency or choice.change is None)
    return memory.rollout if situation.rolling else None


def _counted(changes: Level, now: datetime) -> Level:
    """The leaking count of cache changes with one more."""
    faded = level_after(changes, 0.0, now, CHANGES_FADE).value or 0.0
    return Level(figure(faded + 1), now)


def _mode(situation: Situation, choice: CacheChoice, stage: Stage) -> Mode:
    modes = {
        Mode.EMERGENCY: choice.emergency,
        Mode.MEMORY_LIMIT_TOO_SMALL: situation.need.memory_floor,
        Mode.FOREIGN_HOLD: situation.foreign_hand or situation.memory.foreign_since is not None,
        Mode.INFEASIBLE: situation.need.size.workers > situation.workers_ceiling and situation.late is True,
        Mode.OVERRIDE: situation.memory.operator.override is not None,
        Mode.ROLLOUT: stage != Stage(),
        Mode.NO_SIGNAL: not situation.any_signal,
        Mode.HOLD_AFTER_CUT: holding(situation),
    }
    return next((mode for mode, holds in modes.items() if holds), Mode.STEADY)


def _decision(situation: Situation, plan: Plan, mode: Mode, count: Count, choice: CacheChoice) -> Decision:
    current = situation.current.workers
    moved: tuple[Reason, ...] = ()
    if plan.size is not None and count.bound is not Constraint.FOREIGN_HAND and count.workers != current:
        moved = (Reason.SCALE_IN if count.workers < current else _scale_out(situation),)
    missing = (Reason.MEMORY_LIMIT_UNKNOWN,) if situation.estimate.memory.limit_bytes is None else ()
    unread = (Reason.UNREAD_LOAD,) if any(load.unread for load in situation.estimate.loads) else ()
    return Decision(
        at=situation.now,
        plan=plan,
        mode=mode,
        size=Size(count.workers, choice.cache),
        workers_bound=count.bound,
        cache_bound=choice.bound,
        reasons=tuple(dict.fromkeys((*moved, *count.reasons, *choice.reasons, *unread, *missing))),
        predicted=situation.need.predicted,
        alternatives=situation.need.alternatives,
    )


def _scale_out(situation: Situation) -> Reason:
    reasons = {
        Constraint.BACKLOG: Reason.SCALE_OUT_BACKLOG,
        Constraint.WORKFLOW_TASK_LOAD: Reason.SCALE_OUT_WORKFLOW_TASKS,
    }
    return reasons.get(situation.need.workers_bound, Reason.SCALE_OUT_ACTIVITY)
