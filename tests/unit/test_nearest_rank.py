"""Percentiles of what was seen."""

import pytest

from scaler.learn.nearest_rank import nearest_rank


@pytest.mark.parametrize(
    ("percentile", "value"), [(0, 1.0), (25, 1.0), (26, 2.0), (50, 2.0), (95, 4.0), (99.9, 4.0), (100, 4.0)]
)
def test_a_percentile_is_a_value_that_was_seen(percentile: float, value: float) -> None:
    assert nearest_rank([3.0, 1.0, 2.0, 4.0], percentile) == value


def test_of_nothing_there_is_none() -> None:
    assert nearest_rank([], 50) is None
