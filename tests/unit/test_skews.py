"""Clocks of workers' hosts: corrected by what their heartbeats prove, and by nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.sources.skews import Skews

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
BEAT, READ = timedelta(seconds=10), timedelta(seconds=5)


def heard(skews: Skews, behind: timedelta, beats: int, host: str = "pod", instance: str = "a") -> datetime:
    """A worker that beats every ten seconds, read every five; so far behind is its host. When it was read last."""
    read_at = NOON
    for number in range(2 * beats):
        read_at = NOON + number * READ
        beat_at = NOON + (number // 2) * BEAT - behind
        skews.heard(host, instance, beat_at, read_at)
    return read_at


@pytest.mark.parametrize("minutes", [-2, 2])
def test_two_minutes_either_way_are_corrected_to_within_a_beat(minutes: int) -> None:
    skews = Skews()

    heard(skews, timedelta(minutes=minutes), beats=3)

    assert abs(skews.correction("pod") - timedelta(minutes=minutes)) <= BEAT


def test_a_clock_that_is_right_is_left_alone() -> None:
    skews = Skews()

    heard(skews, timedelta(0), beats=5)

    assert skews.correction("pod") == timedelta(0)


def test_a_dead_workers_last_beat_proves_nothing() -> None:
    """Read first when it is two minutes old, and again and again: it may have died then."""
    skews = Skews()
    for number in range(10):
        skews.heard("pod", "a", NOON - timedelta(minutes=2), NOON + number * READ)

    assert skews.correction("pod") == timedelta(0)


def test_a_worker_on_the_same_host_has_the_same_clock() -> None:
    skews = Skews()
    read_at = heard(skews, timedelta(minutes=2), beats=3)

    skews.heard("pod", "b", read_at - timedelta(minutes=2, seconds=1), read_at)

    assert skews.correction("pod") > timedelta(minutes=1, seconds=45)


def test_a_clock_that_was_set_right_is_believed_again() -> None:
    skews = Skews()
    read_at = heard(skews, timedelta(minutes=2), beats=3)

    skews.heard("pod", "a", read_at, read_at + READ)
    skews.heard("pod", "a", read_at + BEAT, read_at + BEAT + READ)

    assert abs(skews.correction("pod")) <= BEAT


def test_a_host_that_was_not_heard_of_for_long_is_forgotten() -> None:
    skews = Skews()
    read_at = heard(skews, timedelta(minutes=2), beats=3)

    skews.forget(read_at + timedelta(hours=1))

    assert skews.correction("pod") == timedelta(0)
