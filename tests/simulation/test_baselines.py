"""The laws that baselines are known for, as their own documents state them, one consequence each."""

from dataclasses import replace
from typing import Any

import pytest

from scaler.fleet import Workers
from scaler.model.common import Quality, Size, TaskType
from scaler.model.observation import QueueSeen
from scaler.simulation import catalogue
from scaler.simulation.baselines.caches import CacheSetting, hand_tuned, start_cache
from scaler.simulation.baselines.cpu import CpuTarget
from scaler.simulation.baselines.flink import Flink
from scaler.simulation.baselines.hpa import DEFAULT_DOWN, DEFAULT_UP, Autoscaler, by_average_value, by_utilisation
from scaler.simulation.baselines.justin import Justin
from scaler.simulation.baselines.keda import Keda
from scaler.simulation.baselines.no_sync import NoSync
from scaler.simulation.baselines.predictive import Predictive
from scaler.simulation.baselines.rate_based import RateBased
from scaler.simulation.baselines.slot_hpa import SlotUtilisation
from scaler.simulation.baselines.threshold import Thresholds
from scaler.simulation.clock import moment
from scaler.simulation.entrants import CLAIRVOYANT, ENTRANTS, JOINT, Tuning, entrant
from scaler.simulation.load import LoadRequest, load_of
from scaler.simulation.policy import Counts, Scrape, Seen
from scaler.simulation.run import Setting, run
from scaler.simulation.scenario import Footprint
from tests.simulation.worlds import declared

MIB = 2**20
BOUNDS = Workers(min=1, max=30)

SCRAPE = Scrape(
    at=0.0,
    cpu_cloud_run=0.3,
    cpu_ready=0.3,
    memory_mean_bytes=300 * MIB,
    memory_max_bytes=400 * MIB,
    workflow_slots_used=0,
    workflow_slots=1000,
    activity_slots_used=50,
    activity_slots=100,
    cached=1000,
    workflow_tasks_per_second=30.0,
    activities_per_second=20.0,
    hits_per_second=10.0,
    misses_per_second=0.0,
    replays_per_second=0.0,
    replay_seconds_per_second=0.0,
    backlog={TaskType.WORKFLOW: 0, TaskType.ACTIVITY: 0},
    workflow_wait_seconds=0.0,
    activity_wait_seconds=0.0,
)


def queue(task_type: TaskType, now: float, **figures: Any) -> QueueSeen:
    told = {"backlog_tasks": 0, "arrivals_per_second": 0.0, "dispatches_per_second": 0.0} | figures
    return QueueSeen(at=moment(now), quality=Quality.FRESH, queue="q", task_type=task_type, **told)


def seen(now: float = 0.0, workers: int = 10, scrape: dict[str, Any] | None = None, **activity: Any) -> Seen:
    return Seen(
        now=now,
        size=Size(workers, 200),
        counts=Counts(desired=workers, existing=workers, ready=workers, starting=0, restarting=0, restarts=0),
        queues={
            TaskType.WORKFLOW: queue(TaskType.WORKFLOW, now),
            TaskType.ACTIVITY: queue(TaskType.ACTIVITY, now, **activity),
        },
        scrape=replace(SCRAPE, at=now, **(scrape or {})),
        unmatched={},
    )


def workers(size: Size | None) -> int | None:
    return size.workers if size is not None else None


def test_an_hpa_takes_the_highest_wish_of_five_minutes_before_it_removes_a_pod() -> None:
    hpa = Autoscaler(BOUNDS)

    assert hpa.settle(0, 10, 10) == 10
    assert hpa.settle(150, 10, 4) == 10
    assert hpa.settle(299, 10, 4) == 10
    assert hpa.settle(315, 10, 4) == 4


def test_an_hpa_adds_at_most_as_many_as_there_are_or_four_in_fifteen_seconds() -> None:
    assert Autoscaler(BOUNDS).settle(0, 1, 30) == 5
    assert Autoscaler(BOUNDS).settle(0, 10, 30) == 20


def test_an_hpas_limit_counts_what_was_added_in_the_same_period() -> None:
    hpa = Autoscaler(BOUNDS, up=replace(DEFAULT_UP, pods=None, percent=50.0), down=DEFAULT_DOWN)

    assert hpa.settle(0, 10, 30) == 15
    assert hpa.settle(5, 15, 30) == 15
    assert hpa.settle(15, 15, 30) == 23


@pytest.mark.parametrize(("value", "expected"), [(50, 10), (54, 10), (45, 10), (56, 12), (10, 2)])
def test_an_average_value_within_a_tenth_of_the_target_moves_nothing(value: float, expected: int) -> None:
    assert by_average_value(value, 5.0, seen().counts) == expected


def test_a_utilisation_scales_the_ready_pods() -> None:
    assert by_utilisation(0.75, 0.75, seen().counts) == 10
    assert by_utilisation(0.9, 0.75, seen().counts) == 12


def test_keda_proposes_its_minimum_for_a_busy_fleet_without_a_backlog() -> None:
    policy = Keda(5.0, Autoscaler(BOUNDS))
    policy.resize(seen(0.0))

    assert workers(policy.resize(seen(310.0))) == 1


def test_keda_changes_nothing_while_the_server_does_not_answer() -> None:
    asked = seen(100.0, backlog_tasks=500)
    stale = {task_type: replace(each, at=moment(50.0)) for task_type, each in asked.queues.items()}

    assert Keda(5.0, Autoscaler(BOUNDS)).resize(replace(asked, queues=stale)) is None


def test_keda_wakes_a_fleet_of_none_when_something_waits_and_puts_it_to_sleep_after_its_cooldown() -> None:
    policy = Keda(5.0, Autoscaler(Workers(min=0, max=30)))

    assert policy.resize(seen(0.0, workers=0)) is None
    assert workers(policy.resize(seen(30.0, workers=0, backlog_tasks=1))) == 1
    assert workers(policy.resize(seen(300.0, workers=1))) == 1
    assert workers(policy.resize(seen(330.0, workers=1))) == 0


def test_temporals_hpa_takes_the_higher_of_slots_and_backlog_a_tenth_at_a_time() -> None:
    policy = SlotUtilisation(0.75, Autoscaler(BOUNDS, up=replace(DEFAULT_UP, percent=10.0, pods=None)))

    assert workers(policy.resize(seen(scrape={"activity_slots_used": 95}))) == 11


def test_cloud_run_holds_the_highest_wish_and_counts_all_instances() -> None:
    policy = CpuTarget(0.6)

    assert workers(policy.resize(seen(0.0, scrape={"cpu_cloud_run": 0.9}))) == 15
    assert workers(policy.resize(seen(290.0, scrape={"cpu_cloud_run": 0.06}))) == 15
    assert workers(policy.resize(seen(310.0, scrape={"cpu_cloud_run": 0.06}))) == 1


def test_thresholds_move_two_up_and_one_down_and_then_cool_down() -> None:
    policy = Thresholds(0.8)

    assert workers(policy.resize(seen(0.0, scrape={"activity_slots_used": 90}))) == 12
    assert policy.resize(seen(30.0, scrape={"activity_slots_used": 90})) is None
    assert workers(policy.resize(seen(60.0, scrape={"activity_slots_used": 90}))) == 12
    assert workers(policy.resize(seen(90.0, scrape={"activity_slots_used": 20}))) == 9
    assert policy.resize(seen(120.0, scrape={"activity_slots_used": 20})) is None


def test_the_forecast_divides_by_what_the_threshold_leaves_as_its_source_prints_it() -> None:
    policy = Predictive(Thresholds(0.8), BOUNDS)
    answers = [workers(policy.resize(seen(30.0 * tick))) for tick in range(10)]

    assert answers[:9] == [None] * 9
    assert answers[9] == 26  # five workers' worth of load, / 0.2, + 1


def test_the_rate_based_controller_adds_one_for_unmatched_tasks_every_two_seconds() -> None:
    policy = RateBased(0.8, BOUNDS)

    assert [workers(policy.task_added(seen(0.5 * tick))) for tick in range(5)] == [11, 11, 11, 11, 12]


def test_the_rate_based_controller_does_not_care_how_large_a_backlog_is() -> None:
    small = RateBased(0.8, BOUNDS).resize(seen(workers=1, backlog_tasks=10))
    large = RateBased(0.8, BOUNDS).resize(seen(workers=1, backlog_tasks=100_000))

    assert small == large == Size(2)


def test_the_rate_based_controller_removes_one_a_minute_after_a_quiet_minute_and_a_half() -> None:
    policy = RateBased(0.8, BOUNDS)
    policy.task_added(seen(0.0))
    counts = [workers(policy.resize(seen(float(now)))) for now in (60, 120, 180, 240)]

    assert counts == [11, 10, 9, 8]


def test_no_sync_only_ever_adds_and_its_instances_leave_by_themselves() -> None:
    policy = NoSync(0.1, BOUNDS)

    assert workers(policy.resize(seen(0.0, workers=2))) == 2
    assert workers(policy.task_added(seen(1.0, workers=2))) == 3
    assert workers(policy.resize(seen(599.0, workers=3))) == 3
    assert workers(policy.resize(seen(600.0, workers=3))) == 1
    assert workers(policy.resize(seen(601.5, workers=1))) == 1


def fed(policy: Flink, until: int, **scrape: Any) -> list[int | None]:
    return [workers(policy.resize(seen(float(now), scrape=scrape))) for now in range(0, until + 1, 60)]


def test_flink_sizes_by_work_per_busy_second_with_its_restart_in_the_target() -> None:
    """A rate of 20/s at 95 % busy: a capacity of 21/s, against 20·300/1800 + 20/0.7 = 31.9/s that it wants."""
    assert fed(Flink(0.7, BOUNDS), 300, activity_slots_used=95)[-1] == 16


def test_flink_waits_an_hour_before_it_takes_anything_away() -> None:
    answers = fed(Flink(0.7, BOUNDS), 4080, activity_slots_used=20)

    assert set(answers[:64]) == {None}
    assert next(answer for answer in answers if answer is not None) in range(4, 10)


def test_justin_raises_the_cache_before_the_count_and_takes_it_back_where_that_did_not_help() -> None:
    memory = Footprint(limit=2**30, base=150 * MIB)
    policy = Justin(Flink(0.7, Workers(min=1, max=30, slots={"activity": 10})), memory)
    busy = {"activity_slots_used": 95, "hits_per_second": 5.0, "misses_per_second": 5.0}
    answers = [policy.resize(seen(float(now), scrape=busy)) for now in range(0, 1020, 60)]
    decided = [answer for answer in answers if answer is not None]

    assert decided[0] == Size(10, 400)
    assert decided[1] == Size(16, 200)


@pytest.mark.parametrize("name", [name for name in ENTRANTS if name != JOINT])
def test_every_entrant_runs_and_stays_inside_the_bounds(name: str) -> None:
    scenario = declared(duration="6m", platform={"workers": {"min": 2, "max": 9}})
    load = load_of(scenario, LoadRequest(seed=1))
    done = run(Setting(scenario=scenario, load=load, seed=1), entrant(name).contender(scenario, Tuning()))

    assert done.policy == name
    assert all(2 <= change.after.workers <= 9 for change in done.changes)
    assert done.score.turns_answered > 0


def test_settings_go_from_cautious_to_daring() -> None:
    """More worker-hours at one end of a sweep than at the other, for everybody who reacts to load at all."""
    scenario = declared(duration="9m", arrivals={"kind": "diurnal", "turns_per_second": 4, "period": "6m"})
    load = load_of(scenario, LoadRequest(seed=1))
    for each in ENTRANTS.values():
        hours = [
            run(Setting(scenario=scenario, load=load, seed=1), each.contender(scenario, Tuning(setting=setting)))
            for setting in (each.sweep[0], each.sweep[-1])
        ]
        assert hours[0].score.worker_hours >= hours[1].score.worker_hours, each.name


def test_the_clairvoyant_needs_less_than_others_and_answers_in_time() -> None:
    scenario = catalogue.named("flash-crowd")
    load = load_of(scenario, LoadRequest(seed=1))
    score = run(Setting(scenario=scenario, load=load, seed=1), entrant(CLAIRVOYANT).contender(scenario, Tuning())).score

    assert score.slo_violation_minutes == 0
    assert score.oom_kills == 0
    assert score.worker_hours < 20


def test_a_hand_tuned_cache_is_right_for_the_morning_and_too_large_for_the_evening() -> None:
    scenario = catalogue.named("memory-drift")
    memory, state = scenario.platform.memory, scenario.workload.state
    cache = hand_tuned(scenario)
    bytes_per_run = state.bytes + state.per_turn * scenario.workload.sessions.turns

    assert memory.base + cache * bytes_per_run < 0.85 * memory.limit
    assert memory.base + cache * bytes_per_run * 1.8 > memory.limit
    assert start_cache(scenario, CacheSetting.TENTH) == cache // 10
    assert start_cache(scenario, CacheSetting.DEFAULT) == 1000
