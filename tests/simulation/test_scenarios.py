"""The scenarios that come with the product hold what they say, and mistakes in others are told with their place."""

from pathlib import Path

import pytest

from scaler.door import Refused
from scaler.simulation import catalogue
from scaler.simulation.avoidable import avoidability
from scaler.simulation.load import LoadRequest, load_of, workers_needed

NAMES = (
    "steady", "diurnal", "flash-crowd", "bursty", "cheap-replay", "expensive-replay", "memory-drift", "memory-step",
    "crash-loop", "incident", "metric-blackout", "rate-limited", "long-activities", "slow-start", "cyclic-access",
)  # fmt: skip
OF_THEIR_OWN = {"diurnal", "flash-crowd", "bursty", "cyclic-access"}

MINIMAL = """
name: mine
about: Nothing.
arrivals: {kind: steady, turns_per_second: 1}
avoidable_kills: true
"""


def problems(text: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        catalogue.read_scenario(text)
    return [str(problem) for problem in refused.value.problems]


def test_every_promised_scenario_is_there() -> None:
    assert set(catalogue.names()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_says_truly_whether_its_kills_are_avoidable(name: str) -> None:
    scenario = catalogue.named(name)
    found = [avoidability(scenario, load_of(scenario, LoadRequest(seed=seed))).avoidable for seed in (1, 2)]

    assert scenario.name == name
    assert found == [scenario.avoidable_kills] * 2


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_has_room_and_starts_near_what_its_load_needs(name: str) -> None:
    scenario = catalogue.named(name)
    load = load_of(scenario, LoadRequest(seed=1))

    assert scenario.platform.workers.max >= 40
    assert workers_needed(scenario, load.turns_per_second) <= scenario.platform.workers.max / 2
    assert scenario.takes_trace == (name not in OF_THEIR_OWN)


def test_a_fleet_is_declared_without_any_tuning() -> None:
    fleet = catalogue.fleet_of(catalogue.named("steady"))

    assert fleet.cache.min == 10
    assert fleet.behaviour.scale_in_window is None
    assert fleet.workers.max == 60


def test_four_keys_are_enough() -> None:
    assert catalogue.read_scenario(MINIMAL).platform.workers.max == 60


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("platfrom: {}", "platfrom: no such key; see docs/simulation.md"),
        (
            "workload: {turn: {workflow_tasks: 5}}",
            (
                "workload.turn.workflow_tasks: must be 2 to 3: one before, one after and at most one between any two "
                "activities, found 5"
            ),
        ),
        (
            "workload: {turn: {activities: 0}}",
            "workload.turn.workflow_tasks: must be 1 where a turn has no activities, found 3",
        ),
        ("start: {workers: 99}", "start.workers: must be within platform.workers (1 to 60), found 99"),
        ("duration: 3h", 'duration: must be at most 2h, found "3h"'),
        ("warm_up: 2h", "warm_up: must be shorter than duration: nothing would be scored"),
        (
            "platform: {memory: {limit: 100Mi}}",
            "platform.memory.base: must be below the limit: no worker could start",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(change: str, expected: str) -> None:
    assert problems(MINIMAL + change) == [expected]


def test_what_is_no_yaml_is_refused() -> None:
    assert problems("a: [")[0].startswith("is not YAML")


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(Refused, match="bursty, cheap-replay"):
        catalogue.named("stready")


def test_a_scenario_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINIMAL)

    assert catalogue.from_file(path).name == "mine"
    with pytest.raises(Refused, match="can't be read"):
        catalogue.from_file(tmp_path / "other.yaml")
