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
from scaler.model.remembered import Change, Level, Remembered, Rollout, Trial, figure, whole_second
from scaler.rules import pace
from scaler.rules.cache_gate import CacheChoice, alarms, chosen_cache
from scaler.rules.count import Count, bounded, held_count
from scaler.rules.effect import begun, helped, trials_after
from scaler.rules.foreign_cache import cache_hand_watched
from scaler.rules.foreign_hand import adopted, held_by_another
from scaler.rules.hold_after_cut import good_since, hold_over
from scaler.rules.overfull import overfull_counted
from scaler.rules.readings import Readings
from scaler.rules.rollout import Stage, next_stage
from scaler.rules.scale_in_window import recommendations, turned
from scaler.rules.situation import Situation, set_size
from scaler.rules.stopping import stopping_count
from scaler.rules.take_back import cache_before
from scaler.rules.telling import decision, mode_of
from scaler.rules.trial import harmful, judged, on_trial
from scaler.rules.victims import victims
from scaler.rules.wanted import wanted_count
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
    learned, memory = learn(seen, fleet, expired(memory, now), now)
    readings = Readings(seen, fleet, learned, now)
    memory = replace(memory, scale_outs=trials_after(readings, memory.scale_outs))
    estimate = helped(readings, memory.scale_outs)
    search = Search(estimate, fleet, set_size(seen))
    situation = Situation(
        seen=seen, fleet=fleet, estimate=estimate, search=search, need=search.need(), memory=memory, now=now
    )
    good = good_since(situation)
    memory = replace(
        cache_hand_watched(situation, overfull_counted(situation, memory)),
        good_since=good,
        hold_over=hold_over(situation, good),
        recommendations=recommendations(situation),
    )
    return replace(situation, memory=memory)


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
    count = stopping_count(situation, stop)
    size = Size(count.workers)
    choice = CacheChoice(cache=situation.current.cache, bound=Constraint.STOPPING)
    plan = Plan(size=size, until=pace.until(situation, busy=True), victims=victims(situation, size))
    return decision(situation, plan, Mode.STOPPING, count, choice), situation.memory


def _unconfirmed(situation: Situation) -> Settled | None:
    """A plan may or may not have been carried out: more workers are safe, everything else waits for its echo."""
    unechoed = situation.memory.unechoed
    if unechoed is None:
        return None
    standing = max(unechoed.workers, situation.current.workers)
    choice = CacheChoice(cache=situation.current.cache, bound=Constraint.UNCONFIRMED, emergency=bool(alarms(situation)))
    wanted = wanted_count(situation, choice, ())
    count = bounded(held_count(wanted, situation, choice), situation)
    held = situation.memory.operator.stop is not None or not situation.any_signal
    if count.workers <= standing or held or held_by_another(situation):
        return _looking(situation, Mode.UNCONFIRMED, Constraint.UNCONFIRMED, Reason.UNCONFIRMED_PLAN)
    size = Size(count.workers)
    plan = Plan(size=size, until=pace.until(situation, busy=True), wake=pace.wake(situation, size))
    count = replace(count, reasons=(Reason.UNCONFIRMED_PLAN, *count.reasons))
    return decision(situation, plan, Mode.UNCONFIRMED, count, choice), _moved(situation, situation.memory, count)


_BEFORE_SIZING: tuple[Callable[[Situation], Settled | None], ...] = (_paused, _blocked, _stopping, _unconfirmed)


def _looking(situation: Situation, mode: Mode, bound: Constraint, reason: Reason) -> Settled:
    plan = Plan(size=None, until=pace.until(situation, busy=mode is not Mode.PAUSED))
    count = Count(workers=situation.current.workers, bound=bound, reasons=(reason,))
    choice = CacheChoice(cache=situation.current.cache, bound=bound)
    return decision(situation, plan, mode, count, choice), situation.memory


def _sized(situation: Situation) -> Settled:
    harm = harmful(situation)
    choice = chosen_cache(situation)
    if not choice.emergency:
        choice = cache_before(situation, harm) or choice
    memory, count = _count(situation, choice, harm)
    size = Size(count.workers, choice.cache)
    stage = next_stage(situation, size, emergency=choice.emergency)
    if stage.kept:
        size = Size(size.workers + stage.kept, size.cache)
    under_way = stage != Stage() or choice.emergency or size.workers > situation.current.workers
    plan = Plan(
        size=size,
        step=stage.step,
        surge=stage.surge,
        replace=stage.replace,
        victims=victims(situation, size, stage.surge),
        until=pace.until(replace(situation, memory=memory), busy=under_way),
        wake=pace.wake(situation, size),
    )
    told = replace(count, workers=size.workers, bound=Constraint.RUNNING_WORK) if stage.kept else count
    decided = decision(situation, plan, mode_of(situation, choice, stage, count), told, choice)
    return decided, _memory_after(situation, judged(memory, harm, situation.now), choice, count)


def _count(situation: Situation, choice: CacheChoice, harm: tuple[Trial, ...]) -> tuple[Remembered, Count]:
    """The worker count: somebody else's hand first, then an operator's, then the load's; bounded in the end."""
    memory, foreign = adopted(situation)
    if foreign is not None:
        return memory, foreign
    wanted = wanted_count(situation, choice, harm)
    return memory, bounded(held_count(wanted, situation, choice), situation)


def _memory_after(situation: Situation, memory: Remembered, choice: CacheChoice, count: Count) -> Remembered:
    """What the next decision must know of this one's changes."""
    memory = replace(
        _moved(situation, memory, count),
        rollout=_rollout(situation, memory, choice),
        cache_changes=memory.cache_changes if choice.change is None else _counted(memory.cache_changes, situation.now),
    )
    if choice.change is None:
        return memory
    return on_trial(situation, memory, choice.change, Size(count.workers, choice.cache))


def _moved(situation: Situation, memory: Remembered, count: Count) -> Remembered:
    """Memory after the count moved; what an operator, another hand or a bound moved is no trial of this product's."""
    current, workers = situation.current.workers, count.workers
    if workers == current or count.bound is Constraint.FOREIGN_HAND or situation.overridden:
        return memory
    memory = replace(
        memory,
        scale_outs=begun(situation, workers),
        turns=turned(memory.turns, current, workers, situation.now),
    )
    if workers < min(current, situation.workers_ceiling):
        return on_trial(situation, memory, Change.SCALE_IN, Size(workers, situation.current.cache))
    return memory


def _rollout(situation: Situation, memory: Remembered, choice: CacheChoice) -> Rollout | None:
    """The rollout that begins now, or the one that goes on."""
    before = situation.current.cache
    if choice.cache != before and before is not None and choice.cache is not None:
        return Rollout(
            began=whole_second(situation.now), before=before, forced=choice.emergency or choice.change is None
        )
    return memory.rollout if situation.rolling else None


def _counted(changes: Level, now: datetime) -> Level:
    """The leaking count of cache changes with one more."""
    faded = level_after(changes, 0.0, now, CHANGES_FADE).value or 0.0
    return Level(figure(faded + 1), whole_second(now))
