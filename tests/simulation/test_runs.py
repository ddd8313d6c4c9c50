"""Whole runs: policies see what they may see, this product runs its own decision, and both are scored alike."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from scaler.model.common import Size, TaskType
from scaler.model.plan import SHORTEST_TICK
from scaler.model.record import StepOutcome
from scaler.simulation import catalogue
from scaler.simulation.clock import elapsed
from scaler.simulation.contender import Baseline, Clairvoyant, Contender, Joint
from scaler.simulation.future import Future
from scaler.simulation.joint import JointLoop
from scaler.simulation.load import LoadRequest, load_of
from scaler.simulation.policy import Briefing, Seen
from scaler.simulation.run import LEAD_SECONDS, Mode, Run, Setting, run
from scaler.simulation.scenario import Scenario
from tests.simulation.worlds import MODES, Fixed, declared, fixed, world

BOTH = pytest.mark.parametrize("mode", list(MODES))


def result(contender: Contender, mode: Mode = Mode.STEPS, seed: int = 1, **changes: Any) -> Run:
    scenario = declared(**changes)
    return run(setting(scenario, mode, seed), contender)


def setting(scenario: Scenario, mode: Mode = Mode.STEPS, seed: int = 1) -> Setting:
    return Setting(scenario=scenario, load=load_of(scenario, LoadRequest(seed=seed)), seed=seed, mode=mode)


@dataclass
class Scripted:
    """Answers as it is told, and keeps what it saw."""

    answer: Callable[[Seen], Size | None]
    interval_seconds: float = 15.0
    seen: list[Seen] = field(default_factory=list)

    def resize(self, seen: Seen) -> Size | None:
        self.seen.append(seen)
        return self.answer(seen)


@dataclass
class PushedOne(Scripted):
    """Adds a worker with every push, as Temporal's own controller does."""

    push_interval_seconds: float = 2.0
    pushes: list[Seen] = field(default_factory=list)

    def task_added(self, seen: Seen) -> Size | None:
        self.pushes.append(seen)
        return Size(seen.size.workers + 1)


@BOTH
def test_a_run_is_the_same_every_time(mode: Mode) -> None:
    assert result(fixed(4), mode) == result(fixed(4), mode)


@BOTH
def test_a_run_of_this_product_is_the_same_every_time(mode: Mode) -> None:
    first, again = result(Joint(), mode), result(Joint(), mode)

    assert first == again
    assert first.score.turns_answered > 2000


def test_a_policy_is_asked_at_its_interval_and_sees_its_fleet() -> None:
    policy = Scripted(lambda _: None)
    result(Baseline(name="idle", make=lambda _: policy))

    assert [seen.now - LEAD_SECONDS for seen in policy.seen[:3]] == [0, 15, 30]
    last = policy.seen[-1]
    assert (last.counts.ready, last.size) == (4, Size(4, 100))
    assert last.queues[TaskType.ACTIVITY].arrivals_per_second == pytest.approx(8, rel=0.5)
    assert last.scrape is not None
    assert 20 <= last.now - last.scrape.at <= 60


def test_a_size_that_a_policy_wants_is_made_so_within_the_bounds() -> None:
    policy = Scripted(lambda seen: Size(100) if seen.now >= 300 else None)
    done = result(Baseline(name="wild", make=lambda _: policy))

    assert done.timeline[-1].desired == 60
    assert done.score.size_changes == 1


def test_a_policy_that_is_pushed_hears_of_tasks_that_found_no_poll() -> None:
    policy = PushedOne(lambda _: None)
    done = result(Baseline(name="pushed", make=lambda _: policy), start={"workers": 1})
    times = [seen.now for seen in policy.pushes]

    assert done.timeline[-1].desired > 3
    assert all(any(seen.unmatched.values()) for seen in policy.pushes)
    assert all(later - sooner >= 2 for sooner, later in pairwise(times))


def test_a_clairvoyant_is_given_the_future_and_others_are_not() -> None:
    told: list[Future] = []

    def make(_: Briefing, future: Future) -> Fixed:
        told.append(future)
        return Fixed(4)

    done = result(Clairvoyant(name="bound", make=make))

    assert told[0].turns_between(0, 600) == done.score.turns


def test_a_cache_that_somebody_cuts_by_hand_is_cut_for_those_who_leave_it_alone() -> None:
    cut: dict[str, Any] = {"cut_by_hand": {"at": "5m", "cache": 20}}
    left, decided = (
        result(fixed(4), **cut),
        result(Baseline(name="own", make=lambda _: Fixed(4), decides_cache=True), **cut),
    )

    assert left.timeline[-1].cache == 20
    assert left.score.cache_rollouts == 1
    assert decided.timeline[-1].cache == 100
    assert decided.score.cache_rollouts == 0


def test_a_contender_may_start_with_a_cache_of_its_own() -> None:
    assert result(fixed(4, cache=30)).timeline[0].cache == 30


def test_waits_are_scored_by_task_and_by_minute() -> None:
    starved, fed = result(fixed(2), start={"workers": 2}).score, result(fixed(6), start={"workers": 6}).score

    assert starved.activity_violation_share > 0.5
    assert starved.slo_violation_minutes >= 8
    assert starved.workflow_violation_share == 0
    assert starved.slo_violation_task_share == pytest.approx(starved.activity_violation_share * 2 / 5, rel=0.25)
    assert (fed.slo_violation_task_share, fed.slo_violation_minutes) == (0, 0)
    assert fed.worker_hours == pytest.approx(6 * 9 / 60, rel=0.01)  # the warm-up is not paid for


@BOTH
def test_this_product_keeps_a_steady_fleet_inside_its_objective(mode: Mode) -> None:
    score = result(Joint(), mode, start={"workers": 6}).score

    assert score.oom_kills == 0
    assert score.slo_violation_task_share < 0.02
    assert score.worker_hours < 20 * 9 / 60


def test_ticks_last_as_long_as_planned_and_no_less_than_the_shortest() -> None:
    decided = result(Joint()).decided
    apart = [later.at - sooner.at for sooner, later in pairwise(decided)]

    assert min(apart) >= 1  # after a long tick a breach may end the next after a second
    assert sum(seconds >= SHORTEST_TICK.total_seconds() for seconds in apart) > 0.9 * len(apart)
    assert all(each.seen_at <= each.at for each in decided)


def test_a_breach_ends_a_tick_early() -> None:
    """A crowd that comes in the middle of a tick is decided upon before the tick would have ended."""
    scenario = declared(
        arrivals={"kind": "flash_crowd", "turns_per_second": 1, "factor": 20, "at": "5m", "rise": "5s", "hold": "3m"},
        start={"workers": 2},
    )
    done = run(setting(scenario), Joint())
    early = [each for each in done.decided if each.decision.plan.until > each.decision.at]
    cut_short = [sooner for sooner, later in pairwise(early) if later.at < elapsed(sooner.decision.plan.until) - 1]

    assert cut_short
    assert max(sample.desired for sample in done.timeline) > 5


def test_a_step_fails_while_the_target_does_not_answer_and_the_fleet_stays() -> None:
    scenario = declared(metrics={"blackouts": [{"at": "100s", "lasts": "60s", "signals": ["target"]}]})
    running = world(scenario)
    loop = JointLoop(running, catalogue.fleet_of(scenario), seed=1)
    outcomes = []
    for second in range(200):
        running.advance(float(second))
        loop.act(float(second))
        if (seen := loop.state.observation) is not None:
            outcomes.append((second, seen.applied.outcome))

    assert {outcome for second, outcome in outcomes if 125 < second < 160} == {StepOutcome.FAILED}
    assert outcomes[-1][1] is StepOutcome.APPLIED
    assert len(running.platform.workers) >= 1


def test_what_the_loop_knows_is_what_the_workflow_would_know() -> None:
    scenario = declared()
    running = world(scenario)
    loop = JointLoop(running, catalogue.fleet_of(scenario), seed=1)
    for second in range(120):
        running.advance(float(second))
        loop.act(float(second))

    record = running.platform.record
    assert record is not None
    assert record.owner is not None
    assert loop.state.ticks == loop.state.generation.counter
    assert not loop.state.fence or loop.state.observation is not None
    assert record.intended == running.platform.size
