"""How many tasks of a kind run for longer than a drain, by literal values."""

import math

import pytest

from scaler.learn.task_length import TaskLength


@pytest.mark.parametrize(
    ("length", "beyond"),
    [
        (TaskLength(longest_seconds=30.0, mean_seconds=10.0), 0.0),  # none does
        (TaskLength(longest_seconds=math.inf, mean_seconds=math.inf), 5.0),  # for all that is known, all do
        # Half of them are of a kind with a mean of twenty seconds.
        (TaskLength(longest_seconds=50.0, mean_seconds=10.0, scv=1.0), 5.0 * math.exp(-30 / 20) / 2),
        (TaskLength(longest_seconds=math.inf, mean_seconds=0.0, unending_per_second=0.5), 0.5),
        (TaskLength(longest_seconds=math.inf, mean_seconds=0.0, unending_per_second=9.0), 5.0),  # no more than come
    ],
)
def test_of_five_a_second_so_many_run_for_longer_than_half_a_minute(length: TaskLength, beyond: float) -> None:
    assert length.beyond(30.0, 5.0) == pytest.approx(beyond)
