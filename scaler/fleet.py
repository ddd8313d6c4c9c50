"""What a user declares about a fleet of workers. Pure; `scaler.door` reads it strictly, all else tolerantly."""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from scaler.model.common import Polled, TaskType, TolerantEnum
from scaler.wire.bounds import Bound, Known
from scaler.wire.units import ByteCount, Duration

CACHE_FLOOR: Final = 10
"""Below this the SDK's workflow task concurrency collapses to about one (measured: max(1, cache − 4))."""

DEFAULT_CACHE_VARIABLE: Final = "TEMPORAL_MAX_CACHED_WORKFLOWS"

NAME_PATTERN: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
NAME_WORDS: Final = "lower-case letters, digits and inner dashes, 63 at most"
CLOCK_WORDS: Final = "a time of day such as 08:30, in quotes"


class TargetKind(TolerantEnum):
    """Where a fleet's workers run."""

    LOCAL = "local"
    KUBERNETES = "kubernetes"
    CLOUD_RUN = "cloud_run"
    UNKNOWN = "unknown"


class Delivery(TolerantEnum):
    """How the cache size reaches a worker."""

    ENVIRONMENT = "environment"  # a variable, read when the worker starts
    FILE = "file"  # a file that the worker watches
    CONFIGMAP = "configmap"  # the same, mounted from a ConfigMap
    FIXED = "fixed"  # not at all: this product leaves the cache alone
    UNKNOWN = "unknown"


class Switch(TolerantEnum):
    """On or off."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


def _switch(value: Any) -> Any:
    """YAML 1.1 reads `on` and `off` as booleans, and JSON writers use booleans anyway."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True)


class Target(_Declared):
    """The scale target: one group of identical workers."""

    kind: Annotated[TargetKind, Known()]
    name: str | None = Field(
        None, description="The target's name; for a local one its name in the controller's configuration."
    )
    selector: str | None = Field(
        None, description="Kubernetes labels, where a fleet is several Deployments (one for each build id)."
    )
    namespace: str | None = Field(None, description="Kubernetes namespace, or Google Cloud project and region.")
    container: str | None = Field(None, description="The container that runs the worker; default: the only one.")
    host: str | None = Field(
        None, description="Local targets: the host they live on; default: where the first tick was served."
    )

    def identity(self, host: str | None = None) -> str:
        """One spelling for all declarations of one target: `kubernetes/default/agents`."""
        namespace = self.namespace or ("default" if self.kind is TargetKind.KUBERNETES else "")
        place = (self.host or host or "") if self.kind is TargetKind.LOCAL else namespace
        which = self.name if self.name is not None else f"selector {self.selector}"
        return f"{self.kind}/{place}/{which}"


class TemporalPlace(_Declared):
    """Where the fleet's task queues are."""

    connection: str | None = Field(
        None,
        description="A connection named in the controller's configuration; default: the controller's own.",
    )
    namespace: str | None = Field(None, description="Temporal namespace; default: the connection's.")


class TaskQueue(_Declared):
    """A task queue that the workers poll."""

    name: str = Field(description="Its name, as the workers are given it.")
    types: tuple[Annotated[TaskType, Known()], ...] = Field(
        (TaskType.WORKFLOW, TaskType.ACTIVITY), description="What these workers poll it for."
    )
    share: Annotated[float, Bound(gt=0, le=1)] | None = Field(
        None,
        description="This fleet's part of a queue that another fleet polls too; both must declare theirs.",
    )


class Slots(_Declared):
    """How many tasks one worker runs at a time; for workers that don't report it (no heartbeats, tuned slots)."""

    workflow: Annotated[int, Bound(ge=1)] | None = Field(
        None, description="Workflow tasks; default: what heartbeats tell, else 100."
    )
    activity: Annotated[int, Bound(ge=1)] | None = Field(
        None, description="Activities; default: what heartbeats tell, else 100."
    )


class Workers(_Declared):
    """Bounds of the worker count, and what is known of one worker."""

    min: Annotated[int, Bound(ge=0)] = Field(
        description="Never fewer; 0 lets an idle fleet go to zero, and its next task pays for a start."
    )
    max: Annotated[int, Bound(ge=1, le=10_000)] = Field(description="Never more, but for the surge of a rollout.")
    reserve: Annotated[int, Bound(ge=0)] = Field(0, description="Workers kept free above what the load needs.")
    slots: Slots = Slots()
    caches: Annotated[int, Bound(ge=1)] | None = Field(
        None, description="Caches that one worker holds, where heartbeats don't tell; default 1."
    )
    price: Annotated[float, Bound(gt=0)] = Field(
        1.0, description="Price of one worker-hour; only its relation to the price of replaying matters."
    )


class ConfigMapKey(_Declared):
    """The ConfigMap entry that holds the cache size."""

    name: str = Field(description="Name of the ConfigMap.")
    key: str = Field(description="The key in it.")


class Cache(_Declared):
    """Bounds of the workflow cache size, counted per cache, and how it reaches the workers."""

    min: Annotated[int, Bound(ge=CACHE_FLOOR)] = Field(
        CACHE_FLOOR, description="Never smaller, unless memory demands it; below 10 an SDK hardly runs workflow tasks."
    )
    max: Annotated[int, Bound(ge=CACHE_FLOOR, le=1_000_000)] = Field(10_000, description="Never larger.")
    delivery: Annotated[Delivery, Known()] = Field(
        Delivery.ENVIRONMENT,
        description="How the size reaches a worker: a variable, read when it starts; a file or a ConfigMap that it "
        "watches; or not at all (fixed), and the cache is left alone.",
    )
    variable: Annotated[str, Bound(pattern=r"[A-Za-z_][A-Za-z0-9_]*", words="the name of an environment variable")] = (
        Field(DEFAULT_CACHE_VARIABLE, description="The environment variable, with delivery: environment.")
    )
    path: str | None = Field(None, description="The file, with delivery: file.")
    configmap: ConfigMapKey | None = Field(None, description="The entry, with delivery: configmap.")


class MemoryBound(_Declared):
    """How much memory one worker may use."""

    limit: Annotated[ByteCount, Bound(ge=2**20)] | None = Field(None, description="Default: what the target enforces.")
    headroom: Annotated[float, Bound(ge=0.02, le=0.6)] = Field(0.15, description="Part of the limit that stays free.")


class Objective(_Declared):
    """How long a task may wait between being scheduled and being started, at a percentile of all tasks."""

    percentile: Annotated[float, Bound(ge=1, le=99.9)] = Field(95.0, description="So many tasks of a hundred.")
    workflow_task: Annotated[Duration, Bound(gt=0)] = Field(
        timedelta(milliseconds=200), description="For workflow tasks of each queue that is polled for them."
    )
    activity: Annotated[Duration, Bound(gt=0)] = Field(
        timedelta(seconds=1), description="For activities of each queue that is polled for them."
    )


class ConnectionLimit(_Declared):
    """What a downstream bears: workers × `per_worker` stays at or below `connections`."""

    connections: Annotated[int, Bound(ge=1)] = Field(description="What it bears in all.")
    per_worker: Annotated[int, Bound(ge=1)] = Field(description="What one worker takes of it.")


class Signals(_Declared):
    """Which sources are read."""

    histories: Annotated[Switch, BeforeValidator(_switch), Known()] = Field(
        Switch.ON, description="Whether times of tasks are sampled from workflow histories; payloads are never read."
    )
    history_queues: tuple[str, ...] = Field(
        (),
        description="Workflow queues whose histories show this fleet's activities; default: its own queues.",
    )


class Behaviour(_Declared):
    """How sizes change. The defaults serve; each knob is for a fleet that is not like others."""

    surge: Annotated[int, Bound(ge=0)] | None = Field(
        None,
        description="Workers a rollout may run above the decided count; default 25 %, at least 1; 0 replaces in place.",
    )
    drain: Annotated[Duration, Bound(gt=0, le=86_400)] = Field(
        timedelta(seconds=60),
        description="How long a worker may finish its tasks before it is killed; one that may need longer stays.",
    )
    scale_in_window: Annotated[Duration, Bound(ge=0, le=86_400)] | None = Field(
        None,
        description="How long a lower need must have held; default: derived from what taking a worker away costs.",
    )
    foreign_hold: Annotated[Duration, Bound(ge=0, le=604_800)] = Field(
        timedelta(minutes=30), description="How long a count that somebody else set is left alone."
    )


class ScheduleWindow(_Declared):
    """A recurring window with a higher floor; days and times are of `zone`."""

    days: tuple[
        Annotated[str, Bound(pattern="mon|tue|wed|thu|fri|sat|sun", words="mon, tue, wed, thu, fri, sat or sun")], ...
    ] = Field(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), description="Days on which it begins.")
    start: Annotated[str, Bound(pattern=r"([01]\d|2[0-3]):[0-5]\d", words=CLOCK_WORDS)] = Field(
        description="When it begins."
    )
    end: Annotated[str, Bound(pattern=r"([01]\d|2[0-3]):[0-5]\d", words=CLOCK_WORDS)] = Field(
        description="When it ends; on the next day where that is not after its start."
    )
    zone: str = Field("UTC", description="A time zone such as Europe/Paris.")
    min: Annotated[int, Bound(ge=0)] = Field(description="Never fewer workers within the window.")


class Fleet(_Declared):
    """A set of identical workers behind one scale target that polls one or more task queues."""

    name: Annotated[str, Bound(pattern=NAME_PATTERN, words=NAME_WORDS)] = Field(
        description="Names its workflow too, worker-scaler/<name>; fixed for life, like target and temporal."
    )
    target: Target
    temporal: TemporalPlace = TemporalPlace()
    task_queues: tuple[TaskQueue, ...] = Field(description="What its workers poll; at least one.")
    workers: Workers
    cache: Cache = Cache()
    memory: MemoryBound = MemoryBound()
    objective: Objective = Objective()
    limits: ConnectionLimit | None = None
    signals: Signals = Signals()
    behaviour: Behaviour = Behaviour()
    schedule: tuple[ScheduleWindow, ...] = Field((), description="Windows in which more workers are kept.")

    def polls(self, task_type: TaskType) -> bool:
        """Whether these workers take tasks of this type from any queue."""
        return any(task_type in queue.types for queue in self.task_queues)

    @property
    def polled(self) -> tuple[Polled, ...]:
        """Every task queue with every type of task that these workers poll it for."""
        polled = (Polled(queue.name, task_type) for queue in self.task_queues for task_type in queue.types)
        return tuple(dict.fromkeys(polled))

    def share(self, queue: str) -> float:
        """The part of a queue that is this fleet's."""
        return next((each.share for each in self.task_queues if each.name == queue and each.share is not None), 1.0)

    @property
    def queue_names(self) -> frozenset[str]:
        """The queues that these workers poll, as far as the fleet declares them."""
        return frozenset([queue.name for queue in self.task_queues])

    @property
    def decides_cache(self) -> bool:
        """Whether the cache size is this product's to set."""
        return self.cache.delivery is not Delivery.FIXED and self.polls(TaskType.WORKFLOW)

    @property
    def most_workers(self) -> int:
        """The most workers that bounds and limits allow."""
        if self.limits is None:
            return self.workers.max
        return min(self.workers.max, self.limits.connections // self.limits.per_worker)

    def objective_seconds(self, task_type: TaskType) -> float:
        """The schedule-to-start objective for tasks of this type, in seconds."""
        by_type: dict[TaskType, timedelta] = {
            TaskType.WORKFLOW: self.objective.workflow_task,
            TaskType.ACTIVITY: self.objective.activity,
        }
        return by_type[task_type].total_seconds()
