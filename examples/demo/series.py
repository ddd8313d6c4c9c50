"""From a recording to what can be drawn: figures over time. Pure."""

from collections import deque
from collections.abc import Sequence

from examples.demo.recording import Sample, Wait
from scaler.learn.nearest_rank import nearest_rank

Points = tuple[list[float], list[float]]
"""Seconds since the load began, and the figure at each of them."""

GRID_SECONDS = 0.5
WINDOW_SECONDS = 10.0
RATE_SECONDS = 5.0


def answered_per_second(samples: Sequence[Sample]) -> Points:
    """Turns that were answered, over the last seconds."""
    recent: deque[Sample] = deque()
    times, rates = [], []
    for sample in samples:
        recent.append(sample)
        while sample.at_seconds - recent[0].at_seconds > RATE_SECONDS:
            recent.popleft()
        passed = sample.at_seconds - recent[0].at_seconds
        times.append(sample.at_seconds)
        rates.append((sample.completed - recent[0].completed) / passed if passed > 0 else 0.0)
    return times, rates


def waiting(waits: Sequence[Wait], until_seconds: float) -> Points:
    """How many tasks waited at each moment: scheduled by then, and started later."""
    changes = sorted(
        [(wait.at_seconds, 1) for wait in waits] + [(wait.at_seconds + wait.seconds, -1) for wait in waits]
    )
    times, counts, count, place = [], [], 0, 0
    for at_seconds in _grid(until_seconds):
        while place < len(changes) and changes[place][0] <= at_seconds:
            count += changes[place][1]
            place += 1
        times.append(at_seconds)
        counts.append(float(count))
    return times, counts


def wait_percentile(waits: Sequence[Wait], until_seconds: float, percent: float) -> Points:
    """The percentile of the waits of tasks that were scheduled in the last seconds; a gap where there were none."""
    times, figures = [], []
    for at_seconds in _grid(until_seconds):
        recent = [wait.seconds for wait in waits if at_seconds - WINDOW_SECONDS < wait.at_seconds <= at_seconds]
        figure = nearest_rank(recent, percent)
        times.append(at_seconds)
        figures.append(figure if figure is not None else float("nan"))
    return times, figures


def _grid(until_seconds: float) -> list[float]:
    return [place * GRID_SECONDS for place in range(int(until_seconds / GRID_SECONDS) + 1)]
