"""What became of a load's turns, exactly: every latency is kept, none is put into a bucket."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One turn: answered after `latency_seconds`, or failed with a `fault`."""

    at_seconds: float  # when it arrived, since the load began
    latency_seconds: float  # from its arrival, whenever it could be sent, to its answer or fault
    fault: str | None = None


@dataclass(slots=True)
class Tally:
    """Grows while a load runs; fit to be read at any time, and after the load was cancelled."""

    arrived: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def completed(self) -> int:
        """Turns that were answered."""
        return len(self.outcomes) - self.failed

    @property
    def failed(self) -> int:
        """Turns that got an error, or no answer in time."""
        return sum(1 for _ in self.faults())

    @property
    def unanswered(self) -> int:
        """Turns under way; after a cancelled load, those that nobody waited for."""
        return self.arrived - len(self.outcomes)

    def faults(self) -> Iterator[str]:
        """Why turns failed, in the order in which they did."""
        return (outcome.fault for outcome in self.outcomes if outcome.fault is not None)

    def latency_seconds(self, percentile: float) -> float | None:
        """The latency that so many percent of the answered turns stayed within; None without any."""
        latencies = sorted(outcome.latency_seconds for outcome in self.outcomes if outcome.fault is None)
        if not latencies:
            return None
        return latencies[max(0, math.ceil(percentile / 100 * len(latencies)) - 1)]
