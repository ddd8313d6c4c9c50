"""Small worlds for tests, and policies that do one thing."""

from dataclasses import dataclass, field
from typing import Any

from scaler.model.common import Size
from scaler.simulation.contender import Baseline
from scaler.simulation.events import EventWorld
from scaler.simulation.load import Load, LoadRequest, load_of
from scaler.simulation.policy import Seen
from scaler.simulation.run import Mode
from scaler.simulation.scenario import Scenario
from scaler.simulation.steps import SteppedWorld
from scaler.simulation.world import World

MODES: dict[Mode, type[World[Any]]] = {Mode.EVENTS: EventWorld, Mode.STEPS: SteppedWorld}

SMALL: dict[str, Any] = {
    "name": "small",
    "about": "Ten minutes on a few workers.",
    "arrivals": {"kind": "steady", "turns_per_second": 4},
    "duration": "10m",
    "warm_up": "1m",
    "workload": {"sessions": {"turns": 6, "gap": {"mean": "30s", "scv": 2}}, "activity": {"service": {"mean": "3s"}}},
    "start": {"workers": 4, "cache": 100},
    "avoidable_kills": True,
}


def declared(**changes: Any) -> Scenario:
    """A small scenario, changed at the top and one level below."""
    merged = {key: value | changes.pop(key, {}) if isinstance(value, dict) else value for key, value in SMALL.items()}
    return Scenario.model_validate(merged | changes)


def load(scenario: Scenario, seed: int = 1) -> Load:
    """Its load."""
    return load_of(scenario, LoadRequest(seed=seed))


def world(scenario: Scenario, mode: Mode = Mode.EVENTS, seed: int = 1) -> World[Any]:
    """A world of it at its beginning."""
    return MODES[mode](scenario, load(scenario, seed), seed)


def run_for(running: World[Any], seconds: float) -> World[Any]:
    """Let time pass second by second, as a run does."""
    until = running.now + seconds
    while running.now < until - 0.5:
        running.advance(running.now + 1)
    return running


@dataclass
class Fixed:
    """Keeps a worker count, and keeps what it saw."""

    workers: int
    interval_seconds: float = 30.0
    seen: list[Seen] = field(default_factory=list)

    def resize(self, seen: Seen) -> Size:
        self.seen.append(seen)
        return Size(self.workers)


def fixed(workers: int, cache: int | None = None) -> Baseline:
    """A contender that keeps a size."""
    return Baseline(name=f"fixed-{workers}", make=lambda _: Fixed(workers), start_cache=cache)
