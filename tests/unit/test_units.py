"""Durations and sizes as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.wire.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("200ms", 0.2), ("2.5s", 2.5), ("1d", 86_400), ("PT1M", 60)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 parsecs", "P", "Potatoes", "30s5m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("512Mi", 512 * 2**20), ("2Gi", 2 * 2**30), ("500M", 500 * 10**6), ("7", 7), ("1.5Gi", 3 * 2**29)],
)
def test_a_size_is_read(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "Mi", "-1Mi", "1Xi", "1 2"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(format_duration(duration)) == duration


def test_sizes_are_written_for_people() -> None:
    assert [format_size(count) for count in (0, 1536, 192 * 2**20, 3 * 2**29)] == [
        "0 B",
        "1.5 KiB",
        "192 MiB",
        "1.5 GiB",
    ]
