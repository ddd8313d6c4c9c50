"""What the product would make of one worker's memory: its own envelope, fed with observations of that worker. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from scaler.fleet import Fleet
from scaler.learn.footprint import memory_use, remembered
from scaler.model.common import Generation, Quality
from scaler.model.estimate import MemoryUse
from scaler.model.observation import Observation, TargetSeen, WorkerSeen, WorkerState
from scaler.model.record import Applied, StepOutcome
from scaler.model.remembered import Footprint

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)

Sample = tuple[float, int, int]
"""When, in seconds; how many runs were cached; how many bytes the worker held."""


def envelope_after(samples: Iterable[Sample], limit_bytes: int) -> MemoryUse:
    """The estimate after these samples, in their order; there must be one."""
    memory, seen, declared = Footprint(), None, fleet()
    for at, cached, size in samples:
        seen = _observed(at, cached, size, limit_bytes)
        memory = remembered(memory, seen)
    if seen is None:
        raise ValueError("an envelope needs a sample")
    return memory_use(memory, seen, declared, seen.observed_at)


def growth_after(samples: Iterable[Sample], limit_bytes: int) -> float:
    """Bytes a second that the product believes the worker to grow by."""
    memory = Footprint()
    for at, cached, size in samples:
        memory = remembered(memory, _observed(at, cached, size, limit_bytes))
    return memory.growth_bytes_per_second


def _observed(at: float, cached: int, size: int, limit_bytes: int) -> Observation:
    worker = WorkerSeen(
        name="w-1",
        state=WorkerState.READY,
        age_seconds=at,
        memory_bytes=size,
        memory_age_seconds=0.0,
        heartbeat_age_seconds=0.0,
        caches=1,
        cached=cached,
        activity_slots=0,
        activity_slots_used=0,
    )
    now = BEGINNING + timedelta(seconds=at)
    return Observation(
        observed_at=now,
        found=None,
        applied=Applied(generation=Generation(1.0, 1), outcome=StepOutcome.APPLIED, record=None),
        target=TargetSeen(at=now, quality=Quality.FRESH, memory_limit_bytes=limit_bytes),
        workers=(worker,),
    )


def fleet() -> Fleet:
    """As little as a fleet can declare; its target is the local group `calibration`."""
    return Fleet.model_validate(
        {
            "name": "calibration",
            "target": {"kind": "local", "name": "calibration"},
            "task_queues": [{"name": "calibration"}],
            "workers": {"min": 1, "max": 10},
        }
    )
