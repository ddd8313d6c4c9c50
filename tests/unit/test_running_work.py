"""No running work is lost: a worker is asked to leave only if what it runs ends within its drain."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaler.learn.learning import learn
from scaler.model.common import Size, TaskType
from scaler.model.decision import Constraint, Mode, Reason
from scaler.model.observation import Observation, ReplaySeen, UnderWay, WorkerSeen, WorkerState
from scaler.model.record import RolloutStep
from scaler.model.remembered import Operator, Override, Rollout, Stop
from scaler.rules.running_work import RunningWork
from scaler.state import State
from scaler.words.explain import explain
from tests.support import plausible
from tests.support.plausible import STAMPED, Life, Step, with_workers
from tests.support.strategies import NOW, declared

Rows = Callable[[int, WorkerSeen], WorkerSeen]
NOBODY = Operator()
UNKNOWN_LENGTH: dict[str, Any] = {"service_mean_seconds": None, "service_scv": None}


def _life(workers: int, **changes: object) -> Life:
    return Life(declared(workers={"min": 1, "max": 30}, **changes), Size(workers, 60), 2**18, ReplaySeen())


def _lived(life: Life, rows: Rows, operator: Operator = NOBODY, minutes: int = 30, **times: Any) -> Step:
    """Half an hour in which nothing arrives while workers run what they run."""
    for _ in range(4 * minutes):
        life.tick(_seen(life, rows, **times), operator)
    return life.steps[-1]


def _seen(life: Life, rows: Rows, **times: Any) -> Observation:
    seen = life.observe(0.0, 0.1)
    activities = [each for each in seen.task_times if each.task_type is TaskType.ACTIVITY]
    told = tuple(replace(each, **times) if each in activities else each for each in seen.task_times)
    workers = tuple(rows(index, replace(row, activities_per_second=0.0)) for index, row in enumerate(seen.workers))
    return with_workers(replace(seen, task_times=told), workers)


def _one_job_each(_: int, row: WorkerSeen) -> WorkerSeen:
    return replace(row, activity_slots_used=1)


def _one_job_on_the_first(count: int) -> Rows:
    return lambda index, row: replace(row, activity_slots_used=1 if index < count else 0)


def _choosing_nobody(seen: Observation) -> Observation:
    """A platform that takes away which workers it likes."""
    return replace(seen, target=replace(seen.target, chooses_victims=False))


def test_where_the_platform_chooses_who_leaves_all_stay_while_any_is_busy() -> None:
    """Four of five are idle, and any of the five may be the one that goes."""
    life = _life(5)
    for _ in range(120):
        life.tick(_choosing_nobody(_seen(life, _one_job_on_the_first(1), **UNKNOWN_LENGTH)), Operator())

    assert life.size.workers == 5
    assert life.steps[-1].decision.workers_bound is Constraint.RUNNING_WORK

    for _ in range(120):
        life.tick(_choosing_nobody(_seen(life, _one_job_on_the_first(0), **UNKNOWN_LENGTH)), Operator())
    assert life.size.workers == 1


def test_where_the_platform_chooses_short_tasks_hold_nobody() -> None:
    life = _life(5)
    short = {"service_mean_seconds": 0.5, "service_scv": 0.1, "longest_seconds": 1.0}
    for _ in range(120):
        life.tick(_choosing_nobody(_seen(life, _one_job_on_the_first(1), **short)), Operator())

    assert life.size.workers == 1


def test_of_a_fleet_too_large_for_a_row_each_nobody_leaves_by_the_platforms_choice_while_tasks_are_long() -> None:
    life = _life(5)
    seen = _choosing_nobody(_seen(life, _one_job_on_the_first(0), **UNKNOWN_LENGTH))
    more = tuple(replace(total, workers=total.workers + 3, ready=total.ready + 3) for total in seen.totals)
    estimate, _ = learn(replace(seen, totals=more), life.fleet, life.memory, life.now)

    assert RunningWork(replace(seen, totals=more), life.fleet, estimate, life.now).staying == 8
    assert RunningWork(seen, life.fleet, estimate, life.now).staying == 0


def test_what_a_bound_takes_away_by_the_platforms_choice_may_be_lost() -> None:
    life = _life(5)
    for _ in range(20):
        life.tick(_choosing_nobody(_seen(life, _one_job_on_the_first(1), **UNKNOWN_LENGTH)), Operator())
    life.fleet = declared(workers={"min": 1, "max": 3})

    life.tick(_choosing_nobody(_seen(life, _one_job_on_the_first(1), **UNKNOWN_LENGTH)), Operator())

    assert life.size.workers == 3
    assert Reason.RUNNING_WORK_LOST in life.steps[-1].decision.reasons


def test_workers_with_one_job_each_of_unknown_length_all_stay() -> None:
    """Their slots would fit on one worker; their jobs are where they are."""
    life = _life(5)

    step = _lived(life, _one_job_each, **UNKNOWN_LENGTH)

    assert life.size.workers == 5
    assert step.decision.workers_bound is Constraint.RUNNING_WORK
    assert Reason.HELD_BY_RUNNING_WORK in step.decision.reasons
    assert step.decision.staying == 5


def test_it_says_which_workers_it_waits_for_and_what_to_do() -> None:
    life = _life(5)
    step = _lived(life, _one_job_on_the_first(3), **UNKNOWN_LENGTH)
    known = State(fleet=life.fleet, generation=STAMPED, observation=step.seen)
    state = known.decided(step.decision, step.after)

    text = explain(state)

    assert "It has 3 workers because 3 workers may run tasks that outlast their drain of 1m." in text
    assert "- 3 workers may run tasks that outlast their drain of 1m; raise behaviour.drain or wait" in text


@pytest.mark.parametrize(
    ("drain", "times", "stay"),
    [
        ("1m", {"service_mean_seconds": 2.0, "service_scv": 1.0}, False),  # 2 s and four deviations are 10 s
        ("1m", {"service_mean_seconds": 20.0, "service_scv": 1.0}, True),  # 100 s
        ("3m", {"service_mean_seconds": 20.0, "service_scv": 1.0}, False),
        ("1m", {"service_mean_seconds": 2.0, "service_scv": 100.0}, True),  # one in many lasts minutes
        ("1m", {"service_mean_seconds": 2.0, "service_scv": 1.0, "longest_seconds": 61.0}, True),
        ("1m", {"service_mean_seconds": 2.0, "service_scv": 1.0, "longest_seconds": 59.0}, False),
        ("1m", {"service_mean_seconds": 2.0, "service_scv": 1.0, "under_way": UnderWay(1, 1800.0)}, True),
        ("1h", {"service_mean_seconds": 2.0, "service_scv": 1.0, "under_way": UnderWay(1, 1800.0)}, True),
    ],
)
def test_workers_stay_where_such_tasks_may_outlast_the_drain(drain: str, times: dict[str, Any], *, stay: bool) -> None:
    life = _life(5, behaviour={"drain": drain})

    _lived(life, _one_job_each, **times)

    assert life.size.workers == (5 if stay else 1)


def test_victims_are_those_that_do_not_serve_then_the_idle_then_the_least_busy() -> None:
    life = _life(6)
    used = {0: 3, 1: 0, 2: 1, 3: 0, 4: 2, 5: 2}

    def rows(index: int, row: WorkerSeen) -> WorkerSeen:
        state = WorkerState.RESTARTING if index == 3 else WorkerState.READY
        return replace(row, state=state, activity_slots_used=used[index])

    operator = Operator(override=Override(reason="test", until=NOW + timedelta(hours=1), workers=6))
    _lived(life, _one_job_each, operator, minutes=4)
    life.size = Size(6, 60)
    seen = _seen(life, rows)
    seen = replace(seen, target=replace(seen.target, desired=6))
    life.fleet = declared(workers={"min": 1, "max": 2})
    life.tick(seen, Operator())

    assert life.steps[-1].decision.plan.victims == ("w-3", "w-1", "w-2", "w-4")


def test_a_worker_that_is_busy_on_a_queue_that_the_fleet_does_not_declare_stays() -> None:
    life = _life(5)

    def rows(index: int, row: WorkerSeen) -> WorkerSeen:
        return replace(row, elsewhere_slots_used=1, elsewhere_tasks_per_second=0.0) if index == 0 else row

    _lived(life, rows)

    assert life.size.workers == 1
    assert all("w-0" not in step.decision.plan.victims for step in life.steps)


def test_a_worker_whose_tasks_on_other_queues_are_short_may_leave() -> None:
    life = _life(5)

    def rows(_: int, row: WorkerSeen) -> WorkerSeen:
        return replace(row, elsewhere_slots_used=2, elsewhere_tasks_per_second=1.0)

    _lived(life, rows)

    assert life.size.workers == 1


def test_workers_that_say_nothing_stay_while_nothing_tells_what_they_run() -> None:
    life = _life(6)

    for _ in range(120):
        silent = plausible.unbeaten_workers(_seen(life, lambda _, row: row, under_way=None), life.now, 4000.0)
        life.tick(silent, Operator())

    assert life.size.workers == 6
    assert life.steps[-1].decision.workers_bound is Constraint.RUNNING_WORK


@pytest.mark.parametrize(
    ("under_way", "workers"),
    [(UnderWay(0, 0.0), 1), (UnderWay(3, 5.0), 1), (UnderWay(3, 20.0), 6)],
)
def test_workers_that_say_nothing_go_once_histories_prove_them_idle_or_their_tasks_short(
    under_way: UnderWay, workers: int
) -> None:
    life = _life(6)

    for _ in range(120):
        seen = _seen(life, lambda _, row: row, under_way=under_way)
        life.tick(plausible.unbeaten_workers(seen, life.now, 4000.0), Operator())

    assert life.size.workers == workers


def test_a_worker_that_was_idle_a_minute_ago_has_begun_a_long_task_since_where_many_arrive() -> None:
    """One every two seconds on five workers: each has begun six in the minute since it last told of itself."""
    life = _life(5)
    for _ in range(80):
        seen = life.observe(0.5, 0.1)
        told: dict[str, Any] = {"activity_slots_used": 0, "activities_per_second": None, "heartbeat_age_seconds": 55.0}
        idle = tuple(replace(row, **told) for row in seen.workers)
        times = tuple(replace(each, **UNKNOWN_LENGTH) for each in seen.task_times)
        life.tick(with_workers(replace(seen, task_times=times), idle), Operator())

    assert life.size.workers == 5


def test_an_override_waits_for_running_work() -> None:
    life = _life(5)
    operator = Operator(override=Override(reason="save", until=NOW + timedelta(hours=9), workers=1))

    step = _lived(life, _one_job_on_the_first(3), operator, **UNKNOWN_LENGTH)
    assert life.size.workers == 3
    assert step.decision.workers_bound is Constraint.RUNNING_WORK

    _lived(life, _one_job_on_the_first(0), operator, **UNKNOWN_LENGTH)
    assert life.size.workers == 1


def test_a_stop_that_drains_waits_for_running_work_and_ends_with_it() -> None:
    life = _life(5)
    operator = Operator(stop=Stop(drain=True))

    step = _lived(life, _one_job_on_the_first(2), operator, **UNKNOWN_LENGTH)
    assert life.size.workers == 2
    assert step.decision.mode is Mode.STOPPING
    assert Reason.HELD_BY_RUNNING_WORK in step.decision.reasons

    _lived(life, _one_job_on_the_first(0), operator, **UNKNOWN_LENGTH)
    assert life.size.workers == 0


def test_a_lowered_maximum_outranks_running_work_and_says_what_it_costs() -> None:
    life = _life(5)
    _lived(life, _one_job_each, **UNKNOWN_LENGTH)
    life.fleet = declared(workers={"min": 1, "max": 3})

    life.tick(_seen(life, _one_job_each, **UNKNOWN_LENGTH), Operator())

    assert life.size.workers == 3
    assert Reason.RUNNING_WORK_LOST in life.steps[-1].decision.reasons


def test_a_rollout_that_nothing_forces_replaces_idle_workers_only() -> None:
    life = _life(6)

    def rows(index: int, row: WorkerSeen) -> WorkerSeen:
        old = 40 if index < 4 else 60
        return replace(row, cache=old, activity_slots_used=1 if index < 3 else 0)

    life.tick(_seen(life, rows, **UNKNOWN_LENGTH), Operator())
    plan = life.steps[-1].decision.plan
    assert plan.step is RolloutStep.REPLACE
    assert plan.replace == ("w-3",)


def test_a_rollout_that_waits_for_running_work_says_so() -> None:
    life = _life(6)

    def rows(index: int, row: WorkerSeen) -> WorkerSeen:
        return replace(row, cache=40 if index < 3 else 60, activity_slots_used=1)

    life.tick(_seen(life, rows, **UNKNOWN_LENGTH), Operator())

    assert life.steps[-1].decision.plan.replace == ()
    assert Reason.HELD_BY_RUNNING_WORK in life.steps[-1].decision.reasons


def _of_six_with_two_borrowed(seen: Observation, step: RolloutStep, cache_before: int) -> Observation:
    """The target is set to six workers with a cache of 60, and a rollout at this step has borrowed two more."""
    assert seen.found is not None
    record = replace(seen.found, intended=Size(6, 60), previous=Size(6, cache_before), step=step, surge=2)
    seen = replace(seen, found=record, applied=replace(seen.applied, record=record))
    return replace(seen, target=replace(seen.target, desired=6))


def test_a_rollout_takes_no_busy_worker_away_while_its_surge_stands_and_does_not_say_so() -> None:
    """The size is six and eight serve: the two that are too many stay until the old ones are replaced."""
    life = _life(8)

    def rows(index: int, row: WorkerSeen) -> WorkerSeen:
        return replace(row, cache=40 if index < 6 else 60, activity_slots_used=1)

    seen = _seen(life, rows, **UNKNOWN_LENGTH)
    life.tick(_of_six_with_two_borrowed(seen, RolloutStep.REPLACE, cache_before=40), Operator())

    decision = life.steps[-1].decision
    assert (decision.plan.size, decision.plan.surge, decision.plan.victims) == (Size(6, 60), 2, ())
    assert Reason.RUNNING_WORK_LOST not in decision.reasons
    assert Reason.HELD_BY_RUNNING_WORK in decision.reasons


def test_an_emergency_outranks_running_work_and_says_what_it_costs() -> None:
    life = _life(4)
    _lived(life, _one_job_each, minutes=2, **UNKNOWN_LENGTH)

    life.tick(plausible.full_worker(_seen(life, _one_job_each, **UNKNOWN_LENGTH), life.now), Operator())

    decision = life.steps[-1].decision
    assert decision.mode is Mode.EMERGENCY
    assert "w-0" in decision.plan.replace
    assert Reason.RUNNING_WORK_LOST in decision.reasons


def test_workers_of_a_surge_that_are_busy_stay_and_count_from_then_on() -> None:
    life = _life(8)
    _lived(life, _one_job_each, minutes=1, **UNKNOWN_LENGTH)
    life.size = Size(8, 60)
    seen = _seen(life, _one_job_each, **UNKNOWN_LENGTH)
    life.tick(_of_six_with_two_borrowed(seen, RolloutStep.CONFIRM, cache_before=60), Operator())

    decision = life.steps[-1].decision
    assert (decision.plan.step, decision.plan.surge) == (RolloutStep.NONE, 0)
    assert decision.plan.size == Size(8, 60)
    assert decision.workers_bound is Constraint.RUNNING_WORK


def test_the_cache_is_not_changed_for_gain_while_that_would_replace_busy_workers() -> None:
    life = _life(5)
    _lived(life, _one_job_each, minutes=10, **UNKNOWN_LENGTH)

    assert {step.wanted.cache for step in life.steps} == {60}


def test_what_workers_that_say_nothing_have_begun_and_not_ended_occupies_slots() -> None:
    """Of a job of hours nothing has ended; the rate and length of those that have say nothing of it."""
    life = _life(6)
    seen = _seen(life, lambda _, row: row, under_way=UnderWay(21, 7000.0))

    life.tick(plausible.unbeaten_workers(seen, life.now, 4000.0), Operator())
    estimate, _ = learn(life.steps[-1].seen, life.fleet, life.memory, life.now)

    [load] = [each for each in estimate.loads if each.task_type is TaskType.ACTIVITY]
    assert (load.busy_slots, load.busy_known) == (21, True)


def test_few_samples_say_little_of_how_lengths_vary() -> None:
    """One job of three minutes ended; the next may take five."""
    life = _life(5, behaviour={"drain": "5m"})

    _lived(life, _one_job_each, samples=1, service_mean_seconds=180.0, service_scv=0.0)

    assert life.size.workers == 5


def test_a_cut_for_memory_that_nobody_breaches_yet_replaces_idle_workers_only() -> None:
    """A worker that fills up is an emergency, and goes then."""
    life = _life(6)

    def rows(index: int, row: WorkerSeen) -> WorkerSeen:
        return replace(row, cache=100 if index < 4 else 60, activity_slots_used=1 if index < 3 else 0)

    life.memory = replace(life.memory, rollout=Rollout(began=life.now, before=100, forced=True))
    life.tick(_seen(life, rows, **UNKNOWN_LENGTH), Operator())

    assert life.steps[-1].decision.plan.replace == ("w-3",)
