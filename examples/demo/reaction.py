"""How soon a burst was answered. Pure."""

from collections.abc import Sequence

from examples.demo.recording import Recording, Sample
from examples.demo.scenes import BURST, Scene

QUEUED_SECONDS = 0.5
"""A task that waited for longer did not find a free slot: it was backlog. Less is the machine's own noise."""


def reaction_seconds(recording: Recording, scenes: Sequence[Scene]) -> float | None:
    """From the first backlog of a burst until the first process of an additional worker starts; the worst over bursts.

    The backlog is as old as the first task that found no free slot, whenever anybody noticed it. A burst that was
    never answered counts until the recording ends, one that left no backlog as answered at once. None without a load.
    """
    bursts = [scene for scene in scenes if scene.name == BURST]
    return max((_reaction(recording, burst) for burst in bursts), default=None) if recording.activity_waits else None


def _reaction(recording: Recording, burst: Scene) -> float:
    queued = (
        wait.at_seconds
        for wait in recording.activity_waits
        if burst.begins <= wait.at_seconds < burst.ends and wait.seconds > QUEUED_SECONDS
    )
    backlog_at = min(queued, default=None)
    return max(_answered_at(recording, burst.begins) - backlog_at, 0.0) if backlog_at is not None else 0.0


def _answered_at(recording: Recording, begins: float) -> float:
    """When the first worker started of those that the fleet was set to since then; a mere replacement is none."""
    until = begins
    before = _workers(_last(recording.samples, begins))
    for sample in recording.samples:
        if sample.at_seconds <= begins:
            continue
        if _workers(sample) > before:
            if sample.workers >= _workers(sample):  # a rollout had them there already
                return sample.at_seconds
            starts = [start.at_seconds for start in recording.starts if start.at_seconds > until]
            return min(starts, default=recording.samples[-1].at_seconds)
        until = sample.at_seconds
    return until


def _last(samples: Sequence[Sample], at_seconds: float) -> Sample | None:
    return next((each for each in reversed(samples) if each.at_seconds <= at_seconds), None)


def _workers(sample: Sample | None) -> int:
    return sample.size.workers if sample is not None and sample.size is not None else 0
