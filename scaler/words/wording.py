"""A sentence for every mode, constraint and reason. Pure.

Braces name the facts of `scaler.words.explain`. What a later version adds has no sentence here and is shown by its
name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scaler.model.decision import Constraint, Mode, Reason

MODES: Final[Mapping[Mode, str]] = {
    Mode.PAUSED: "It is paused: no size changes, not even in an emergency",
    Mode.STOPPING: "It is being given up",
    Mode.EMERGENCY: "Memory is at its limit, and nothing waits for a cooldown",
    Mode.MEMORY_LIMIT_TOO_SMALL: "Not even the smallest cache fits the memory limit of {limit}",
    Mode.FOREIGN_HOLD: "Somebody else set the worker count; it is left alone until {hold_end}",
    Mode.WORKERS_FAILING: "Its workers end before they are ready: {failing}",
    Mode.INFEASIBLE: "Its bounds do not allow what it needs",
    Mode.OVERRIDE: "An operator set its size until {override_end}",
    Mode.ROLLOUT: "Workers are being replaced, so that all have the same cache size and version",
    Mode.HOLD_AFTER_CUT: "The cache was cut, and no worker goes until latency has stayed good for a while",
    Mode.NO_SIGNAL: "Nothing is known of its load, so its size is held",
    Mode.UNCONFIRMED: "The target has not confirmed the last change; nothing is taken away until it has",
    Mode.BLOCKED: "It can't be scaled: the target is not this fleet's, or gave no answer",
    Mode.LATE: "Tasks wait longer than the objective",
    Mode.STEADY: "It follows its load",
    Mode.UNKNOWN: "It is in a mode that only a later version knows",
}


@dataclass(frozen=True, slots=True)
class Because:
    """Why a number is what it is (`It has 4 workers because …`), and what would change it."""

    workers: str
    cache: str
    change: str


CONSTRAINTS: Final[Mapping[Constraint, Because]] = {
    Constraint.ACTIVITY_LOAD: Because(
        "its activities need so many to start within {activity} ({percentile} of them)",
        "that goes best with the activities it has to run",
        "more or longer activities bring more workers at once; fewer or shorter ones take workers away slowly",
    ),
    Constraint.WORKFLOW_TASK_LOAD: Because(
        "its workflow tasks need so many to start within {workflow_task} ({percentile} of them)",
        "its workflow tasks need so many to run side by side and start within {workflow_task}",
        "more or longer workflow tasks bring more workers at once; fewer or shorter ones take workers away slowly",
    ),
    Constraint.BACKLOG: Because(
        "tasks are waiting, and so many workers are to take the backlog away",
        "tasks are waiting, and a change of the cache would cost capacity now",
        "the backlog being worked off",
    ),
    Constraint.PROBE: Because(
        "tasks wait although slots are free, and one worker more is tried",
        "tasks wait, and a change of the cache would cost capacity now",
        "what the worker that is tried gets done, a minute after it serves",
    ),
    Constraint.BUSY_SLOTS: Because(
        "tasks occupy the slots of so many, head-room included",
        "tasks occupy the workers that a change would replace",
        "running tasks coming to their end",
    ),
    Constraint.RUNNING_WORK: Because(
        "{staying}",
        "{staying}, and none of them is replaced for a change that can wait",
        "those tasks coming to their end, or a longer behaviour.drain",
    ),
    Constraint.RESERVE: Because(
        "workers.reserve keeps {reserve} free above what the load needs",
        "the reserve of {reserve} workers holds the rest",
        "a smaller workers.reserve",
    ),
    Constraint.SCHEDULE: Because(
        "a window of the declared schedule asks for at least so many now",
        "a window of the declared schedule sets the workers that share it",
        "the end of the window",
    ),
    Constraint.WORKERS_MIN: Because(
        "the load needs no more than workers.min, which is {min}",
        "workers.min of {min} leaves room for so many on each",
        "a smaller workers.min, or more load",
    ),
    Constraint.WORKERS_MAX: Because(
        "workers.max allows no more than {max}",
        "workers.max of {max} means that each has to hold so many",
        "a larger workers.max",
    ),
    Constraint.CONNECTIONS: Because(
        "the downstream bears {connections} connections and each worker takes {per_worker}",
        "the downstream's {connections} connections bound the workers, so each has to hold so many",
        "a larger limits.connections",
    ),
    Constraint.HOLD_AFTER_CUT: Because(
        "the cache was cut, and no worker goes before latency has stayed inside the objective for a whole hold window",
        "tasks wait longer than the objective, and the cache is not cut further meanwhile",
        "a hold window with latency inside the objective",
    ),
    Constraint.OBJECTIVE_MISSED: Because(
        "tasks wait longer than the objective, and no worker is taken away while they do",
        "tasks wait longer than the objective, and a change would cost capacity",
        "tasks that start within the objective again",
    ),
    Constraint.SCALE_IN_WINDOW: Because(
        "so many were needed a moment ago, and scale-in follows the highest need of its window",
        "a change waits until the worker count has settled",
        "the scale-in window passing without more load",
    ),
    Constraint.STEP_LIMIT: Because(
        "the count moves in bounded steps; the next one follows",
        "it was changed a moment ago, and changes are kept apart",
        "nothing but time: the next step follows by itself",
    ),
    Constraint.MISSING_SIGNAL: Because(
        "something that taking a worker away rests on is not known, and missing is not zero",
        "something that a change rests on is not known, and missing is not zero",
        "the missing signals coming back",
    ),
    Constraint.CRASHES: Because(
        "workers crash, and that is lost capacity, not less load",
        "workers crash, and nothing else is changed meanwhile",
        "the workers running without crashes",
    ),
    Constraint.EMBARGO: Because(
        "taking workers away did harm a while ago, and is not tried again so soon",
        "the last such change is still being judged, or did harm",
        "time: the same is tried again later",
    ),
    Constraint.UNSCHEDULABLE: Because(
        "workers can't be placed, and asking for more would not help",
        "workers can't be placed, and none is replaced meanwhile",
        "room for more workers where they run",
    ),
    Constraint.ROLLOUT: Because(
        "workers are being replaced, and none is taken away meanwhile",
        "a change is still being rolled out, or taken back",
        "the end of the rollout",
    ),
    Constraint.OVERRIDE: Because(
        "an operator set it until {override_end}: {override_reason}",
        "an operator set it until {override_end}: {override_reason}",
        "the end of the override, or temporal-scaler override {name} --clear",
    ),
    Constraint.FOREIGN_HAND: Because(
        "somebody else set it, and their hand is respected until {hold_end}",
        "somebody else set it, and their hand is respected",
        "temporal-scaler resume {name}, or the end of the hold",
    ),
    Constraint.PAUSE: Because(
        "the fleet is paused until {pause_end}: {pause_reason}",
        "the fleet is paused until {pause_end}: {pause_reason}",
        "temporal-scaler resume {name}",
    ),
    Constraint.MEMORY: Because(
        "the cache that memory allows needs so many workers beside it",
        "more would not fit: a worker may use {limit}, and {headroom} of it stays free",
        "a higher memory limit, or workflows that take less memory",
    ),
    Constraint.ACTIVITY_MEMORY: Because(
        "with fewer workers each would run more activities than its memory holds: {activity_memory}",
        "memory is taken by activities, {activity_memory}, and a smaller cache would not make room for them",
        "fewer activity slots for each worker, a higher memory limit, or activities that take less",
    ),
    Constraint.CACHE_MIN: Because(
        "with the smallest cache that is allowed, {cache_min}, so many are needed",
        "it is the smallest that is allowed, cache.min",
        "a smaller cache.min (10 is the floor), or more memory",
    ),
    Constraint.CACHE_MAX: Because(
        "with the largest cache that is allowed, {cache_max}, so many are needed",
        "it is the largest that is allowed, cache.max",
        "a larger cache.max",
    ),
    Constraint.CACHE_TRUST: Because(
        "the cache may not grow yet, and so many are needed beside it",
        "no fuller cache was ever seen, and it grows only step by step from what was measured",
        "caches that fill up, so that memory is measured with more in them",
    ),
    Constraint.REPLAY_COST: Because(
        "fewer workers would cache fewer workflows, and replaying those would cost more",
        "a smaller one would replay more than it saves, and a larger one would save too little",
        "dearer or cheaper replays, or workers.price",
    ),
    Constraint.FIXED: Because(
        "it is fixed by the declaration",
        "{fixed}",
        "the declaration of the fleet",
    ),
    Constraint.NO_GAIN: Because(
        "more workers do not help: what they would do is limited elsewhere",
        "a change now would not pay: it was changed lately, or tasks are late",
        "a limit elsewhere being lifted, or time",
    ),
    Constraint.UNCONFIRMED: Because(
        "the target has not confirmed the last change, and nothing is taken away until it has",
        "the target has not confirmed the last change, and nothing else is changed until it has",
        "the target's answer, within a few seconds",
    ),
    Constraint.STOPPING: Because(
        "the fleet is being given up",
        "the fleet is being given up",
        "nothing: a fleet that was given up has to be applied again",
    ),
    Constraint.UNKNOWN: Because(
        "of what is said above",
        "of what is said above",
        "the end of what is said above",
    ),
}

REASONS: Final[Mapping[Reason, str]] = {
    Reason.SCALE_OUT_ACTIVITY: "workers were added for activities",
    Reason.SCALE_OUT_WORKFLOW_TASKS: "workers were added for workflow tasks",
    Reason.SCALE_OUT_BACKLOG: "workers were added because tasks are waiting",
    Reason.SCALE_IN: "workers are taken away",
    Reason.SCALE_OUT_MEMORY: "workers were added so that each has fewer activities in its memory",
    Reason.CACHE_CUT: "the cache is cut",
    Reason.CACHE_RAISED: "the cache is raised",
    Reason.OOM_KILL: "a worker was killed for its memory",
    Reason.MEMORY_BREACH: "a worker is about to be killed for its memory",
    Reason.AT_CACHE_FLOOR: "the cache is as small as it may be and is not cut further; give the workers more memory",
    Reason.CACHE_FIXED: "the cache can't be set: the fleet declares it fixed, or its workers do not follow it",
    Reason.CACHE_TO_CUT_BY_HAND: (
        "memory asks for a smaller cache, which can't be set from here: give the workers a smaller one where they "
        "start, or more memory"
    ),
    Reason.ACTIVITIES_FILL_MEMORY: (
        "activities fill the memory, not the cache ({activity_memory}); give the workers fewer slots or more memory"
    ),
    Reason.POISON_WORKFLOW: "the same workflow was running at several kills; look at it, no size helps against it",
    Reason.HOLD_AFTER_CUT: "no worker goes yet, because the cache was cut",
    Reason.HELD_BY_LEARNING: "no worker goes before the load was watched for a while",
    Reason.HELD_BY_FIRST_RATES: "first rates overstate a load: for half a minute only tasks that wait add workers",
    Reason.HELD_BY_WINDOW: "fewer would do now, but more were needed a moment ago",
    Reason.HELD_BY_MARGIN: "the load moves within the margin that is kept above it",
    Reason.HELD_BY_STEP: "the step is bounded; the rest follows",
    Reason.HELD_BY_BUSY_WORKERS: "fewer would do by the load, but the workers are busy",
    Reason.HELD_BY_MISSED_OBJECTIVE: "no worker goes while tasks wait longer than the objective",
    Reason.HELD_BY_ACTIVITY_MEMORY: "no worker goes whose activities would not fit the memory of the others",
    Reason.HELD_BY_RUNNING_WORK: "{staying}; raise behaviour.drain or wait",
    Reason.RUNNING_WORK_LOST: "workers go although what they run may outlast their drain of {drain}: it is lost then",
    Reason.HELD_BY_MISSING_SIGNAL: "no worker goes while signals are missing",
    Reason.HELD_BY_ROLLOUT: "no worker goes while others are being replaced",
    Reason.HELD_BY_CRASHES: "no worker goes while workers crash: that is lost capacity, not less load",
    Reason.WORKERS_CRASH: "workers crash and are started anew; no count or cache mends that, their logs say why",
    Reason.HELD_BY_EMBARGO: "no worker goes, since that did harm a while ago",
    Reason.WORKERS_NEVER_READY: (
        "no worker of this version was ever ready, so that more of them would not help: {failing}"
    ),
    Reason.VERSION_TAKEN_BACK: (
        "no worker of the new version was ever ready, so that the one before is started again: {failing}"
    ),
    Reason.WORKERS_CRASHING: "a worker ends again and again: {failing}",
    Reason.UNREAD_LOAD: "the load was not read for a while and may be as high as it was of late",
    Reason.UNCONFIRMED_PLAN: "the target has not confirmed the last change",
    Reason.ALL_SIGNALS_GONE: "no signal of the load is left",
    Reason.FOREIGN_COUNT: "somebody else set the worker count",
    Reason.FOREIGN_CACHE: (
        "somebody else set the cache size on the target; it is put back once, and left to them if it happens again "
        "within an hour"
    ),
    Reason.FOREIGN_OWNER: "the target belongs to another fleet's workflow, or to none",
    Reason.OTHER_SCALER: "another autoscaler moves the same target; remove one of the two",
    Reason.USER_DEPLOY: "the workers were deployed anew",
    Reason.ROLLED_BACK: "a change that made things worse is taken back",
    Reason.INEFFECTIVE_SCALE_OUT: (
        "workers that were added did not help the tasks that wait, so no more are; one is tried again after a while"
    ),
    Reason.WAITS_BESIDE_FREE_SLOTS: (
        "tasks wait although workers have free slots: the tasks may be for another task queue or version than these "
        "workers poll, a limit on the workers or the server may hold them back, or the workers' pollers may be gone; "
        "one worker is added to see whether it helps"
    ),
    Reason.RATE_LIMITED: "a task queue is rate-limited, so more workers do not help",
    Reason.UNSCHEDULABLE: "workers can't be placed, so no more are asked for",
    Reason.BOUNDS_INFEASIBLE: "the declared bounds can't all hold",
    Reason.MEMORY_LIMIT_UNKNOWN: "no memory limit is known, so the cache is left as it is; declare memory.limit",
    Reason.PAUSED: "an operator paused the fleet",
    Reason.OVERRIDDEN: "an operator set the size",
    Reason.STOPPING: "an operator gave the fleet up",
    Reason.TARGET_FAILED: "the target could not be read or changed",
    Reason.DECISION_FAILED: "the decision itself failed, so everything is held; please report this defect",
    Reason.UNKNOWN: "a reason that only a later version knows",
}

AGAINST: Final[Mapping[Constraint, str]] = {
    Constraint.ACTIVITY_LOAD: "activities would wait too long",
    Constraint.WORKFLOW_TASK_LOAD: "workflow tasks would wait too long",
    Constraint.BACKLOG: "the backlog would stay too long",
    Constraint.PROBE: "one worker more is to be tried",
    Constraint.BUSY_SLOTS: "busy workers would have to go",
    Constraint.RUNNING_WORK: "what the workers run would be lost",
    Constraint.RESERVE: "the declared reserve would be missing",
    Constraint.SCHEDULE: "the declared schedule asks for more",
    Constraint.WORKERS_MIN: "it is below workers.min",
    Constraint.WORKERS_MAX: "it is above workers.max",
    Constraint.CONNECTIONS: "the downstream bears fewer connections",
    Constraint.HOLD_AFTER_CUT: "no worker goes so soon after a cache cut",
    Constraint.OBJECTIVE_MISSED: "tasks wait longer than the objective",
    Constraint.SCALE_IN_WINDOW: "more were needed a moment ago",
    Constraint.STEP_LIMIT: "it is too far for one step",
    Constraint.MISSING_SIGNAL: "too little is known",
    Constraint.CRASHES: "workers crash",
    Constraint.EMBARGO: "such a change did harm a while ago",
    Constraint.UNSCHEDULABLE: "workers can't be placed",
    Constraint.ROLLOUT: "a rollout is under way",
    Constraint.OVERRIDE: "an operator set another size",
    Constraint.FOREIGN_HAND: "somebody else set another size",
    Constraint.PAUSE: "the fleet is paused",
    Constraint.MEMORY: "it would not fit the memory limit",
    Constraint.ACTIVITY_MEMORY: "the activities of each worker would not fit its memory",
    Constraint.CACHE_MIN: "it is below cache.min",
    Constraint.CACHE_MAX: "it is above cache.max",
    Constraint.CACHE_TRUST: "no cache that full was ever measured",
    Constraint.REPLAY_COST: "it would cost more, replays included",
    Constraint.FIXED: "the declaration fixes another",
    Constraint.NO_GAIN: "it would gain nothing",
    Constraint.UNCONFIRMED: "the target has not confirmed the last change",
    Constraint.STOPPING: "the fleet is being given up",
    Constraint.UNKNOWN: "for a reason that only a later version knows",
}
