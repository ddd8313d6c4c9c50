"""What is seen of a world: as late, as coarse and as incomplete as the real sources tell it."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from temporalio.api.common.v1 import WorkflowExecution

from activities.sources import history_figures as production
from activities.sources.history_events import ActivitySample, RunSample, WorkflowTaskSample
from activities.sources.samples import Run, Samples
from activities.targets.contract import StepTaken
from scaler.learn.replay_cost import miss_share, task_cost
from scaler.model.common import Generation, Quality, TaskType
from scaler.model.observation import ExitReason, WorkerState
from scaler.model.plan import WakeAt
from scaler.model.record import Applied, StepOutcome
from scaler.simulation.catalogue import QUEUE
from scaler.simulation.clock import moment
from scaler.simulation.histories import Histories
from scaler.simulation.history_log import ActivityEntry, HistoryLog, RunTail, WorkflowTaskEntry
from scaler.simulation.run import Mode
from scaler.simulation.scenario import MetricPath, Stack
from scaler.simulation.sight import Asked, Sight
from scaler.simulation.stack import MetricsStack
from scaler.simulation.visibility import Late
from scaler.simulation.world import World
from scaler.wakes import crossed
from tests.simulation.worlds import MODES, declared, load, world

NO_STEP = StepTaken(found=None, applied=Applied(generation=Generation(0, 1), outcome=StepOutcome.LOOKED))
ALL_DARK = ["queues", "heartbeats", "histories", "memory", "target"]


def watched(running: World[Any], sight: Sight, seconds: float) -> None:
    """Let time pass and have it seen."""
    until = running.now + seconds
    while running.now < until - 0.5:
        running.advance(running.now + 1)
        sight.sample(running.now)


def seeing(mode: Mode = Mode.EVENTS, **changes: Any) -> tuple[World[Any], Sight]:
    running = world(declared(**changes), mode)
    return running, Sight(running, 1)


def test_queue_statistics_are_of_up_to_five_seconds_ago() -> None:
    running, sight = seeing(start={"workers": 1})
    watched(running, sight, 100)
    first = sight.statistics[TaskType.ACTIVITY].reading(running.now)
    watched(running, sight, 4)
    cached = sight.statistics[TaskType.ACTIVITY].reading(running.now)
    watched(running, sight, 1)
    fresh = sight.statistics[TaskType.ACTIVITY].reading(running.now)

    assert first.at is not None
    assert cached.backlog_tasks == first.backlog_tasks
    assert cached.at == first.at + timedelta(seconds=4)  # the source stamps its reading, not the server's answer
    assert fresh.backlog_tasks != first.backlog_tasks
    assert fresh.backlog_age_seconds is not None
    assert fresh.backlog_age_seconds > 30


def test_rates_are_averages_over_half_a_minute_without_sticky_tasks() -> None:
    running, sight = seeing()
    watched(running, sight, 300)
    workflow = sight.statistics[TaskType.WORKFLOW].reading(running.now)
    activity = sight.statistics[TaskType.ACTIVITY].reading(running.now)
    done = sum(worker.done().workflow_tasks for worker in running.platform.workers) / 300

    assert activity.arrivals_per_second == pytest.approx(8, rel=0.35)
    assert done == pytest.approx(12, rel=0.1)
    assert workflow.arrivals_per_second is not None
    assert workflow.arrivals_per_second < 2  # first tasks of new runs and little else


def test_the_first_heartbeat_of_a_worker_comes_one_interval_after_it_is_ready() -> None:
    running, sight = seeing(metrics={"heartbeats": "20s"}, platform={"start_up": {"time": {"mean": "10s", "scv": 0}}})
    watched(running, sight, 60)
    running.platform.kill(running.platform.workers[0], ExitReason.CRASHED, running.now)
    again = running.platform.workers[-1]
    watched(running, sight, 10 + 19)
    before = sight.heartbeats.of(again, running.now)
    watched(running, sight, 12)
    after = sight.heartbeats.of(again, running.now)

    assert before is None
    assert after is not None
    assert after.at == again.ready_at + 20
    assert after.hits_per_second is None  # rates of the cache need two


def test_a_killed_worker_beats_no_more_and_is_seen_restarting() -> None:
    running, sight = seeing(metrics={"heartbeats": "10s"})
    watched(running, sight, 60)
    running.platform.kill(running.platform.workers[0], ExitReason.OOM_KILLED, running.now)
    seen = sight.observe(running.now, Asked(NO_STEP))

    row = next(worker for worker in seen.workers if worker.name == "w-1")
    assert row.state is WorkerState.RESTARTING
    assert (row.heartbeat_age_seconds, row.memory_bytes, row.restarts) == (None, None, 1)
    assert [(ended.worker, ended.reason) for ended in seen.exits] == [("w-1", ExitReason.OOM_KILLED)]
    assert seen.exits[0].cached is not None


def test_memory_is_as_old_as_its_last_sample() -> None:
    running, sight = seeing(metrics={"memory": "15s"})
    watched(running, sight, 100)
    seen = sight.observe(running.now, Asked(NO_STEP))

    assert {worker.memory_age_seconds for worker in seen.workers} == {running.now - 91}
    assert all(worker.memory_bytes for worker in seen.workers)


def test_in_a_blackout_the_last_readings_stand_with_their_own_time_and_a_fault() -> None:
    running, sight = seeing(
        metrics={"blackouts": [{"at": "100s", "lasts": "60s", "signals": ["queues", "heartbeats", "histories"]}]}
    )
    watched(running, sight, 99)
    before = sight.observe(running.now, Asked(NO_STEP))
    watched(running, sight, 40)
    during = sight.observe(running.now, Asked(NO_STEP))
    watched(running, sight, 40)
    after = sight.observe(running.now, Asked(NO_STEP))

    assert during.queues == before.queues
    assert during.replay == before.replay
    assert len(during.faults) == 4
    assert during.workers  # the target still tells
    assert after.faults == ()
    assert after.queues[0].at == moment(running.now)


def test_a_target_that_does_not_answer_is_missing_and_not_empty() -> None:
    running, sight = seeing(metrics={"blackouts": [{"at": "10s", "lasts": "60s", "signals": ALL_DARK}]})
    watched(running, sight, 20)
    seen = sight.observe(running.now, Asked(NO_STEP))

    assert seen.target.quality is Quality.MISSING
    assert (seen.workers, seen.totals, seen.queues[0].at) == ((), (), None)


@pytest.mark.parametrize("mode", list(MODES))
def test_the_watch_crosses_what_the_whole_observation_crosses(mode: Mode) -> None:
    changes: dict[str, Any] = {"start": {"workers": 2}, "metrics": {"heartbeats": "5s"}}
    running, sight = seeing(mode, **changes)
    wakes = [
        WakeAt(),
        WakeAt(backlog_tasks=1, backlog_age_seconds=20.0),
        WakeAt(memory_bytes=int(running.platform.workers[0].memory_bytes()), emergency_memory_bytes=2**40),
        WakeAt(activity_slots_used=15, ready_below=2),
        WakeAt(ready_at_least=2),
    ]
    seen = 0
    for second in range(120):
        watched(running, sight, 1)
        if second == 60:
            running.platform.kill(running.platform.workers[0], ExitReason.OOM_KILLED, running.now)
        whole = sight.observe(running.now, Asked(NO_STEP))
        for wake in wakes:
            expected = crossed(wake, whole, moment(50.0))
            assert sight.crossed(wake, running.now, 50.0) == expected
            seen += len(expected)

    assert seen > 200


def test_sampled_histories_tell_what_the_production_source_makes_of_the_same_runs() -> None:
    running, sight = seeing(metrics={"histories": "5s"}, workload={"sessions": {"closes": True}})
    watched(running, sight, 400)
    found = sight.histories
    samples = Samples(QUEUE)
    log = HistoryLog(running.load, MetricPath())
    twin = Histories(log, MetricPath(), 95.0, np.random.default_rng(1))
    for session in (session for session in found._runs if session in running.log._tails):
        tail = running.log._tails[session]
        run = WorkflowExecution(run_id=str(session))
        samples.add(Run(_as_events_tell(tail), moment(running.now), run))
        twin._add(tail, running.now)

    workflow = production.task_times([samples], QUEUE, TaskType.WORKFLOW, 95.0)
    times = twin._times()
    assert len(samples.runs) > 50
    assert times[0].samples == workflow.samples
    assert times[0].service_mean_seconds == pytest.approx(workflow.service_mean_seconds, rel=1e-3)
    assert times[0].longest_seconds == pytest.approx(workflow.longest_seconds, rel=1e-3)
    assert times[1].schedule_to_start_seconds == pytest.approx(
        production.task_times([samples], QUEUE, TaskType.ACTIVITY, 95.0).schedule_to_start_seconds, abs=1e-4
    )
    replay, expected = twin._replay_seen(), production.replay_seen([samples])
    assert replay.gaps == expected.gaps
    assert replay.closed == expected.closed
    assert replay.silences == expected.silences
    assert (replay.sticky_samples, replay.normal_samples) == (expected.sticky_samples, expected.normal_samples)
    assert (replay.hit_samples, replay.slow_samples) == (expected.hit_samples, expected.slow_samples)
    assert replay.hit_samples > 30
    assert replay.hit_seconds == pytest.approx(expected.hit_seconds)


@pytest.mark.parametrize("mode", list(MODES))
def test_an_evicted_run_comes_back_as_a_sticky_task_and_what_its_replay_costs_is_told_all_the_same(mode: Mode) -> None:
    """As with real workers (docs/calibration.md, E5); no worker ever leaves here."""
    running, sight = seeing(
        mode,
        duration="30m",
        workload={"sessions": {"turns": 8, "gap": {"mean": "60s", "scv": 2}}, "replay": {"per_event": "4ms"}},
        start={"cache": 20},
    )
    watched(running, sight, 1500)
    seen = sight.observe(running.now, Asked(NO_STEP))
    missed, tally = miss_share(seen.totals), running.tally
    cost = task_cost(seen.replay, missed)

    assert missed is not None
    assert missed > 0.1
    assert seen.replay.normal_samples == 0
    assert seen.replay.slow_samples > 20
    assert cost.hit_seconds == pytest.approx(0.005, rel=0.5)
    # Those that are sampled are somewhat younger, and a replay shares its worker's core with others.
    assert cost.replay_seconds == pytest.approx(tally.replay_seconds / tally.replays, rel=0.4)


def _as_events_tell(tail: RunTail) -> RunSample:
    """The same run as the production source reads it from events."""
    entries = tail.workflow_tasks
    gaps = tuple(later.scheduled_at - sooner.scheduled_at for sooner, later in pairwise(entries))
    return RunSample(
        workflow_tasks=tuple(map(_workflow_task, entries, (None, *gaps))),
        activities=tuple(_activity(entry) for entry in tail.activities),
        gaps_seconds=gaps,
        newest=moment(tail.workflow_tasks[-1].scheduled_at),
        closed=tail.closed_at is not None,
    )


def _workflow_task(entry: WorkflowTaskEntry, gap_seconds: float | None) -> WorkflowTaskSample:
    return WorkflowTaskSample(
        queue=QUEUE,
        sticky=entry.sticky,
        scheduled_at=moment(entry.scheduled_at),
        waited_seconds=entry.waited_seconds,
        ran_seconds=entry.ran_seconds,
        replayed_events=int(entry.replayed_events),
        gap_seconds=gap_seconds,
    )


def _activity(entry: ActivityEntry) -> ActivitySample:
    return ActivitySample(
        queue=QUEUE,
        scheduled_at=moment(entry.scheduled_at),
        waited_seconds=entry.waited_seconds,
        ran_seconds=entry.ran_seconds,
    )


@pytest.mark.parametrize("mode", list(MODES))
def test_histories_know_the_service_times_that_were_drawn(mode: Mode) -> None:
    running, sight = seeing(mode, workload={"activity": {"service": {"mean": "3s", "scv": 1}}}, **LONGER)
    watched(running, sight, 1500)
    times = sight.histories.task_times[1]

    assert times.samples > 300
    assert times.service_mean_seconds == pytest.approx(3, rel=0.15)
    assert sum(sight.histories.replay.gaps) > 100


LONGER: dict[str, Any] = {"duration": "30m"}


def test_late_readings_come_late_and_the_newest_wins() -> None:
    path = Stack(delay=timedelta(seconds=20), jitter=timedelta(seconds=30))
    late: Late[float] = Late(path, np.random.default_rng(3))
    seen = []
    for second in range(0, 600, 5):
        late.send(float(second), float(second))
        newest = late.newest(float(second))
        seen.append((second, newest))

    ages = [second - newest for second, newest in seen if newest is not None]
    assert min(ages) >= 20
    assert max(ages) < 60
    assert [newest for _, newest in seen if newest is not None] == sorted(
        newest for _, newest in seen if newest is not None
    )


def test_lost_readings_never_come() -> None:
    late: Late[int] = Late(Stack(loss=1.0), np.random.default_rng(3))
    late.send(1, 0.0)

    assert late.newest(1000.0) is None


def test_a_crashed_worker_leaves_the_cpu_of_ready_ones_and_stays_in_that_of_all() -> None:
    """A crash-looping pod disappears from metrics.k8s.io; on Cloud Run its start-up is CPU like any other."""
    scenario = declared(platform={"start_up": {"time": {"mean": "30s", "scv": 0}, "cpu": "30s"}})
    running = world(scenario)
    stack = MetricsStack(running, np.random.default_rng(1))
    for second in range(1, 181):
        running.advance(float(second))
        if second == 60:
            for worker in list(running.platform.workers):
                running.platform.kill(worker, ExitReason.OOM_KILLED, running.now)
        stack.sample(running.now)
        if second == 120:
            crashed = stack.newest(second)
    calm = stack.newest(400.0)

    assert crashed is not None
    assert calm is not None
    assert crashed.cpu_ready is None
    assert crashed.cpu_cloud_run is not None
    assert calm.cpu_cloud_run is not None
    assert crashed.cpu_cloud_run > 0.4
    assert calm.cpu_cloud_run < 0.2


@pytest.mark.parametrize("mode", list(MODES))
def test_scraped_rates_are_those_of_the_work(mode: Mode) -> None:
    running = world(declared(), mode)
    stack = MetricsStack(running, np.random.default_rng(1))
    scrapes = []
    for second in range(1, 301):
        running.advance(float(second))
        stack.sample(running.now)
        if second % 15 == 0 and (scrape := stack.newest(1e9)) is not None:
            scrapes.append(scrape)

    later = scrapes[4:]
    assert np.mean([scrape.workflow_tasks_per_second for scrape in later]) == pytest.approx(12, rel=0.1)
    assert np.mean([scrape.activities_per_second for scrape in later]) == pytest.approx(8, rel=0.1)
    assert np.mean([scrape.activity_slots_used for scrape in later]) == pytest.approx(24, rel=0.15)
    assert later[-1].activity_slots == 40


def test_the_load_is_followed_only_where_somebody_reads_histories() -> None:
    scenario = declared()
    unread = HistoryLog(load(scenario), MetricPath(runs_sampled=0))

    assert not any(unread.followed)
    assert any(HistoryLog(load(scenario), MetricPath()).followed)
