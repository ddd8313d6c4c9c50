"""What was seen of one side of the replay. Values only."""

from dataclasses import dataclass, field

from examples.demo.incident.cpu_rule import CpuReading, Wish
from examples.demo.recording import Recording


@dataclass(slots=True, kw_only=True)
class Side:
    """What was recorded, and the CPU that it took."""

    recording: Recording
    cpu: list[CpuReading] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)  # of the CPU rule, on its side
    machine_cpu_share: float = 0.0
