"""The rules that must never break.

Each holds in plausible fleets in which just what it is about goes wrong, and all of them hold over whatever an outside
may tell: missing, stale, contradictory and absurd values, several ticks in a row.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from scaler.decide import decide
from scaler.fleet import CACHE_FLOOR, Fleet
from scaler.learn.freshness import HEARTBEAT, HISTORIES, QUEUE_STATISTICS, TARGET, WORKER_MEMORY
from scaler.model.common import Polled, Quality, Size, TaskType
from scaler.model.decision import Mode, Reason
from scaler.model.observation import ReplaySeen, WorkerState
from scaler.model.plan import LONGEST_TICK
from scaler.model.record import RolloutStep
from scaler.model.remembered import Change, Embargo, Operator, Override, Pause, Remembered, ScaleOut, Stop, Trial
from scaler.rules.count import SCALE_IN_FRACTION
from scaler.rules.hold_after_cut import HOLD_WINDOW
from scaler.rules.situation import EMERGENCY_FRACTION
from tests.support import plausible
from tests.support.plausible import SERVICE_SECONDS, TICK, Life, Step, lives
from tests.support.strategies import LIMIT_BYTES, NOW, declared, fleets, observations

MEMORY_BYTES = 4 * 1024
MEMORY_JSON = TypeAdapter(Remembered)


def ceiling(fleet: Fleet) -> int:
    limits = fleet.limits
    by_connections = limits.connections // limits.per_worker if limits is not None else fleet.workers.max
    return min(fleet.workers.max, by_connections)


def kept(step: Step) -> int:
    """The count that is not to be cut; what stands above the bounds comes down to them all the same."""
    return min(step.current.workers, ceiling(step.fleet))


def foreign(step: Step) -> bool:
    """Whether somebody else's hand is what decided: its count may stand outside every other rule."""
    return not {Reason.FOREIGN_COUNT, Reason.OTHER_SCALER, Reason.USER_DEPLOY}.isdisjoint(step.decision.reasons)


def sized(step: Step) -> bool:
    """Whether the decision sets a size of its own: no look, no stop, nobody else's hand."""
    return step.decision.plan.size is not None and step.before.operator.stop is None and not foreign(step)


def cuts_cache(step: Step) -> bool:
    now, before = step.wanted.cache, step.current.cache
    return now is not None and before is not None and now < before


def never_cut_cache_and_workers_in_the_same_step(step: Step) -> None:
    if cuts_cache(step) and sized(step):
        assert step.wanted.workers >= kept(step)


def after_a_cut_workers_are_held(step: Step) -> None:
    record = step.seen.applied.record or step.seen.found
    if record is not None and record.cut is not None and sized(step) and step.now - record.cut.at < HOLD_WINDOW:
        assert step.wanted.workers >= min(record.cut.workers, kept(step))


def predicted_memory_stays_under_the_limit(step: Step) -> None:
    predicted, limit = step.decision.predicted, step.seen.target.memory_limit_bytes
    before, after = step.current.cache, step.wanted.cache
    grows = after is not None and before is not None and after > before
    excused = Reason.ROLLED_BACK in step.decision.reasons or step.decision.mode is Mode.MEMORY_LIMIT_TOO_SMALL
    if not grows or limit is None or excused or after == CACHE_FLOOR:
        return
    assert predicted is not None
    assert predicted.memory_bytes is not None
    assert predicted.size.cache is not None
    assert after is not None
    overridden = step.before.operator.override is not None
    assert after <= predicted.size.cache or overridden
    if overridden and step.wanted.workers > predicted.size.workers:
        return  # each of more workers runs fewer activities, and has room for a larger cache
    assert predicted.memory_bytes <= limit * (1 - step.fleet.memory.headroom) + 1


def an_emergency_acts_at_once(step: Step) -> None:
    cache, seen = step.current.cache, step.seen
    limit = seen.target.memory_limit_bytes
    full = limit is not None and any(
        (worker.memory_bytes or 0) >= EMERGENCY_FRACTION * limit
        and worker.state is not WorkerState.DRAINING
        and (worker.cache is None or cache is None or worker.cache <= cache)
        for worker in seen.workers
    )
    if not full or not sized(step) or step.before.unechoed is not None or not step.fleet.decides_cache:
        return
    if cache is None or step.after.overfull >= 2:
        return
    assert step.decision.mode is Mode.EMERGENCY
    relieved = Reason.ACTIVITIES_FILL_MEMORY in step.decision.reasons and step.decision.plan.replace
    if not seen.suspects and not relieved:
        assert cuts_cache(step) or cache <= step.fleet.cache.min
    assert step.wanted.workers >= kept(step)


def crashes_are_lost_capacity_not_demand(step: Step) -> None:
    """The same load asks for the same workers, and no worker goes, however many more wait for a restart."""
    more = tuple(
        replace(total, workers=total.workers + 3, restarting=total.restarting + 3) for total in step.seen.totals
    )
    decision, _ = decide(replace(step.seen, totals=more), step.fleet, step.before, step.now)

    if decision.predicted is not None and step.decision.predicted is not None:
        assert decision.predicted.size.workers == step.decision.predicted.size.workers
    if more and decision.plan.size is not None and sized(step):
        assert decision.plan.size.workers >= kept(step)


def missing_is_not_zero(step: Step) -> None:
    if not sized(step) or step.before.operator.override is not None or all_fresh(step):
        return
    assert step.wanted.workers >= kept(step)
    if step.current.cache is not None and step.wanted.cache is not None:
        assert step.wanted.cache <= step.current.cache or Reason.ROLLED_BACK in step.decision.reasons


def busy_workers_are_not_idle_workers(step: Step) -> None:
    beating = sum(total.beating for total in step.seen.totals)
    slots = sum(total.activity_slots for total in step.seen.totals)
    busy = sum(total.activity_slots_used for total in step.seen.totals)
    if sized(step) and step.fleet.polls(TaskType.ACTIVITY) and beating and slots >= beating:
        free_enough = step.wanted.workers * (slots // beating) >= busy
        assert free_enough or step.wanted.workers >= kept(step)


def scale_in_takes_small_steps(step: Step) -> None:
    removed = kept(step) - step.wanted.workers
    if sized(step) and step.before.operator == Operator():
        assert removed <= max(1, int(SCALE_IN_FRACTION * step.current.workers))


def a_rollout_is_not_a_measurement(step: Step) -> None:
    cache = step.current.cache
    live = [worker for worker in step.seen.workers if worker.state is not WorkerState.DRAINING]
    mixed = cache is not None and any(worker.cache not in (None, cache) for worker in live)
    if not mixed or not sized(step):
        return
    assert step.wanted.workers >= kept(step)
    forced = step.decision.mode is Mode.EMERGENCY or Reason.ROLLED_BACK in step.decision.reasons
    assert step.wanted.cache == cache or forced


def someone_elses_hand_is_respected(step: Step) -> None:
    record, desired = step.seen.applied.record or step.seen.found, step.seen.target.desired
    if record is None or record.intended is None or desired is None or step.decision.plan.size is None:
        return
    ours = {record.intended.workers, (record.previous or record.intended).workers}
    if desired not in ours and step.before.operator.stop is None:
        assert step.wanted.workers == desired


def bounds_always_hold(step: Step) -> None:
    if not sized(step) or step.before.unechoed is not None:
        return
    assert min(step.fleet.workers.min, ceiling(step.fleet)) <= step.wanted.workers <= ceiling(step.fleet)
    cache = step.wanted.cache
    assert cache is None or cache >= CACHE_FLOOR or cache == step.current.cache


def seen_outranks_predicted(step: Step) -> None:
    """No worker goes while the oldest task of a queue is seen to have waited longer than the objective.

    Those that a trial showed to bring each such queue nothing may go.
    """
    override = step.before.operator.override
    late = [
        queue
        for queue in step.seen.queues
        if QUEUE_STATISTICS.quality(queue, step.now) is Quality.FRESH
        and step.fleet.polls(queue.task_type)
        and (queue.backlog_age_seconds or 0.0) > step.fleet.objective_seconds(queue.task_type)
    ]
    if not late or not sized(step) or (override is not None and override.workers is not None):
        return
    in_vain = {Polled.of(each): each.helped_by for each in step.after.scale_outs if each.in_vain_until}
    helped_by = [in_vain.get(Polled.of(queue)) for queue in late]
    floors = [kept(step) if count is None else min(count, kept(step)) for count in helped_by]
    assert step.wanted.workers >= max(floors)


def pause_changes_no_size(step: Step) -> None:
    if step.before.operator.pause is not None:
        assert step.decision.plan.size is None
        assert step.decision.mode is Mode.PAUSED


def an_unconfirmed_plan_is_only_built_on_upwards(step: Step) -> None:
    plan, unechoed = step.decision.plan, step.before.unechoed
    if unechoed is not None and plan.size is not None:
        assert plan.size.cache is None
        assert plan.size.workers >= max(unechoed.workers, step.current.workers)
        assert plan.step is RolloutStep.NONE


def memory_stays_small_and_ticks_end(step: Step) -> None:
    written = MEMORY_JSON.dump_json(step.after)

    assert step.now <= step.decision.plan.until <= step.now + LONGEST_TICK
    assert len(written) <= MEMORY_BYTES
    assert MEMORY_JSON.validate_json(written) == step.after


Rule = Callable[[Step], None]
RULES: tuple[Rule, ...] = (
    never_cut_cache_and_workers_in_the_same_step,
    after_a_cut_workers_are_held,
    predicted_memory_stays_under_the_limit,
    an_emergency_acts_at_once,
    crashes_are_lost_capacity_not_demand,
    missing_is_not_zero,
    busy_workers_are_not_idle_workers,
    scale_in_takes_small_steps,
    a_rollout_is_not_a_measurement,
    someone_elses_hand_is_respected,
    bounds_always_hold,
    seen_outranks_predicted,
    pause_changes_no_size,
    an_unconfirmed_plan_is_only_built_on_upwards,
    memory_stays_small_and_ticks_end,
)


def all_fresh(step: Step) -> bool:
    """Whether everything is known, found out without the product's own word for it."""
    seen, now = step.seen, step.now
    waited = (now - seen.observed_at).total_seconds()
    qualities = {QUEUE_STATISTICS.quality(queue, now) for queue in seen.queues if step.fleet.polls(queue.task_type)}
    ready = [worker for worker in seen.workers if worker.state is WorkerState.READY]
    if any(total.beating for total in seen.totals):
        qualities |= {HEARTBEAT.quality_at_age(worker.heartbeat_age_seconds) for worker in ready}
    else:  # histories tell what silent workers run
        told = {Polled.of(times): HISTORIES.quality(times, now) for times in seen.task_times}
        qualities |= {told.get(polled, Quality.MISSING) for polled in step.fleet.polled}
    qualities |= {
        WORKER_MEMORY.quality_at_age(None if worker.memory_age_seconds is None else worker.memory_age_seconds + waited)
        for worker in ready
    }
    qualities.add(TARGET.quality(seen.target, now))
    polled = {queue.task_type for queue in seen.queues}
    complete = all(task_type in polled for task_type in TYPES if step.fleet.polls(task_type))
    return complete and qualities == {Quality.FRESH}


TYPES = (TaskType.WORKFLOW, TaskType.ACTIVITY)


@st.composite
def anything(draw: st.DrawFn) -> list[Step]:
    """Decisions on whatever an outside may tell; each builds on the memory of the one before."""
    fleet, memory, now = draw(fleets), Remembered(), NOW
    taken: list[Step] = []
    for _ in range(draw(st.integers(1, 4))):
        seen = draw(observations())
        seen = replace(seen, observed_at=now - (NOW - seen.observed_at) / 20)
        memory = replace(memory, operator=draw(operators), unechoed=draw(st.sampled_from([None, None, Size(3, 50)])))
        decision, after = decide(seen, fleet, memory, now)
        taken.append(Told(seen, fleet, memory, now, decision, after))
        memory, now = after, now + TICK
    return taken


class Told(Step):
    """A step of which not even the record needs to make sense."""

    @property
    def current(self) -> Size:
        """The size that the target was set to, or has."""
        record = self.seen.applied.record or self.seen.found
        if record is not None and record.intended is not None:
            return record.intended
        return Size(self.seen.target.desired or 0, self.seen.target.cache)


operators = st.sampled_from(
    [
        *plausible.OPERATORS,
        Operator(pause=Pause(reason="test", since=NOW)),
        Operator(override=Override(reason="test", until=NOW + timedelta(hours=1), workers=1, cache=3000)),
        Operator(stop=Stop(drain=False)),
        Operator(stop=Stop(drain=True)),
    ]
)


@given(anything())
def test_every_rule_holds_whatever_is_told(taken: list[Step]) -> None:
    for step in taken:
        for rule in RULES:
            rule(step)


@given(lives())
def test_every_rule_holds_in_plausible_fleets(taken: list[Step]) -> None:
    for step in taken:
        for rule in RULES:
            rule(step)


def last_steps(*mishaps: plausible.Mishap) -> st.SearchStrategy[list[Step]]:
    return lives(*mishaps)


@given(st.sampled_from([plausible.full_worker, plausible.oom_kill]).flatmap(last_steps))
def test_never_cut_cache_and_workers_in_the_same_step(taken: list[Step]) -> None:
    for step in taken:
        never_cut_cache_and_workers_in_the_same_step(step)
        after_a_cut_workers_are_held(step)


def test_workers_are_held_after_a_cut_until_latency_was_good_for_a_whole_window() -> None:
    life = idle_life(workers=10, cache=200)
    life.tick(plausible.full_worker(life.observe(30.0, 0.5), life.now), Operator())
    cut_at = life.now
    assert life.size.cache is not None
    assert life.size.cache < 200

    held = []
    while life.now < cut_at + HOLD_WINDOW + timedelta(minutes=3):
        life.tick(life.observe(0.5, 0.1), Operator())
        held.append((life.now - cut_at, life.size.workers))

    assert all(workers >= 10 for age, workers in held if age < HOLD_WINDOW)
    assert held[-1][1] < 10


@given(lives())
def test_predicted_memory_stays_under_the_limit(taken: list[Step]) -> None:
    for step in taken:
        predicted_memory_stays_under_the_limit(step)


def test_a_cache_whose_memory_is_predicted_to_run_over_is_cut_before_it_does() -> None:
    life = idle_life(workers=4, cache=200, bytes_per_workflow=3 * 2**20)
    for fill in (0.1, 0.2, 0.3, 0.4):
        life.tick(life.observe(4.0, fill), Operator())

    assert life.size.cache is not None
    assert plausible.BASE_BYTES + life.size.cache * life.bytes_per_workflow <= 0.85 * LIMIT_BYTES
    assert Mode.EMERGENCY not in {step.decision.mode for step in life.steps}


@given(st.sampled_from([plausible.full_worker, plausible.oom_kill, plausible.poison]).flatmap(last_steps))
def test_an_emergency_acts_at_once(taken: list[Step]) -> None:
    for step in taken:
        an_emergency_acts_at_once(step)
    last = taken[-1]
    if sized(last) and last.seen.workers and last.before.operator == Operator():
        assert last.decision.mode is Mode.EMERGENCY


@given(lives(plausible.poison))
def test_a_poison_workflow_is_reported_and_never_answered_by_a_size(taken: list[Step]) -> None:
    last = taken[-1]
    if sized(last) and last.decision.mode is Mode.EMERGENCY:
        assert Reason.POISON_WORKFLOW in last.decision.reasons
        assert last.wanted.cache == last.current.cache


@given(st.sampled_from([plausible.restarting_worker, plausible.crash]).flatmap(last_steps))
def test_crashes_are_lost_capacity_not_demand(taken: list[Step]) -> None:
    for step in taken:
        crashes_are_lost_capacity_not_demand(step)
    if sized(taken[-1]):
        assert taken[-1].wanted.workers >= kept(taken[-1])


@given(
    st.sampled_from(
        [
            plausible.stale_queue,
            plausible.missing_queue,
            plausible.silent_worker,
            plausible.unbeaten_workers,
            plausible.unknown_memory,
            plausible.old_target,
        ]
    ).flatmap(last_steps)
)
def test_missing_is_not_zero(taken: list[Step]) -> None:
    for step in taken:
        missing_is_not_zero(step)


@pytest.mark.parametrize(("age_seconds", "scales_in"), [(40.0, False), (400.0, True)])
def test_workers_that_have_not_told_of_themselves_may_be_busy_unless_they_never_tell(
    age_seconds: float, *, scales_in: bool
) -> None:
    life = idle_life(workers=10, cache=200)
    life.tick(life.observe(30.0, 0.5), Operator())
    for _ in range(80):
        life.tick(plausible.unbeaten_workers(life.observe(0.5, 0.5), life.now, age_seconds), Operator())

    assert (life.size.workers < 10) == scales_in


@given(lives(plausible.busy_slots))
def test_busy_workers_are_not_idle_workers(taken: list[Step]) -> None:
    for step in taken:
        busy_workers_are_not_idle_workers(step)


@given(lives())
def test_scale_in_is_slow_scale_out_fast(taken: list[Step]) -> None:
    for step in taken:
        scale_in_takes_small_steps(step)


@given(st.integers(4, 20), st.integers(1, 60))
def test_scale_in_waits_until_a_whole_window_wanted_less(workers: int, quiet_ticks: int) -> None:
    window = timedelta(minutes=4)
    life = idle_life(workers=workers, cache=60, behaviour={"scale_in_window": "4m"})
    life.tick(life.observe(workers * plausible.SLOTS / SERVICE_SECONDS * 0.8, 0.5), Operator())
    predicted = life.steps[-1].decision.predicted
    assert predicted is not None
    busy_at, needed = life.now - TICK, predicted.size.workers
    for _ in range(quiet_ticks):
        life.tick(life.observe(0.1, 0.5), Operator())
        if life.steps[-1].now - busy_at <= window:
            assert life.size.workers >= min(needed, workers)
    if quiet_ticks * TICK > window + 3 * TICK:
        assert life.size.workers < needed


@given(st.sampled_from([plausible.mixed_caches, plausible.unfinished_rollout]).flatmap(last_steps))
def test_a_rollout_is_not_a_measurement(taken: list[Step]) -> None:
    for step in taken:
        a_rollout_is_not_a_measurement(step)
    last = taken[-1]
    if sized(last) and last.seen.workers:
        assert last.wanted.workers >= kept(last)


@pytest.mark.parametrize(
    ("change", "before", "expected"),
    [(Change.SCALE_IN, Size(9, 60), 9), (Change.CACHE_RAISE, Size(6, 40), 40)],
    ids=["workers come back", "the cache goes back"],
)
def test_a_change_that_made_things_worse_is_taken_back(change: Change, before: Size, expected: int) -> None:
    life = idle_life(workers=6, cache=60)
    life.memory = replace(
        life.memory,
        trial=Trial(
            change=change,
            at=NOW - timedelta(minutes=2),
            before=before,
            after=life.size,
            late_before=False,
            arrivals_before=1000.0,
            predicted_bytes=plausible.BASE_BYTES,
        ),
    )
    seen = life.observe(4.0, 0.5)
    late = tuple(replace(queue, backlog_tasks=3, backlog_age_seconds=1.5) for queue in seen.queues)
    life.tick(replace(seen, queues=late), Operator())

    step = life.steps[-1]
    assert Reason.ROLLED_BACK in step.decision.reasons
    assert expected in (step.wanted.workers, step.wanted.cache)
    assert [embargo.change for embargo in step.after.embargoes] == [change]


def test_a_change_that_did_harm_is_not_tried_again_at_once() -> None:
    life = idle_life(workers=8, cache=60)
    life.memory = replace(life.memory, embargoes=(Embargo(Change.SCALE_IN, NOW + timedelta(minutes=5)),))
    counts = []
    for _ in range(30):
        life.tick(life.observe(0.1, 0.1), Operator())
        counts.append((life.now, life.size.workers))

    assert all(workers == 8 for now, workers in counts if now < NOW + timedelta(minutes=5))
    assert counts[-1][1] < 8


@given(st.sampled_from([plausible.rate_limited, plausible.unschedulable]).flatmap(last_steps))
def test_more_workers_do_not_help(taken: list[Step]) -> None:
    last = taken[-1]
    for_workflow_tasks = Reason.SCALE_OUT_WORKFLOW_TASKS in last.decision.reasons and not last.seen.target.unschedulable
    excused = for_workflow_tasks or last.decision.mode is Mode.EMERGENCY
    if sized(last) and last.before.operator == Operator() and not excused:
        assert last.wanted.workers <= max(last.current.workers, last.fleet.workers.min)


def test_a_scale_out_that_brought_nothing_is_not_followed_by_another() -> None:
    life = idle_life(workers=4, cache=60)
    rate = 4 * plausible.SLOTS / SERVICE_SECONDS
    trial = ScaleOut(
        queue="agents",
        task_type=TaskType.ACTIVITY,
        at=NOW - timedelta(minutes=2),
        workers_before=2,
        done_before=rate,
        taken_before=2 * plausible.SLOTS,
    )
    life.memory = replace(life.memory, scale_outs=(trial,))
    saturated = life.observe(rate, 0.5)
    waiting = tuple(replace(queue, backlog_tasks=400, backlog_age_seconds=20.0) for queue in saturated.queues)
    life.tick(plausible.busy_slots(replace(saturated, queues=waiting), life.now), Operator())

    assert Reason.INEFFECTIVE_SCALE_OUT in life.steps[-1].decision.reasons
    assert life.size.workers == 4


@given(lives(plausible.foreign_count))
def test_someone_elses_hand_is_respected(taken: list[Step]) -> None:
    for step in taken:
        someone_elses_hand_is_respected(step)
    if taken[-1].decision.plan.size is not None:
        assert taken[-1].wanted.workers == taken[-1].seen.target.desired
        assert taken[-1].decision.mode in (Mode.FOREIGN_HOLD, Mode.EMERGENCY, Mode.MEMORY_LIMIT_TOO_SMALL)


def test_somebody_elses_count_is_held_until_resume() -> None:
    life = idle_life(workers=4, cache=60)
    life.tick(plausible.foreign_count(life.observe(0.5, 0.1), life.now), Operator())
    for _ in range(12):
        life.tick(life.observe(0.5, 0.1), Operator())
    assert life.size.workers == 9

    resumed = Operator(resumed_at=life.now)
    for _ in range(12):
        life.tick(life.observe(0.5, 0.1), resumed)
    assert life.size.workers < 9


@given(lives())
def test_bounds_always_hold(taken: list[Step]) -> None:
    for step in taken:
        bounds_always_hold(step)


def idle_life(workers: int, cache: int, bytes_per_workflow: int = 2**20, **changes: object) -> Life:
    """A fleet in which nothing is wrong."""
    return Life(
        fleet=declared(workers={"min": 1, "max": 30}, **changes),
        size=Size(workers, cache),
        bytes_per_workflow=bytes_per_workflow,
        replay=ReplaySeen(),
    )
