"""When a cache is raised, and how far it is cut before anything is known.

Raised once the load is known, and not while another change has yet to show what it does.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scaler.learn.arrivals import LEARNING_TIME
from scaler.model.common import Quality, Size
from scaler.model.decision import Mode, Reason
from scaler.model.observation import ReplaySeen
from scaler.model.remembered import Change, Operator, Trial
from tests.support.plausible import ACTIVITIES, TICK, Life, Step, remembered_of, unbeaten_workers, with_workers
from tests.support.strategies import LIMIT_BYTES, declared

TICKS = 16
Watched = Callable[[datetime], Trial | None]


def _raised(trial: Watched) -> Step | None:
    """The first decision that raises a small cache which replays make dear, with such a change on trial all along."""
    life = Life(declared(workers={"min": 1, "max": 100}), Size(60, 20), 2**18, ReplaySeen())
    for _ in range(TICKS):
        life.replay = _dear(life.now)
        life.memory = replace(life.memory, trial=trial(life.now))
        life.tick(life.observe(60.0, 1.0), Operator())
        if Reason.CACHE_RAISED in life.steps[-1].decision.reasons:
            return life.steps[-1]
    return None


def _dear(at: datetime) -> ReplaySeen:
    gaps = tuple(max(0, 20 - abs(place - 20)) for place in range(42))
    return ReplaySeen(
        at=at,
        quality=Quality.FRESH,
        sticky_samples=100,
        sticky_seconds=0.01,
        normal_samples=60,
        normal_seconds=1.5,
        events=100.0,
        gaps=gaps,
        silences=gaps,
        closed=40,
    )


def _made(change: Change, ago: timedelta) -> Watched:
    def trial(now: datetime) -> Trial:
        before, after = Size(61, 20), Size(60, 20)
        return Trial(change=change, at=now - ago, before=before, after=after, late_before=False, arrivals_before=60.0)

    return trial


def test_a_cache_that_replays_make_dear_is_raised_once_the_load_is_known() -> None:
    step = _raised(lambda _: None)

    assert step is not None
    assert LEARNING_TIME <= step.now - remembered_of(step.after, ACTIVITIES).since < LEARNING_TIME + 2 * TICK  # type: ignore[operator]


def test_a_settled_scale_in_does_not_keep_a_cache_small() -> None:
    """While a load falls, workers go every minute or two for hours."""
    assert _raised(_made(Change.SCALE_IN, timedelta(minutes=1))) is not None


@pytest.mark.parametrize(
    ("change", "ago"),
    [
        (Change.SCALE_IN, timedelta(seconds=20)),
        (Change.CACHE_RAISE, timedelta(seconds=20)),
        (Change.CACHE_RAISE, timedelta(minutes=5)),
    ],
)
def test_a_change_that_has_yet_to_show_what_it_does_comes_first(change: Change, ago: timedelta) -> None:
    assert _raised(_made(change, ago)) is None


def test_a_cache_that_filled_before_anybody_told_of_it_is_cut_to_what_it_can_have_been_given() -> None:
    """Where nothing is known but that it is full, seven tenths of a thousand would be as deadly as a thousand."""
    life = Life(declared(workers={"min": 1, "max": 20}), Size(10, 1000), 2**18, ReplaySeen())
    for fraction in (0.3, 0.6, 0.95):
        seen = unbeaten_workers(life.observe(20.0, 0.0), life.now, age_seconds=45.0)
        full = tuple(replace(worker, memory_bytes=int(fraction * LIMIT_BYTES)) for worker in seen.workers)
        life.tick(with_workers(seen, full), Operator())

    given_to_each = 20.0 * 45.0 / 10
    assert life.steps[-1].decision.mode is Mode.EMERGENCY
    assert life.size.cache is not None
    assert given_to_each / 4 <= life.size.cache <= given_to_each


def test_a_cut_that_is_not_forced_does_not_fall_into_a_burst() -> None:
    """By what 80 runs take, 200 will not fit; while tasks wait and memory is far from its limit, the cut waits."""
    life = Life(declared(workers={"min": 4, "max": 4}), Size(4, 200), 3 * 2**20, ReplaySeen())
    for fill in (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.4, 0.4):
        seen = life.observe(4.0, fill)
        late = tuple(replace(queue, backlog_tasks=9, backlog_age_seconds=4.0) for queue in seen.queues)
        life.tick(replace(seen, queues=late), Operator())
    assert life.size.cache == 200

    life.tick(life.observe(4.0, 0.4), Operator())

    assert life.size.cache is not None
    assert life.size.cache <= 125


def test_a_burst_does_not_put_off_a_cut_once_the_head_room_is_used() -> None:
    life = Life(declared(workers={"min": 4, "max": 4}), Size(4, 200), 3 * 2**20, ReplaySeen())
    for fill in (0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.63, 0.63):
        seen = life.observe(4.0, fill)
        late = tuple(replace(queue, backlog_tasks=9, backlog_age_seconds=4.0) for queue in seen.queues)
        life.tick(replace(seen, queues=late), Operator())

    assert life.size.cache is not None
    assert life.size.cache < 200
