"""What nobody can know: the turns that will come. For the clairvoyant policies alone, as a bound."""

from dataclasses import dataclass

import numpy as np

from scaler.simulation.load import Load
from scaler.simulation.traces import Floats


@dataclass(frozen=True, slots=True)
class Future:
    """The load of a run, from its beginning to its end."""

    load: Load

    def turns_between(self, start: float, end: float) -> int:
        """Turns that arrive from `start` until before `end`."""
        first, last = np.searchsorted(self.load.at, [start, end])
        return int(last - first)

    def turns_per_second(self, window_seconds: float) -> Floats:
        """The mean rate in each window of the run."""
        edges = np.arange(0.0, self.load.seconds + window_seconds, window_seconds)
        counts, _ = np.histogram(self.load.at, edges)
        return counts / window_seconds

    def activity_slots(self, window_seconds: float) -> Floats:
        """Activity slots that would be busy on average in each window if nothing ever waited.

        An activity is taken to begin when its turn arrives; the chain of a turn is short beside a window.
        """
        edges = np.arange(0.0, self.load.seconds + window_seconds, window_seconds)
        busy = np.zeros(len(edges) - 1)
        begun = np.zeros(len(self.load))
        begun += self.load.at
        for place in range(self.load.service_seconds.shape[1]):
            ended = begun + self.load.service_seconds[:, place]
            busy += _overlap(begun, ended, edges)
            begun = ended
        return busy / window_seconds


def _overlap(begun: Floats, ended: Floats, edges: Floats) -> Floats:
    """Seconds of all intervals in each window: the time begun by its end less that begun before it."""

    def passed(moments: Floats) -> Floats:
        order = np.sort(moments)
        count = np.searchsorted(order, edges)
        seconds: Floats = edges * count - np.concatenate([[0.0], np.cumsum(order)])[count]
        return seconds

    return np.diff(passed(begun) - passed(ended))
