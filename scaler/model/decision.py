"""What was decided and why. Pure and frozen; the workflow history keeps these as the audit log."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from scaler.model.common import Polled, Size, TaskType, TolerantEnum
from scaler.model.plan import Plan
from scaler.model.record import RolloutStep
from scaler.wire.columns import AsColumns


class Mode(TolerantEnum):
    """What the fleet is in, in one word; the earlier of two that hold is shown."""

    PAUSED = "paused"
    STOPPING = "stopping"
    EMERGENCY = "emergency"
    MEMORY_LIMIT_TOO_SMALL = "memory_limit_too_small"
    FOREIGN_HOLD = "foreign_hold"
    WORKERS_FAILING = "workers_failing"
    INFEASIBLE = "infeasible"
    OVERRIDE = "override"
    ROLLOUT = "rollout"
    HOLD_AFTER_CUT = "hold_after_cut"
    NO_SIGNAL = "no_signal"
    UNCONFIRMED = "unconfirmed"  # the newest plan was not echoed yet
    BLOCKED = "blocked"  # the target refuses this product, or could not be read
    LATE = "late"  # tasks wait longer than the objective
    STEADY = "steady"
    UNKNOWN = "unknown"


class Constraint(TolerantEnum):
    """What the worker count, or the cache size, is as high or as low as it is for."""

    ACTIVITY_LOAD = "activity_load"
    WORKFLOW_TASK_LOAD = "workflow_task_load"
    BACKLOG = "backlog"
    BUSY_SLOTS = "busy_slots"
    RUNNING_WORK = "running_work"  # tasks that may outlast the drain of their workers
    RESERVE = "reserve"
    SCHEDULE = "schedule"
    WORKERS_MIN = "workers_min"
    WORKERS_MAX = "workers_max"
    CONNECTIONS = "connections"
    HOLD_AFTER_CUT = "hold_after_cut"
    PROBE = "probe"  # one worker more is tried, since tasks wait beside free slots
    OBJECTIVE_MISSED = "objective_missed"  # a fresh reading shows tasks that wait too long
    SCALE_IN_WINDOW = "scale_in_window"
    STEP_LIMIT = "step_limit"
    MISSING_SIGNAL = "missing_signal"
    CRASHES = "crashes"
    EMBARGO = "embargo"  # the last such change did harm
    UNSCHEDULABLE = "unschedulable"
    ROLLOUT = "rollout"
    OVERRIDE = "override"
    FOREIGN_HAND = "foreign_hand"
    PAUSE = "pause"
    MEMORY = "memory"
    ACTIVITY_MEMORY = "activity_memory"  # what the activities of one worker take
    CACHE_MIN = "cache_min"
    CACHE_MAX = "cache_max"
    CACHE_TRUST = "cache_trust"
    REPLAY_COST = "replay_cost"
    FIXED = "fixed"
    NO_GAIN = "no_gain"
    UNCONFIRMED = "unconfirmed"  # the newest plan was not echoed yet
    STOPPING = "stopping"
    UNKNOWN = "unknown"


class Reason(TolerantEnum):
    """Everything that took part in a decision; operators filter on these."""

    SCALE_OUT_ACTIVITY = "scale_out_activity"
    SCALE_OUT_WORKFLOW_TASKS = "scale_out_workflow_tasks"
    SCALE_OUT_BACKLOG = "scale_out_backlog"
    SCALE_IN = "scale_in"
    CACHE_CUT = "cache_cut"
    CACHE_RAISED = "cache_raised"
    OOM_KILL = "oom_kill"
    MEMORY_BREACH = "memory_breach"
    AT_CACHE_FLOOR = "at_cache_floor"
    CACHE_FIXED = "cache_fixed"
    CACHE_TO_CUT_BY_HAND = "cache_to_cut_by_hand"
    ACTIVITIES_FILL_MEMORY = "activities_fill_memory"
    SCALE_OUT_MEMORY = "scale_out_memory"
    POISON_WORKFLOW = "poison_workflow"
    HOLD_AFTER_CUT = "hold_after_cut"
    HELD_BY_LEARNING = "held_by_learning"
    HELD_BY_FIRST_RATES = "held_by_first_rates"
    HELD_BY_WINDOW = "held_by_window"
    HELD_BY_MARGIN = "held_by_margin"
    HELD_BY_STEP = "held_by_step"
    HELD_BY_BUSY_WORKERS = "held_by_busy_workers"
    HELD_BY_RUNNING_WORK = "held_by_running_work"
    RUNNING_WORK_LOST = "running_work_lost"
    HELD_BY_MISSED_OBJECTIVE = "held_by_missed_objective"
    HELD_BY_ACTIVITY_MEMORY = "held_by_activity_memory"
    HELD_BY_MISSING_SIGNAL = "held_by_missing_signal"
    HELD_BY_ROLLOUT = "held_by_rollout"
    HELD_BY_CRASHES = "held_by_crashes"
    WORKERS_CRASH = "workers_crash"
    HELD_BY_EMBARGO = "held_by_embargo"
    WORKERS_NEVER_READY = "workers_never_ready"
    WORKERS_CRASHING = "workers_crashing"
    VERSION_TAKEN_BACK = "version_taken_back"
    UNREAD_LOAD = "unread_load"
    UNCONFIRMED_PLAN = "unconfirmed_plan"
    ALL_SIGNALS_GONE = "all_signals_gone"
    FOREIGN_COUNT = "foreign_count"
    FOREIGN_CACHE = "foreign_cache"
    FOREIGN_OWNER = "foreign_owner"
    OTHER_SCALER = "other_scaler"
    USER_DEPLOY = "user_deploy"
    ROLLED_BACK = "rolled_back"
    INEFFECTIVE_SCALE_OUT = "ineffective_scale_out"
    WAITS_BESIDE_FREE_SLOTS = "waits_beside_free_slots"
    RATE_LIMITED = "rate_limited"
    UNSCHEDULABLE = "unschedulable"
    BOUNDS_INFEASIBLE = "bounds_infeasible"
    MEMORY_LIMIT_UNKNOWN = "memory_limit_unknown"
    PAUSED = "paused"
    OVERRIDDEN = "overridden"
    STOPPING = "stopping"
    TARGET_FAILED = "target_failed"
    DECISION_FAILED = "decision_failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a size is expected to do. Latencies are schedule-to-start at the objective's percentile."""

    size: Size
    workflow_task_seconds: float | None = None
    activity_seconds: float | None = None
    memory_bytes: int | None = None  # of a worker whose caches are full
    miss_ratio: float | None = None  # share of workflow tasks that need a replay
    cost_per_hour: float | None = None
    utilisation: float | None = None  # of activity slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A size that was not chosen, and what spoke against it."""

    predicted: Prediction
    against: Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedQueue:
    """What readings show of one task queue and type, to be held against what is predicted.

    `wait_seconds` is the age of the oldest task that waits, or the objective's percentile of sampled waits where that
    is longer; None where nothing fresh tells.
    """

    queue: str
    task_type: TaskType
    backlog_tasks: int = 0
    wait_seconds: float | None = None
    late: bool = False
    beside_free_slots: bool = False  # tasks wait although slots for them are free


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The plan for the next tick, and everything that explains it."""

    at: datetime
    plan: Plan
    mode: Mode
    size: Size | None  # what the fleet should come to; the plan may be a step on the way
    workers_bound: Constraint
    cache_bound: Constraint
    workers_queue: Polled | None = None  # whose load asks for the workers, where a load does
    reasons: tuple[Reason, ...] = ()
    predicted: Prediction | None = None
    alternatives: tuple[Alternative, ...] = ()
    staying: int = 0  # workers whose tasks may outlast their drain
    observed: Annotated[tuple[ObservedQueue, ...], AsColumns(ObservedQueue)] = ()
    taking_nothing: tuple[str, ...] = ()  # workers that ran nothing while tasks waited beside their free slots


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSummary:
    """One line of the decision log that a fleet's state keeps."""

    at: datetime
    mode: Mode
    size: Size | None
    step: RolloutStep
    workers_bound: Constraint
    cache_bound: Constraint
    reasons: tuple[Reason, ...]
    repeated: int = 1  # how many ticks in a row decided the same

    @classmethod
    def of(cls, decision: Decision) -> "DecisionSummary":
        """The short form of a decision."""
        return cls(
            at=decision.at,
            mode=decision.mode,
            size=decision.size,
            step=decision.plan.step,
            workers_bound=decision.workers_bound,
            cache_bound=decision.cache_bound,
            reasons=decision.reasons,
        )

    def says_the_same_as(self, earlier: "DecisionSummary") -> bool:
        """Whether only the time differs."""
        return replace(self, at=earlier.at, repeated=earlier.repeated) == earlier
