"""Runs that came back by a replay weigh several times as much: no kill that could have been avoided follows."""

import pytest

from scaler.simulation import catalogue
from scaler.simulation.contender import Joint
from scaler.simulation.load import LoadRequest, load_of
from scaler.simulation.run import Mode, Run, Setting, run
from scaler.simulation.scenario import Scenario


def lived(name: str, factor: float) -> Run:
    declared = catalogue.named(name).model_dump()
    declared["workload"]["state"]["replayed_factor"] = factor
    scenario = Scenario.model_validate(declared)
    return run(
        Setting(scenario=scenario, load=load_of(scenario, LoadRequest(seed=1)), seed=1, mode=Mode.STEPS), Joint()
    )


@pytest.mark.parametrize(
    ("name", "factor"),
    [("incident", 2.8), ("incident", 5.0), ("memory-drift", 2.8), ("memory-drift", 5.0), ("memory-step", 2.8)],
)
def test_no_worker_is_killed_by_what_its_rollouts_bring_back(name: str, factor: float) -> None:
    assert lived(name, factor).score.oom_kills == 0
