"""What a soak counts: decisions, what they did, the rules that one broke, and work that could have been spared."""

from dataclasses import asdict, dataclass, field
from typing import Any

from scaler.model.decision import Mode, Reason
from scaler.model.record import RolloutStep
from tests.properties.test_safety_rules import kept, sized
from tests.support.plausible import Step

REACHED = ("own_scale_ins", "cache_raises", "cache_cuts", "rollouts", "take_backs")
"""What has to happen for the rules about it to say anything."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a decision broke, and where."""

    rule: str
    kind: str
    life: int
    step: int
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.kind}, life {self.life}, step {self.step}: {self.message}"


@dataclass(slots=True)
class Tally:
    """The counts of a soak."""

    steps: int = 0
    own_scale_ins: int = 0
    cache_raises: int = 0
    cache_cuts: int = 0
    rollouts: int = 0  # decisions that take a step of one
    take_backs: int = 0
    lost_work: int = 0  # tasks that the product had ended although it was told of them
    lost_unseen: int = 0  # tasks that began after the last heartbeat of the worker that was to go
    kills: int = 0
    lives: int = 0
    found: list[Broken] = field(default_factory=list)

    @property
    def broken(self) -> int:
        """How often a rule was broken."""
        return len(self.found)

    def count(self, step: Step) -> None:
        """One more decision."""
        self.steps += 1
        before, after = step.current, step.wanted
        override = step.before.operator.override
        if sized(step) and after.workers < kept(step) and (override is None or override.workers is None):
            self.own_scale_ins += 1
        if before.cache is not None and after.cache is not None and (override is None or override.cache is None):
            self.cache_raises += after.cache > before.cache
            self.cache_cuts += after.cache < before.cache
        self.rollouts += step.decision.plan.step is not RolloutStep.NONE
        self.take_backs += Reason.ROLLED_BACK in step.decision.reasons
        self.kills += step.decision.mode is Mode.EMERGENCY and Reason.OOM_KILL in step.decision.reasons

    def add(self, other: "Tally") -> None:
        """What another soak counted."""
        for name, value in asdict(other).items():
            if isinstance(value, int):
                setattr(self, name, getattr(self, name) + value)
        self.found += other.found

    def report(self) -> dict[str, Any]:
        """As one JSON object."""
        counts = {name: value for name, value in asdict(self).items() if isinstance(value, int)}
        shares = {f"{name}_share": round(counts[name] / max(self.steps, 1), 5) for name in REACHED}
        return {**counts, "broken": self.broken, **shares}
