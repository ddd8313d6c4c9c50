"""What one decision costs for a fleet of a hundred workers: `python -m benchmarks.decision`.

A simulated fleet lives for an hour under a load that swings; then each of its decisions is made again, alone.
"""

import statistics
from dataclasses import dataclass, replace
from datetime import datetime
from timeit import repeat
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from scaler.decide import decide
from scaler.fleet import Fleet
from scaler.model.observation import Observation
from scaler.model.plan import Plan
from scaler.simulation import catalogue
from scaler.simulation.clock import moment
from scaler.simulation.joint import JointLoop
from scaler.simulation.load import LoadRequest, load_of
from scaler.simulation.scenario import Scenario
from scaler.simulation.steps import SteppedWorld
from scaler.simulation.world import World
from scaler.state import State
from workflows.payloads import DATA_CONVERTER

SEED: Final = 1
ROUNDS: Final = 5
"""Each decision counts with the fastest of so many: what else runs on the machine is not what is measured."""

FLEET: Final[dict[str, Any]] = {
    "name": "a-hundred-workers",
    "arrivals": {"kind": "diurnal", "turns_per_second": 75, "swing": 0.4, "period": "1h"},
    "duration": "1h",
    "platform": {"workers": {"min": 1, "max": 200}},
    "start": {"workers": 100, "cache": 200},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one decision was made from, and when."""

    seen: Observation
    state: State
    now: datetime


class _Recorded(JointLoop):
    """The product's loop, which keeps what its decisions were made from."""

    def __init__(self, world: World[Any], fleet: Fleet) -> None:
        self.asked: list[Asked] = []
        super().__init__(world, fleet, SEED)

    def _decide(self, now: float) -> Plan:
        seen = self.state.observation
        if seen is not None:
            self.asked.append(Asked(seen, self.state, moment(now)))
        return super()._decide(now)


def main() -> None:
    """Live, decide again, tell."""
    asked = _lived().asked
    seconds = sorted(map(_decision_seconds, asked))
    workers = [sum(total.workers for total in each.seen.totals) for each in asked]
    rows = {
        "decisions": f"{len(seconds):,}",
        "workers": f"{min(workers)} to {max(workers)}",
        "a decision, median": f"{1e3 * statistics.median(seconds):.2f} ms",
        "a decision, 99th percentile": f"{1e3 * seconds[int(0.99 * len(seconds))]:.2f} ms",
        "memory, largest": f"{max(_size_bytes(each.state.memory) for each in asked):,} bytes",
        "state, largest": f"{max(_size_bytes(each.state) for each in asked):,} bytes",
    }
    table = Table("figure", "measured")
    for row in rows.items():
        table.add_row(*row)
    Console().print(table)


def _lived() -> _Recorded:
    scenario = Scenario.model_validate(catalogue.named("diurnal").model_dump() | FLEET)
    load = load_of(scenario, LoadRequest(seed=SEED))
    world = SteppedWorld(scenario, load, SEED)
    loop = _Recorded(world, catalogue.fleet_of(scenario))
    for second in range(int(load.seconds)):
        world.advance(float(second))
        loop.act(world.now)
    return loop


def _decision_seconds(asked: Asked) -> float:
    """The fastest of a few times, each on an observation of its own: one keeps what was worked out of it."""
    observations = iter([replace(asked.seen) for _ in range(ROUNDS)])
    fleet, memory = asked.state.fleet, asked.state.memory
    return min(repeat(lambda: decide(next(observations), fleet, memory, asked.now), number=1, repeat=ROUNDS))


def _size_bytes(value: object) -> int:
    """On the wire, as production writes it."""
    return len(DATA_CONVERTER.payload_converter.to_payload(value).data)


if __name__ == "__main__":
    main()
