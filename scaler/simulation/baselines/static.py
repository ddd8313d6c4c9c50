"""One size for the whole run, the best in hindsight: enough workers in all but one minute of twenty."""

from dataclasses import dataclass

import numpy as np

from scaler.model.common import Size
from scaler.simulation.baselines.needed import Needed
from scaler.simulation.future import Future
from scaler.simulation.policy import Briefing, MakeClairvoyant, Seen


@dataclass(slots=True)
class Static:
    """Keeps its size."""

    size: Size
    interval_seconds: float = 60.0

    def resize(self, _: Seen) -> Size:
        """As ever."""
        return self.size


def static(percentile: float) -> MakeClairvoyant:
    """The workers that are enough in this part of the windows, with the largest cache that is safe to the end."""

    def make(briefing: Briefing, future: Future) -> Static:
        needed = Needed(briefing.scenario, future)
        cache = needed.largest_cache()
        workers = int(np.percentile(needed.workers(cache), percentile, method="higher"))
        return Static(Size(max(workers, briefing.fleet.workers.min), cache))

    return make
