"""What a replay costs is told apart from hits, although an evicted run comes back in a task that looks sticky."""

from itertools import chain

import pytest

from scaler.learn.replay_cost import FEWEST_HITS, SURE_HITS, TaskCost, miss_share, sticky_tasks, task_cost
from scaler.model.observation import ReplaySeen, WorkerTotals

HIT, REPLAY = 0.006, 0.05
Sticky = list[tuple[float, float]]


def hits(count: int, from_gap: float = 0.1) -> Sticky:
    """Tasks that found their run cached, some a little slower than others."""
    return [(from_gap + place / 10, HIT * (1 + place % 5 / 10)) for place in range(count)]


def replays(count: int, from_gap: float = 500.0) -> Sticky:
    """Tasks after an eviction: a replay, then the task."""
    return [(from_gap + place, HIT + REPLAY) for place in range(count)]


def seen(sampled: Sticky, normal: tuple[int, float | None] = (0, None)) -> ReplaySeen:
    """As a source tells these tasks and so many replays by other workers."""
    told = sticky_tasks(sampled)
    return ReplaySeen(
        sticky_samples=len(sampled),
        sticky_seconds=sum(ran for _, ran in sampled) / len(sampled) if sampled else None,
        hit_samples=told.hit_samples,
        hit_seconds=told.hit_seconds,
        slow_samples=told.slow_samples,
        slow_seconds=told.slow_seconds,
        normal_samples=normal[0],
        normal_seconds=normal[1],
    )


@pytest.mark.parametrize("misses", [10, 50, 200])
def test_replays_after_evictions_are_told_from_hits_however_many_they_are(misses: int) -> None:
    sampled = [*replays(misses), *hits(300 - misses)]
    cost = task_cost(seen(sampled), misses / 300)

    assert cost.hit_seconds == pytest.approx(HIT * 1.2, rel=0.05)
    assert cost.replay_seconds == pytest.approx(REPLAY, rel=0.05)


def test_the_mean_over_all_sticky_tasks_would_have_told_neither() -> None:
    told = seen([*replays(60), *hits(240)])

    assert told.sticky_seconds is not None
    assert told.sticky_seconds > 2 * HIT
    assert told.sticky_seconds < REPLAY / 2


def test_what_is_slow_as_often_after_short_gaps_is_no_replay() -> None:
    """A busy machine makes one task in thirty slow, wherever its run was."""
    slow = [(gap, ran * 10 if place % 30 == 0 else ran) for place, (gap, ran) in enumerate(hits(600))]

    assert sticky_tasks(slow).slow_samples == 0
    assert task_cost(seen(slow), 0.2).replay_seconds is None


def test_slow_hits_are_taken_off_the_replays() -> None:
    slow = [(gap, 0.03 if place % 30 == 0 else ran) for place, (gap, ran) in enumerate(hits(600))]
    told = sticky_tasks([*slow, *replays(60)])

    assert told.slow_samples == pytest.approx(60, abs=10)
    assert told.slow_seconds == pytest.approx(HIT + REPLAY, rel=0.1)


def test_slow_tasks_are_no_replays_where_workers_count_far_fewer_misses_or_none_counts() -> None:
    """Say, the first task of each turn has more to do than those that follow it."""
    told = seen([*replays(100), *hits(200)])

    assert task_cost(told, 0.001).replay_seconds is None
    assert task_cost(told, None).replay_seconds is None
    assert task_cost(told, 0.2).replay_seconds is not None


def test_few_slow_tasks_tell_nothing() -> None:
    assert task_cost(seen([*replays(4), *hits(296)]), 0.2).replay_seconds is None


def test_replays_by_other_workers_and_after_evictions_count_by_how_many_they_are() -> None:
    sampled = [*replays(30), *hits(270)]
    alone = task_cost(seen(sampled), 0.1).replay_seconds
    with_others = task_cost(seen(sampled, (30, HIT + 3 * REPLAY)), 0.1).replay_seconds

    assert alone == pytest.approx(REPLAY, rel=0.05)
    assert with_others == pytest.approx(2 * REPLAY, rel=0.05)


def test_replays_by_other_workers_are_certain_but_a_few_are_an_anecdote() -> None:
    assert task_cost(seen(hits(300), (20, 0.1)), None).replay_seconds == pytest.approx(0.1 - HIT * 1.2, rel=0.01)
    assert task_cost(seen(hits(300), (2, 0.1)), None).replay_seconds is None


def test_a_replay_never_costs_less_than_nothing() -> None:
    assert task_cost(seen(hits(300), (20, HIT / 2)), 0.1).replay_seconds == 0.0


def test_too_few_sticky_tasks_tell_no_hit_and_their_mean_stands_in() -> None:
    few = hits(int(FEWEST_HITS / SURE_HITS) - 1)
    told = seen(few)

    assert (told.hit_samples, told.hit_seconds) == (0, None)
    assert task_cost(told, 0.1) == TaskCost(told.sticky_seconds, None)


def test_an_observation_of_a_former_version_tells_what_it_told_then() -> None:
    former = ReplaySeen(sticky_samples=500, sticky_seconds=0.25, normal_samples=50, normal_seconds=0.75)

    assert task_cost(former, 0.1) == TaskCost(0.25, 0.5)
    assert task_cost(ReplaySeen(), 0.1) == TaskCost(None, None)


def test_order_does_not_matter() -> None:
    mixed = list(chain.from_iterable(zip(replays(100), hits(100), strict=True)))

    assert sticky_tasks(mixed) == sticky_tasks([*replays(100), *hits(100)])


def test_the_share_of_misses_is_that_of_all_workers_together_and_unknown_where_none_counts() -> None:
    totals = [
        WorkerTotals(cache=100, version="a", cache_hits_per_second=9.0, cache_misses_per_second=1.0),
        WorkerTotals(cache=200, version="b", cache_hits_per_second=30.0, cache_misses_per_second=0.0),
    ]

    assert miss_share(totals) == pytest.approx(0.025)
    assert miss_share(()) is None
    assert miss_share([WorkerTotals(cache=100, version="a")]) is None
