"""The twelve rules that must never break, over whatever an outside may tell, several ticks in a row."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from scaler import guard
from scaler.decision import decide
from scaler.fleet import CACHE_FLOOR, Fleet
from scaler.freshness import HEARTBEAT, QUEUE_STATISTICS
from scaler.model.common import Quality, Size, TaskType
from scaler.model.decision import Decision, Mode, Reason
from scaler.model.memory import Memory, Operator, Override, Pause, Stop
from scaler.model.observation import Observation, WorkerState
from scaler.model.plan import LONGEST_TICK
from scaler.model.record import RolloutStep
from scaler.situation import EMERGENCY_FRACTION, set_size
from tests.support.strategies import NOW, fleets, observations

MEMORY_BYTES = 4 * 1024
TICK = timedelta(seconds=15)


@dataclass(frozen=True)
class Step:
    """One decision with all that went into it."""

    seen: Observation
    fleet: Fleet
    before: Memory
    now: datetime
    decision: Decision
    after: Memory

    @property
    def current(self) -> Size:
        return set_size(self.seen)

    @property
    def wanted(self) -> Size:
        """The size that the plan sets; what stands if it only looks or leaves the cache."""
        size = self.decision.plan.size
        if size is None:
            return self.current
        return Size(size.workers, size.cache if size.cache is not None else self.current.cache)

    @property
    def acts(self) -> bool:
        return self.decision.plan.size is not None


operators = st.sampled_from(
    [
        Operator(),
        Operator(),
        Operator(),
        Operator(pause=Pause(reason="test", since=NOW)),
        Operator(override=Override(reason="test", until=NOW + timedelta(hours=1), workers=7)),
        Operator(override=Override(reason="test", until=NOW + timedelta(hours=1), workers=1, cache=3000)),
        Operator(stop=Stop(drain=False)),
        Operator(stop=Stop(drain=True)),
    ]
)


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Several ticks in a row: each builds on the memory of the one before, whatever is seen next."""
    fleet, memory, taken = draw(fleets), Memory(), []
    now = NOW
    for _ in range(draw(st.integers(1, 4))):
        seen = draw(observations())
        seen = replace(seen, observed_at=now - (NOW - seen.observed_at) / 20)
        memory = replace(memory, operator=draw(operators), unechoed=draw(st.none() | st.just(Size(3, 50))))
        decision, after = decide(seen, fleet, memory, now)
        taken.append(Step(seen, fleet, memory, now, decision, after))
        memory, now = after, now + TICK
    return taken


rules = settings(max_examples=150, deadline=None)


@rules
@given(steps())
def test_decide_never_fails_and_its_memory_stays_small(taken: list[Step]) -> None:
    for step in taken:
        assert step.now <= step.decision.plan.until <= step.now + LONGEST_TICK
        assert len(TypeAdapter(Memory).dump_json(step.after)) <= MEMORY_BYTES
        assert TypeAdapter(Memory).validate_json(TypeAdapter(Memory).dump_json(step.after)) == step.after


@rules
@given(steps())
def test_never_cut_cache_and_workers_in_the_same_step(taken: list[Step]) -> None:
    for step in taken:
        if step.current.cache is None or step.wanted.cache is None or step.wanted.cache >= step.current.cache:
            continue
        if Reason.FOREIGN_COUNT in step.decision.reasons or Reason.USER_DEPLOY in step.decision.reasons:
            continue  # adopted as it stands: nothing is taken away
        assert step.wanted.workers >= min(step.current.workers, ceiling(step.fleet))


@rules
@given(steps())
def test_after_a_cut_workers_are_held(taken: list[Step]) -> None:
    for step in taken:
        record = step.seen.applied.record or step.seen.found
        if record is None or record.cut is None or not step.acts or step.before.operator.stop is not None:
            continue
        if step.now - record.cut.at >= guard.HOLD_WINDOW or foreign(step):
            continue
        floor = min(record.cut.workers, step.current.workers, ceiling(step.fleet))
        assert step.wanted.workers >= floor


@rules
@given(steps())
def test_predicted_memory_stays_under_the_limit(taken: list[Step]) -> None:
    for step in taken:
        predicted, cache = step.decision.predicted, step.wanted.cache
        limit = step.seen.target.memory_limit_bytes
        grows = cache is not None and (step.current.cache is None or cache > step.current.cache)
        if not grows or limit is None or predicted is None or step.decision.mode is Mode.MEMORY_LIMIT_TOO_SMALL:
            continue
        if Reason.ROLLED_BACK in step.decision.reasons or cache == CACHE_FLOOR:
            continue
        assert predicted.memory_bytes is not None
        assert predicted.size.cache is not None
        assert cache is not None
        assert cache <= predicted.size.cache or step.before.operator.override is not None
        assert predicted.memory_bytes <= limit * (1 - step.fleet.memory.headroom) + 1


@rules
@given(steps())
def test_an_emergency_acts_at_once(taken: list[Step]) -> None:
    for step in taken:
        if not step.acts or step.before.operator.stop is not None or not breach(step) or step.seen.suspects:
            continue
        if step.before.unechoed is not None or not step.fleet.decides_cache or step.current.cache is None:
            continue
        if step.after.overfull >= 2:
            continue
        assert step.decision.mode is Mode.EMERGENCY
        assert step.wanted.cache is not None
        assert step.wanted.cache < step.current.cache or step.current.cache <= step.fleet.cache.min
        if not foreign(step):
            assert step.wanted.workers >= min(step.current.workers, ceiling(step.fleet))


@rules
@given(steps())
def test_crashes_are_lost_capacity_not_demand(taken: list[Step]) -> None:
    """The same load asks for the same workers, however many of them are waiting for a restart."""
    for step in taken:
        crashing = replace(
            step.seen,
            totals=tuple(
                replace(total, workers=total.workers + 3, restarting=total.restarting + 3) for total in step.seen.totals
            ),
        )
        decision, _ = decide(crashing, step.fleet, step.before, step.now)

        if decision.predicted is not None and step.decision.predicted is not None:
            assert decision.predicted.size.workers == step.decision.predicted.size.workers
        if decision.plan.size is not None and step.acts and not foreign(step) and not step.before.operator.stop:
            assert decision.plan.size.workers >= min(step.current.workers, ceiling(step.fleet))


@rules
@given(steps())
def test_missing_is_not_zero(taken: list[Step]) -> None:
    for step in taken:
        if not step.acts or step.before.operator.override or step.before.operator.stop or foreign(step):
            continue
        if all_fresh(step):
            continue
        assert step.wanted.workers >= min(step.current.workers, ceiling(step.fleet))
        if step.current.cache is not None and step.wanted.cache is not None:
            rolled_back = Reason.ROLLED_BACK in step.decision.reasons
            assert step.wanted.cache <= step.current.cache or rolled_back


@rules
@given(steps())
def test_busy_workers_are_not_idle_workers(taken: list[Step]) -> None:
    for step in taken:
        if not step.acts or foreign(step) or step.before.operator.stop or not step.fleet.polls(TaskType.ACTIVITY):
            continue
        if step.wanted.workers >= step.current.workers:
            continue
        busy = sum(total.activity_slots_used for total in step.seen.totals)
        beating = sum(total.beating for total in step.seen.totals)
        slots = sum(total.activity_slots for total in step.seen.totals)
        if beating and slots >= beating:
            assert step.wanted.workers * (slots // beating) >= min(busy, ceiling(step.fleet) * (slots // beating))


@rules
@given(steps())
def test_scale_in_is_slow_scale_out_fast(taken: list[Step]) -> None:
    highest: list[tuple[datetime, int]] = []
    for step in taken:
        predicted = step.decision.predicted
        if predicted is not None:
            highest.append((step.now, predicted.size.workers))
        if not step.acts or foreign(step) or step.before.operator != Operator():
            continue
        removed = step.current.workers - step.wanted.workers
        if removed > 0 and step.current.workers <= ceiling(step.fleet):
            assert removed <= max(1, int(guard.SCALE_IN_FRACTION * step.current.workers))
            window = [workers for at, workers in highest if step.now - at <= guard.SHORTEST_WINDOW]
            assert step.wanted.workers >= min(max(window), step.current.workers)


@rules
@given(steps())
def test_a_rollout_is_not_a_measurement(taken: list[Step]) -> None:
    for step in taken:
        if not step.acts or foreign(step) or step.before.operator.stop or step.current.cache is None:
            continue
        mixed = any(
            worker.cache not in (None, step.current.cache)
            for worker in step.seen.workers
            if worker.state is not WorkerState.DRAINING
        )
        if not mixed:
            continue
        assert step.wanted.workers >= min(step.current.workers, ceiling(step.fleet))
        changed = step.wanted.cache not in (None, step.current.cache)
        assert not changed or step.decision.mode is Mode.EMERGENCY or Reason.ROLLED_BACK in step.decision.reasons


@rules
@given(steps())
def test_someone_elses_hand_is_respected(taken: list[Step]) -> None:
    for step in taken:
        record, desired = step.seen.applied.record or step.seen.found, step.seen.target.desired
        if record is None or record.intended is None or desired is None or not step.acts or step.before.operator.stop:
            continue
        ours = {record.intended.workers, (record.previous or record.intended).workers}
        if desired not in ours:
            assert step.wanted.workers == desired


@rules
@given(steps())
def test_bounds_always_hold(taken: list[Step]) -> None:
    for step in taken:
        if not step.acts or foreign(step) or step.before.operator.stop is not None:
            continue
        assert step.wanted.workers <= ceiling(step.fleet) or step.before.unechoed is not None
        assert step.wanted.workers >= min(step.fleet.workers.min, ceiling(step.fleet)) or step.before.unechoed
        if step.decision.plan.size is not None and step.decision.plan.size.cache is not None:
            assert step.decision.plan.size.cache >= CACHE_FLOOR or step.current.cache == step.decision.plan.size.cache


@rules
@given(steps())
def test_pause_changes_no_size(taken: list[Step]) -> None:
    for step in taken:
        if step.before.operator.pause is not None:
            assert not step.acts
            assert step.decision.mode is Mode.PAUSED


@rules
@given(steps())
def test_an_unconfirmed_plan_is_only_built_on_upwards(taken: list[Step]) -> None:
    for step in taken:
        if step.before.unechoed is None or not step.acts:
            continue
        assert step.decision.plan.size is not None
        assert step.decision.plan.size.cache is None
        assert step.decision.plan.size.workers >= max(step.before.unechoed.workers, step.current.workers)
        assert step.decision.plan.step is RolloutStep.NONE


def ceiling(fleet: Fleet) -> int:
    limits = fleet.limits
    by_connections = limits.connections // limits.per_worker if limits is not None else fleet.workers.max
    return min(fleet.workers.max, by_connections)


def foreign(step: Step) -> bool:
    """Whether somebody else's hand is what decided: it may stand outside every other rule but memory's."""
    return Reason.FOREIGN_COUNT in step.decision.reasons or Reason.USER_DEPLOY in step.decision.reasons


def breach(step: Step) -> bool:
    limit = step.seen.target.memory_limit_bytes
    return limit is not None and any(
        (worker.memory_bytes or 0) >= EMERGENCY_FRACTION * limit
        and worker.state is not WorkerState.DRAINING
        and (worker.cache is None or step.current.cache is None or worker.cache <= step.current.cache)
        for worker in step.seen.workers
    )


def all_fresh(step: Step) -> bool:
    polled = [queue for queue in step.seen.queues if step.fleet.polls(queue.task_type)]
    queues = {QUEUE_STATISTICS.quality(queue, step.now) for queue in polled}
    types = {queue.task_type for queue in polled}
    beats = all(
        HEARTBEAT.quality_at_age(worker.heartbeat_age_seconds) is Quality.FRESH
        for worker in step.seen.workers
        if worker.state is WorkerState.READY
    )
    return queues == {Quality.FRESH} and all(step.fleet.polls(each) == (each in types) for each in API_TYPES) and beats


API_TYPES = (TaskType.WORKFLOW, TaskType.ACTIVITY)
