"""The Gradient Labs incident in the simulated world: its shape under the rule that they had, and without it."""

import math
from dataclasses import dataclass, field

import pytest

from scaler.model.common import Size
from scaler.simulation import catalogue
from scaler.simulation.contender import Baseline, Joint
from scaler.simulation.load import LoadRequest, load_of
from scaler.simulation.policy import Seen
from scaler.simulation.run import Mode, Run, Sample, Setting, run

CUT_AT = 3600.0
CPU_TARGET = 0.6
FEWEST = 10
"""Their service had a floor; without one the rule starves the fleet before the first crash."""


@dataclass
class CpuRule:
    """Workers by the CPU of all instances, the highest wish of five minutes: enough of Cloud Run for this test."""

    interval_seconds: float = 15.0
    wishes: list[tuple[float, int]] = field(default_factory=list)

    def resize(self, seen: Seen) -> Size | None:
        if seen.scrape is None or seen.scrape.cpu_cloud_run is None:
            return None
        wish = math.ceil(seen.counts.existing * seen.scrape.cpu_cloud_run / CPU_TARGET)
        self.wishes = [(at, workers) for at, workers in self.wishes if seen.now - at < 300] + [(seen.now, wish)]
        return Size(max(FEWEST, *(workers for _, workers in self.wishes)))


@pytest.fixture(scope="module")
def setting() -> Setting:
    scenario = catalogue.named("incident")
    return Setting(scenario=scenario, load=load_of(scenario, LoadRequest(seed=1)), seed=1, mode=Mode.STEPS)


@pytest.fixture(scope="module")
def before(setting: Setting) -> Run:
    return run(setting, Baseline(name="cpu", make=lambda _: CpuRule()))


def between(samples: tuple[Sample, ...], start: float, end: float) -> list[Sample]:
    return [sample for sample in samples if start < sample.at <= end]


def test_workers_are_killed_in_a_loop_until_the_cache_is_cut(before: Run) -> None:
    crashing = between(before.timeline, 1500, CUT_AT)
    healed = between(before.timeline, CUT_AT + 300, 7200)

    assert sum(sample.oom_kills for sample in crashing) >= 10
    assert sum(sample.oom_kills for sample in healed) == 0


def test_once_the_crashes_end_the_count_is_lower_and_activities_starve(before: Run) -> None:
    crashing = between(before.timeline, 1500, CUT_AT)
    starving = between(before.timeline, 5400, 7200)

    assert max(sample.existing for sample in starving) <= max(sample.existing for sample in crashing)
    assert starving[-1].desired == FEWEST
    assert min(sample.activity_backlog for sample in starving) > 500
    assert before.score.activity_violation_share > 0.5


def test_the_same_load_under_this_product_is_answered(setting: Setting, before: Run) -> None:
    after = run(setting, Joint())

    assert after.score.oom_kills_after_first_decision == 0
    assert after.score.slo_violation_task_share < before.score.slo_violation_task_share / 10
    assert after.timeline[-1].cache < 1000
