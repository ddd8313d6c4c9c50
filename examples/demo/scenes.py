"""The load of the demo: what its users do, phase by phase. Scaled to the time that it may take."""

from collections.abc import Sequence
from dataclasses import dataclass

from examples.agents.arrivals import Phase, Users
from examples.agents.messages import Agent

AGENT = Agent(context_bytes=3 * 2**20)
USERS = Users(mean_gap_seconds=20.0, leave_after_seconds=60.0)
"""People who think: more conversations are open at a time than turns are under way, which is what caches are for."""

BURST = "burst"

_SHARES = (
    ("quiet", 0.15, 1.0, 1.0),
    ("ramp", 0.25, 1.0, 4.0),
    ("lull", 0.07, 2.0, 2.0),
    (BURST, 0.13, 9.0, 9.0),
    ("evening", 0.40, 1.0, 1.0),
)
"""Name, share of the whole time, turns per second at the start and at the end."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A phase of the load, and when it begins."""

    phase: Phase
    begins: float

    @property
    def name(self) -> str:
        """The phase's."""
        return self.phase.name

    @property
    def ends(self) -> float:
        """When the next one begins."""
        return self.begins + self.phase.seconds


def scenes(seconds: float) -> tuple[Scene, ...]:
    """The phases of a demo that takes so long."""
    begins, told = 0.0, []
    for name, share, start, end in _SHARES:
        told.append(Scene(Phase(name, share * seconds, start, end), begins))
        begins += share * seconds
    return tuple(told)


def scene_at(told: Sequence[Scene], at_seconds: float) -> tuple[str, float]:
    """The phase at a moment, and the turns per second that it offers then; after the last one nothing is offered."""
    for scene in told:
        if scene.begins <= at_seconds < scene.ends:
            return scene.name, scene.phase.rate(at_seconds - scene.begins)
    return "end", 0.0
