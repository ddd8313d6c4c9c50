"""Memory-hungry activities in small containers: the count is what holds them, and the cache is not blamed."""

from typing import Any

from scaler.simulation.contender import Joint
from scaler.simulation.load import LoadRequest, load_of
from scaler.simulation.run import Mode, Run, Setting, run
from scaler.simulation.scenario import Scenario

HUNGRY: dict[str, Any] = {
    "name": "hungry-activities",
    "about": "Fifty slots of activities that take 40 MiB each, in workers of 512 MiB. Nine fit.",
    "arrivals": {"kind": "steady", "turns_per_second": 5},
    "duration": "30m",
    "warm_up": "2m",
    "workload": {
        "sessions": {"turns": 1, "closes": True},
        "turn": {"workflow_tasks": 2, "activities": 2, "events": 12},
        "activity": {"service": {"mean": "6s", "scv": 0.3}, "memory": "40Mi", "lost_after": "30s"},
        "state": {"bytes": "64Ki", "per_turn": 0},
    },
    "platform": {
        "workers": {"min": 1, "max": 30},
        "memory": {"limit": "512Mi", "base": "150Mi"},
        "slots": {"workflow": 100, "activity": 50},
    },
    "start": {"workers": 16, "cache": 200},
    "avoidable_kills": False,
}


def lived() -> Run:
    scenario = Scenario.model_validate(HUNGRY)
    load = load_of(scenario, LoadRequest(seed=1))
    return run(Setting(scenario=scenario, load=load, seed=1, mode=Mode.STEPS), Joint())


def test_found_at_a_count_that_just_holds_it_is_not_shrunk_until_workers_are_killed() -> None:
    """Sixteen just hold, twenty do; slots alone ask for two. At eleven 241 were killed."""
    life = lived()

    assert life.score.oom_kills == 0
    assert life.score.slo_violation_task_share <= 0.001
    assert min(change.after.workers for change in life.changes) >= 16
    assert {change.after.cache for change in life.changes} == {200}
