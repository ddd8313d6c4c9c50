"""What was changed of a fleet's size, when and why. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from examples.demo.recording import Sample
from scaler.model.common import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChange:
    """One change, as the target's record shows it."""

    at_seconds: float
    phase: str
    before: Size
    after: Size
    reasons: tuple[str, ...]
    cache_bound: str

    def __str__(self) -> str:
        """` 1:05  ramp    2 → 4 workers, cache 28; scale out activity`."""
        minutes, seconds = divmod(int(self.at_seconds), 60)
        parts = [_moved("workers", self.before.workers, self.after.workers)]
        parts.append(_moved("cache", self.before.cache, self.after.cache))
        why = ", ".join(reason.replace("_", " ") for reason in self.reasons)
        return f"{minutes:2}:{seconds:02}  {self.phase:8} {', '.join(filter(None, parts)):34} {why}".rstrip()


def changes(samples: Sequence[Sample]) -> list[SizeChange]:
    """All changes of the size that the target was set to."""
    known = [(sample, sample.size) for sample in samples if sample.size is not None]
    return [
        SizeChange(
            at_seconds=sample.at_seconds,
            phase=sample.phase,
            before=before,
            after=after,
            reasons=sample.reasons,
            cache_bound=sample.cache_bound,
        )
        for (_, before), (sample, after) in pairwise(known)
        if before != after
    ]


def _moved(name: str, before: int | None, after: int | None) -> str:
    return f"{name} {before} → {after}" if before != after else ""
