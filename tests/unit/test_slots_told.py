"""What slots tell of a load: how many there are while new workers are silent, and nothing of tasks of milliseconds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from scaler.hint import Hint
from scaler.learn.hinted import with_hints
from scaler.learn.learning import learn
from scaler.model.common import TaskType
from scaler.model.estimate import Load
from scaler.model.remembered import Remembered
from scaler.simulation.outside import FleetLoop
from scaler.simulation.told import Queue, Slots, Target, TaskTimes, Told, Worker, WorkerObject

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
FIVE_SECONDS = timedelta(seconds=5)
FLEET = {
    "name": "live",
    "target": {"kind": "local", "name": "live"},
    "task_queues": [{"name": "live"}],
    "workers": {"min": 1, "max": 8},
}
BEAT = WorkerObject(
    queue="live",
    workflow=Slots(used=12, total=100, done_per_second=9.0),
    activity=Slots(used=8, total=8, done_per_second=5.0),
    cached=40,
    interval_seconds=5.0,
)
BUSY = Told(
    target=Target(desired=2, cache=60, memory_limit_bytes=192 * 2**20),
    workers=tuple(Worker(name=f"w-{n}", age_seconds=60, cache=60, objects=(BEAT,)) for n in range(2)),
    queues=(
        Queue(name="live", type="workflow", backlog_tasks=0, arrivals_per_second=2.0, dispatches_per_second=2.0),
        Queue(name="live", type="activity", backlog_tasks=0, arrivals_per_second=8.0, dispatches_per_second=8.0),
    ),
    task_times=(
        TaskTimes(queue="live", type="workflow", samples=40, service_mean_seconds=0.018),
        TaskTimes(queue="live", type="activity", samples=40, service_mean_seconds=1.5),
    ),
)


def loads(*seen: Told) -> list[Load]:
    """What is learned of one observation after another, five seconds apart: workflow tasks and activities at last."""
    loop, memory, now = FleetLoop(FLEET, NOON), Remembered(), NOON
    loop.decide(now)
    for told in seen:
        now += FIVE_SECONDS
        estimate, memory = learn(loop.observe(told, now), loop.state.fleet, memory, now)
    return sorted(estimate.loads, key=lambda load: load.task_type is TaskType.ACTIVITY)


def waiting(told: Told, workflow_tasks: int, activities: int) -> Told:
    """The same with tasks that wait."""
    counts = (workflow_tasks, activities)
    queues = (replace(queue, backlog_tasks=tasks) for queue, tasks in zip(told.queues, counts, strict=True))
    return replace(told, queues=tuple(queues))


def test_workers_that_were_all_replaced_and_are_silent_yet_have_as_many_slots_as_those_before() -> None:
    """By the SDKs' default of a hundred, one new worker would do for fifty tasks that wait for slots of eight."""
    newcomers = tuple(Worker(name=f"new-{n}", age_seconds=2, started_in_seconds=1.5, cache=60) for n in range(2))
    workflow, activity = loads(BUSY, waiting(replace(BUSY, workers=newcomers), 0, 50))

    assert (workflow.slots_per_worker, activity.slots_per_worker) == (100, 8)


def test_a_hint_of_all_slots_of_a_silent_worker_leaves_each_queue_the_slots_that_were_told_of_it() -> None:
    """An equal part of twelve would be six of either; the one has eight and the other four."""
    fleet = {
        **FLEET,
        "task_queues": [{"name": "live", "types": ["activity"]}, {"name": "other", "types": ["activity"]}],
    }
    other = WorkerObject(queue="other", activity=Slots(used=2, total=4, done_per_second=2.0), interval_seconds=5.0)
    beats = tuple(replace(each, objects=(replace(BEAT, workflow=None), other)) for each in BUSY.workers)
    silent = tuple(replace(each, objects=()) for each in BUSY.workers)
    loop, later = FleetLoop(fleet, NOON), NOON + FIVE_SECONDS
    loop.decide(NOON)
    _, memory = learn(loop.observe(replace(BUSY, workers=beats), NOON), loop.state.fleet, Remembered(), NOON)
    hint = Hint(worker="w-0", at=later, slots_used=12, slots=12)
    hinted = with_hints(loop.observe(replace(BUSY, workers=silent), later), (hint,), later)
    estimate, memory = learn(hinted, loop.state.fleet, memory, later)

    assert {load.queue: load.slots_per_worker for load in estimate.loads} == {"live": 8, "other": 4}
    assert {demand.queue: demand.slots for demand in memory.demands} == {"live": 8, "other": 4}


def test_where_no_worker_ever_told_of_its_slots_they_are_as_declared_or_as_the_sdk_gives_them() -> None:
    silent = replace(BUSY, workers=(Worker(name="w-0", age_seconds=600, cache=60),))
    declared = {**FLEET, "workers": {"min": 1, "max": 8, "slots": {"activity": 20}}}
    loop = FleetLoop(declared, NOON)
    loop.decide(NOON)
    estimate, _ = learn(loop.observe(silent, NOON), loop.state.fleet, Remembered(), NOON)

    assert [load.slots_per_worker for load in loads(silent)] == [100, 100]
    assert {load.task_type: load.slots_per_worker for load in estimate.loads} == {
        TaskType.WORKFLOW: 100,
        TaskType.ACTIVITY: 20,
    }


def test_slots_that_a_few_workflow_tasks_hold_at_a_moment_are_no_thousand_tasks_a_second() -> None:
    """24 slots taken by tasks of 18 ms would be 1,333 a second; it is a machine that has too much to do just then."""
    workflow, _ = loads(BUSY, waiting(BUSY, 20, 0))

    assert workflow.backlog_growth_per_second == 4.0
    assert workflow.arrivals_per_second <= 30.0


def test_activities_that_begin_to_wait_arrive_as_fast_as_they_are_served_and_wait_more() -> None:
    _, activity = loads(BUSY, waiting(BUSY, 0, 20))

    assert activity.backlog_growth_per_second == 4.0
    assert activity.arrivals_per_second >= 16 / 1.5 + 4.0
