"""How figures are written for people."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from scaler.cli import words

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((None, "–"), (math.inf, "–"), (math.nan, "–"), (-3.0, "0s"), (0.0, "0s"), (0.0123, "12ms"), (1.26, "1.3s")),
        *(
            (12.4, "12s"),
            (310.0, "5m10s"),
            (3599.0, "59m59s"),
            (12_000.0, "3h20m"),
            (187_200.0, "2d4h"),
            (1e6, "11d14h"),
        ),
    ],
)
def test_a_length_of_time(seconds: float | None, text: str) -> None:
    assert words.span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (3, "3"),
        (0.123, "0.12"),
        (4.25, "4.2"),
        (123.4, "123"),
        (1e7, "10000000"),
    ],
)
def test_a_number(count: float | None, text: str) -> None:
    assert words.number(count) == text


def test_times_near_now_need_no_date() -> None:
    assert words.ago(NOW - timedelta(seconds=5), NOW) == "5s ago"
    assert words.ago(NOW + timedelta(seconds=5), NOW) == "0s ago"
    assert words.ago(None, NOW) == "–"
    assert words.left(NOW + timedelta(minutes=5), NOW) == "12:05:00 UTC (in 5m)"
    assert words.left(NOW + timedelta(days=2), NOW) == "2026-11-23 12:00:00 UTC (in 2d)"


def test_a_missing_part_has_no_share() -> None:
    assert words.share(1, 4) == "25%"
    assert words.share(None, 4) == "–"
    assert words.share(1, None) == "–"
    assert words.share(1, 0) == "–"


def test_text_from_outside_can_not_steer_a_terminal() -> None:
    assert words.printable("a\x1b[2Jb\nc\td") == "a\ufffd[2Jb\ufffdc\ufffdd"
    assert words.printable("naïve – ünïcode") == "naïve – ünïcode"
