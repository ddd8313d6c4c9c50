"""Words that every other value is made of: sizes, generations, readings and their quality.

Pure and frozen. Enums are read tolerantly, so that one version of the controller can read what a later one wrote.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

FNV_OFFSET, FNV_PRIME = 0x811C9DC5, 0x01000193


def mark(text: str) -> str:
    """Eight hexadecimal digits that stand for a text where only its likes are to be told apart (32-bit FNV-1a)."""
    value = FNV_OFFSET
    for byte in text.encode():
        value = (value ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return f"{value:08x}"


class TolerantEnum(StrEnum):
    """An enum that a later version may have added members to: what is not known reads as `unknown`."""

    @classmethod
    def _missing_(cls, value: object) -> Self:  # noqa: ARG003 (the signature is enum's)
        return cls["UNKNOWN"]


class TaskType(TolerantEnum):
    """What a worker polls a task queue for."""

    WORKFLOW = "workflow"
    ACTIVITY = "activity"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Polled:
    """A task queue that the workers poll, and for which type of task: what has a load and slots of its own."""

    queue: str
    task_type: TaskType

    @classmethod
    def of(cls, each: "OfQueue") -> "Polled":
        """What a reading, a load or a trial is of."""
        return cls(each.queue, each.task_type)


class OfQueue(Protocol):
    """Whatever is of one task queue and type."""

    @property
    def queue(self) -> str:
        """The task queue's name."""
        ...

    @property
    def task_type(self) -> TaskType:
        """Which of its tasks."""
        ...


class Quality(TolerantEnum):
    """How far a reading may be trusted. Only a fresh one allows a cut; a missing one is never zero."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """When something was measured and how good it is. Without a time it is missing."""

    at: datetime | None = None
    quality: Quality = Quality.MISSING


@dataclass(frozen=True, slots=True)
class Size:
    """What is decided: how many workers, and how many workflows each of their caches may hold.

    `cache` is None where it is not this product's to set (no workflow tasks, or `delivery: fixed`); in a plan
    None leaves the cache as the target's record has it.
    """

    workers: int
    cache: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Generation:
    """Orders the plans of a fleet: when its first run started (seconds since the epoch), then a counter.

    A workflow that was stopped and started again has a later epoch, so its first plan is above every old one.
    """

    epoch: float
    counter: int

    def next(self) -> "Generation":
        """The generation of the plan after this one."""
        return Generation(self.epoch, self.counter + 1)


@dataclass(frozen=True, slots=True)
class Owner:
    """The workflow that a target belongs to; `cluster` tells namespaces of one name on two Temporal servers apart.

    It is the namespace's own id. Records of versions that did not write it may be any cluster's.
    """

    namespace: str
    workflow_id: str
    cluster: str = ""

    def is_same(self, other: "Owner | None") -> bool:
        """Whether both name one workflow, as far as they tell."""
        if other is None or (self.namespace, self.workflow_id) != (other.namespace, other.workflow_id):
            return False
        return self.cluster == other.cluster or not (self.cluster and other.cluster)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a fleet claims, in one spelling: its target, and the server and namespace that its queues are in."""

    target: str
    place: str = ""
