"""Names what was decided: the fleet's mode, and every reason that took part. Pure."""

from scaler.model.common import Quality, Size
from scaler.model.decision import Constraint, Decision, Mode, ObservedQueue, Reason
from scaler.model.estimate import Load
from scaler.model.plan import Plan
from scaler.model.record import RolloutStep
from scaler.model.remembered import figure
from scaler.rules.cache_gate import CacheChoice
from scaler.rules.count import Count
from scaler.rules.effect import shown_in_vain
from scaler.rules.failing import failing_reasons, none_comes_up
from scaler.rules.hold_after_cut import held_after_cut
from scaler.rules.readings import Readings
from scaler.rules.rollout import Stage
from scaler.rules.situation import Situation
from scaler.rules.victims import losing_work

CRASHES_TOLD = 2
"""Of the ends of the last ten minutes: one is an accident."""


def mode_of(situation: Situation, choice: CacheChoice, stage: Stage, count: Count) -> Mode:
    """What a fleet whose size was decided is in."""
    modes = {
        Mode.EMERGENCY: choice.emergency,
        Mode.MEMORY_LIMIT_TOO_SMALL: situation.need.memory_floor,
        Mode.FOREIGN_HOLD: count.bound is Constraint.FOREIGN_HAND,
        Mode.WORKERS_FAILING: none_comes_up(situation.seen),
        Mode.INFEASIBLE: _infeasible(situation),
        Mode.OVERRIDE: situation.memory.operator.override is not None,
        Mode.ROLLOUT: stage != Stage(),
        Mode.NO_SIGNAL: not situation.any_signal,
        Mode.HOLD_AFTER_CUT: held_after_cut(situation) > 0,
        Mode.LATE: bool(situation.late_loads),
    }
    return next((mode for mode, holds in modes.items() if holds), Mode.STEADY)


def decision(situation: Situation, plan: Plan, mode: Mode, count: Count, choice: CacheChoice) -> Decision:
    """The decision with everything that explains it."""
    return Decision(
        at=situation.now,
        plan=plan,
        mode=mode,
        size=Size(count.workers, choice.cache),
        workers_bound=count.bound,
        cache_bound=choice.bound,
        workers_queue=situation.need.workers_queue if count.bound is situation.need.workers_bound else None,
        reasons=tuple(
            dict.fromkeys(
                (
                    *_moved(situation, plan, count),
                    *count.reasons,
                    *choice.reasons,
                    *_running_work(situation, plan),
                    *_of_all(situation),
                )
            )
        ),
        predicted=situation.need.predicted,
        alternatives=situation.need.alternatives,
        staying=situation.running_work.busy,
        observed=tuple(_observed(situation.readings, load) for load in situation.estimate.loads),
        taking_nothing=situation.readings.taking_nothing,
    )


def _observed(readings: Readings, load: Load) -> ObservedQueue:
    return ObservedQueue(
        queue=load.queue,
        task_type=load.task_type,
        backlog_tasks=load.backlog_tasks,
        wait_seconds=figure(load.observed_wait_seconds) if load.quality is Quality.FRESH else None,
        late=load in readings.late_loads,
        beside_free_slots=load in readings.beside_free_slots,
    )


def _infeasible(situation: Situation) -> bool:
    beyond = situation.need.size.workers > situation.workers_ceiling and situation.late is True
    return beyond or situation.need.activities_fill_memory


def _moved(situation: Situation, plan: Plan, count: Count) -> tuple[Reason, ...]:
    """Why the count changes, where the load is what changes it."""
    current = situation.current.workers
    if plan.size is None or count.workers == current or count.bound in (Constraint.FOREIGN_HAND, Constraint.OVERRIDE):
        return ()
    if count.workers < current:
        return (Reason.SCALE_IN,)
    return () if count.bound is Constraint.RUNNING_WORK else (_scale_out(situation, count.bound),)


def _running_work(situation: Situation, plan: Plan) -> tuple[Reason, ...]:
    """Whether running work is lost by this plan, or what it waits for."""
    if losing_work(situation, plan.replace + plan.victims):
        return (Reason.RUNNING_WORK_LOST,)
    waits = plan.step is RolloutStep.REPLACE and not plan.replace and situation.running_work.busy
    return (Reason.HELD_BY_RUNNING_WORK,) if waits else ()


def _scale_out(situation: Situation, bound: Constraint) -> Reason:
    reasons = {
        Constraint.BACKLOG: Reason.SCALE_OUT_BACKLOG,
        Constraint.PROBE: Reason.SCALE_OUT_BACKLOG,
        Constraint.WORKFLOW_TASK_LOAD: Reason.SCALE_OUT_WORKFLOW_TASKS,
        Constraint.ACTIVITY_MEMORY: Reason.SCALE_OUT_MEMORY,
    }
    asks = bound if bound in reasons else situation.need.workers_bound
    return reasons.get(asks, Reason.SCALE_OUT_ACTIVITY)


def _of_all(situation: Situation) -> tuple[Reason, ...]:
    """Reasons that hold whatever was decided."""
    waiting = [load for load in situation.estimate.loads if load.backlog_tasks]
    reasons = {
        Reason.RATE_LIMITED: any(load.rate_limited for load in waiting),
        Reason.INEFFECTIVE_SCALE_OUT: any(shown_in_vain(situation, load) is not None for load in waiting),
        Reason.WAITS_BESIDE_FREE_SLOTS: bool(situation.readings.beside_free_slots),
        Reason.OTHER_SCALER: situation.seen.target.other_scaler is not None,
        Reason.FOREIGN_CACHE: situation.memory.cache_foreign_since is not None,
        Reason.WORKERS_CRASH: situation.estimate.restarting > 0 or situation.seen.crashes >= CRASHES_TOLD,
        Reason.OVERRIDDEN: situation.memory.operator.override is not None,
        Reason.BOUNDS_INFEASIBLE: _infeasible(situation),
        Reason.ACTIVITIES_FILL_MEMORY: situation.need.activities_fill_memory,
        Reason.UNREAD_LOAD: any(load.unread for load in situation.estimate.loads),
        Reason.MEMORY_LIMIT_UNKNOWN: situation.estimate.memory.limit_bytes is None,
    }
    held = (reason for reason, holds in reasons.items() if holds)
    return (*failing_reasons(situation.seen), *held)
