"""The live benchmark's burst on workers that behave as the measured ones, through the real decision, in a second."""

import pytest

from benchmarks.live.options import Options
from benchmarks.live.site import FLEET
from tests.support.burst.play import Played, play


def test_eight_workers_bear_the_burst_without_any_decision() -> None:
    played = play(Options(fixed=8))

    assert (played.turns, played.kills, played.started, played.workers_max) == (1395, 0, 8, 8)
    assert played.late_share <= 0.01


def test_in_six_plain_workers_the_runs_that_were_ever_seen_fill_the_memory() -> None:
    assert play(Options(fixed=6)).kills >= 3
    assert play(Options(fixed=6, hygiene=True), cache=60).kills == 0


def test_two_workers_are_far_too_few() -> None:
    assert play(Options(fixed=2, hygiene=True), cache=60).late_share > 0.5


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("state_kib", [1024, 2560])
def test_a_burst_on_workers_that_free_what_they_evict_is_borne(state_kib: int, seed: int) -> None:
    played = play(Options(state_kib=state_kib, hygiene=True, seed=seed))

    assert _within(played, late_share=0.03, over_least=4.1)
    assert played.kills == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_burst_on_plain_workers_is_borne(seed: int) -> None:
    """Far from good yet: such workers free nothing, and each later cut costs a rollout in the burst."""
    played = play(Options(seed=seed))

    assert _within(played, late_share=0.06, over_least=4.6)
    assert played.kills <= 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_plain_workers_whose_cache_is_not_set_from_here_the_fullest_leave_before_they_are_killed(seed: int) -> None:
    """Eight were killed in a burst, and each kill made tasks late."""
    played = play(Options(seed=seed), {**FLEET, "cache": {"delivery": "fixed"}})

    assert played.kills <= 2
    assert _within(played, late_share=0.04, over_least=4.1)


def _within(played: Played, late_share: float, over_least: float) -> bool:
    return played.late_share <= late_share and played.worker_seconds_over_least <= over_least
