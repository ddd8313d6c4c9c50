"""What one decision costs for a fleet of a hundred workers: `python -m benchmarks.decision`.

A simulated fleet lives for an hour under a load that swings; then each of its decisions is made again, alone.
"""

import gc
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from scaler.decision import decide
from scaler.fleet import Fleet
from scaler.model.memory import Memory
from scaler.model.observation import Observation
from scaler.model.plan import Plan
from scaler.simulation import catalogue
from scaler.simulation.clock import moment
from scaler.simulation.joint import JointLoop
from scaler.simulation.load import LoadRequest, load_of
from scaler.simulation.scenario import Scenario
from scaler.simulation.steps import SteppedWorld
from scaler.simulation.world import World
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one decision was made from."""

    seen: Observation
    fleet: Fleet
    memory: Memory
    now: datetime


class _Recorded(JointLoop):
    """The product's loop, which keeps what its decisions were made from, and the size of what it carries along."""

    def __init__(self, world: World[Any], fleet: Fleet) -> None:
        self.asked: list[Asked] = []
        self.memory_bytes: list[int] = []
        self.state_bytes: list[int] = []
        super().__init__(world, fleet, SEED)

    def _decide(self, now: float) -> Plan:
        if self.state.observation is not None:
            memory = self.state.memory
            self.asked.append(
                Asked(seen=self.state.observation, fleet=self.state.fleet, memory=memory, now=moment(now))
            )
            self.memory_bytes.append(_size_bytes(memory))
            self.state_bytes.append(_size_bytes(self.state))
        return super()._decide(now)


def main() -> None:
    """Live, decide again, tell."""
    loop = _lived()
    seconds = sorted(_decision_seconds(loop.asked))
    workers = [sum(total.workers for total in each.seen.totals) for each in loop.asked]
    rows = {
        "decisions": f"{len(seconds):,}",
        "workers": f"{min(workers)} to {max(workers)}",
        "a decision, median": f"{1e3 * statistics.median(seconds):.2f} ms",
        "a decision, 99th percentile": f"{1e3 * seconds[int(0.99 * len(seconds))]:.2f} ms",
        "memory, largest": f"{max(loop.memory_bytes):,} bytes",
        "state, largest": f"{max(loop.state_bytes):,} bytes",
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


def _decision_seconds(asked: Sequence[Asked]) -> Iterator[float]:
    gc.disable()
    for each in asked:
        yield min(_once_seconds(each) for _ in range(ROUNDS))


def _once_seconds(asked: Asked) -> float:
    seen = replace(asked.seen)  # an observation keeps what was worked out of it
    began = time.perf_counter()
    decide(seen, asked.fleet, asked.memory, asked.now)
    return time.perf_counter() - began


def _size_bytes(value: object) -> int:
    """On the wire, as production writes it."""
    return len(DATA_CONVERTER.payload_converter.to_payload(value).data)


if __name__ == "__main__":
    main()
