"""The server's time from its own stamps: whatever this host takes for the time is not compared with it."""

from datetime import UTC, datetime, timedelta

from activities.server_time import ServerTime

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
WRONG = datetime(2031, 1, 1, tzinfo=UTC)


class Hand:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_before_the_server_stamped_anything_the_hosts_clock_is_all_there_is() -> None:
    assert ServerTime(wall=lambda: WRONG).now() == WRONG


def test_from_the_first_stamp_on_only_the_monotonic_clock_counts() -> None:
    hand = Hand()
    clock = ServerTime(wall=lambda: WRONG, monotonic=hand)

    clock.heard(NOON)
    hand.seconds += 90

    assert clock.now() == NOON + timedelta(seconds=90)


def test_a_stamp_that_came_late_sets_nothing_back() -> None:
    hand = Hand()
    clock = ServerTime(monotonic=hand)
    clock.heard(NOON)
    hand.seconds += 10

    clock.heard(NOON + timedelta(seconds=3))

    assert clock.now() == NOON + timedelta(seconds=10)


def test_a_stamp_that_came_faster_is_nearer_to_the_truth() -> None:
    hand = Hand()
    clock = ServerTime(monotonic=hand)
    clock.heard(NOON)
    hand.seconds += 10

    clock.heard(NOON + timedelta(seconds=12))

    assert clock.now() == NOON + timedelta(seconds=12)


def test_a_server_whose_clock_was_set_back_is_followed_at_once() -> None:
    hand = Hand()
    clock = ServerTime(monotonic=hand)
    clock.heard(NOON)

    clock.heard(NOON - timedelta(hours=1))

    assert clock.now() == NOON - timedelta(hours=1)


def test_a_clock_that_runs_slower_than_this_hosts_is_followed_within_ten_minutes() -> None:
    """By stamps of the last minutes: an old one would be right for ever otherwise."""
    hand = Hand()
    clock = ServerTime(monotonic=hand)
    for minute in range(20):
        hand.seconds = 1000.0 + 60 * minute
        clock.heard(NOON + timedelta(seconds=59.9 * minute))

    error = clock.now() - (NOON + timedelta(seconds=59.9 * 19))

    assert timedelta(0) <= error <= timedelta(seconds=1.1)
