"""What a simulated world is declared as: the load, the platform, how late its metrics are, and what is promised.

Pure. `scaler.simulation.catalogue` reads it strictly; docs/simulation.md says what each part means.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from scaler.fleet import CACHE_FLOOR, Objective
from scaler.wire.bounds import Bound
from scaler.wire.units import ByteCount, Duration

LONGEST_RUN = timedelta(hours=2)
"""A run, and the window that is cut from a trace, is at most so long."""

Positive = Bound(gt=0)
NotNegative = Bound(ge=0)
Share = Bound(ge=0, le=1)


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True)


class Spread(_Declared):
    """A time that varies: lognormal with this mean and squared coefficient of variation; 0 is constant."""

    mean: Annotated[Duration, Positive]
    scv: Annotated[float, Bound(ge=0, le=100)] = 1.0

    @property
    def mean_seconds(self) -> float:
        """The mean in seconds."""
        return self.mean.total_seconds()


class Steady(_Declared):
    """Poisson arrivals at one rate."""

    kind: Literal["steady"]
    turns_per_second: Annotated[float, Positive]


class Diurnal(_Declared):
    """A day that rises and falls once in `period`: Poisson arrivals around a sine, lowest at the start."""

    kind: Literal["diurnal"]
    turns_per_second: Annotated[float, Positive] = Field(description="Mean over a period.")
    swing: Annotated[float, Share] = 0.8
    period: Annotated[Duration, Positive] = timedelta(hours=2)


class FlashCrowd(_Declared):
    """A base rate that rises `factor` times within `rise`, holds, and falls back."""

    kind: Literal["flash_crowd"]
    turns_per_second: Annotated[float, Positive]
    factor: Annotated[float, Bound(ge=1)] = 10.0
    at: Annotated[Duration, NotNegative] = timedelta(minutes=40)
    rise: Annotated[Duration, Positive] = timedelta(seconds=60)
    hold: Annotated[Duration, NotNegative] = timedelta(minutes=10)
    fall: Annotated[Duration, Positive] = timedelta(minutes=5)


class Bursty(_Declared):
    """Poisson arrivals whose rate is drawn anew every `epoch`, gamma with coefficient of variation `cv`.

    The index of dispersion of the counts of one epoch is 1 + mean count · cv².
    """

    kind: Literal["bursty"]
    turns_per_second: Annotated[float, Positive] = Field(description="Mean over all epochs.")
    cv: Annotated[float, NotNegative] = 0.5
    epoch: Annotated[Duration, Positive] = timedelta(seconds=60)


class Cyclic(_Declared):
    """So many sessions that each have a turn once in `period`, always in the same order."""

    kind: Literal["cyclic"]
    sessions: Annotated[int, Bound(ge=1)]
    period: Annotated[Duration, Positive]


Arrivals = Annotated[Steady | Diurnal | FlashCrowd | Bursty | Cyclic, Field(discriminator="kind")]


class Sessions(_Declared):
    """How turns belong together: each session is one workflow run."""

    turns: Annotated[float, Bound(ge=1)] = Field(8.0, description="Mean number, geometric.")
    gap: Spread = Field(Spread(mean=timedelta(minutes=2), scv=4.0), description="From one turn to the next.")
    patience: Annotated[Duration, Positive] = Field(
        timedelta(minutes=5), description="Who could not have a turn for so long after it was due is gone."
    )
    closes: bool = Field(
        False, description="Whether a run ends with its last turn; else it stays open and idle, and cached."
    )


class Turns(_Declared):
    """What one turn causes: workflow tasks in a chain, with the activities spread evenly between them."""

    workflow_tasks: Annotated[int, Bound(ge=1, le=50)] = 3
    activities: Annotated[int, Bound(ge=0, le=50)] = 2
    events: Annotated[int, Bound(ge=3)] = Field(16, description="History events of one turn.")


class Replay(_Declared):
    """CPU time of a workflow task that finds its run in no cache, on top of its own: by default a Python worker's."""

    cpu: Annotated[Duration, NotNegative] = timedelta(milliseconds=12)
    per_event: Annotated[Duration, NotNegative] = timedelta(microseconds=460)


class Activities(_Declared):
    """The activities of a turn, and what bounds them beside the workers."""

    service: Spread = Spread(mean=timedelta(seconds=6), scv=1.0)
    cpu: Annotated[Duration, NotNegative] = timedelta(milliseconds=20)
    memory: Annotated[ByteCount, NotNegative] = 2 * 2**20
    lost_after: Annotated[Duration, Positive] = Field(
        timedelta(seconds=30), description="Heartbeat timeout: when the server retries one that died with its worker."
    )
    attempts: Annotated[int, Bound(ge=1)] = Field(20, description="The turn fails with the last of them.")
    rate_limit: Annotated[float, Positive] | None = Field(
        None, description="Activities a second that the task queue dispatches at most."
    )
    downstream: Annotated[int, Bound(ge=1)] | None = Field(
        None, description="Activities at a time that the downstream serves at full speed; more slow each other."
    )


class Step(_Declared):
    """A change at one moment."""

    at: Annotated[Duration, NotNegative]
    factor: Annotated[float, Positive]


class RunState(_Declared):
    """Bytes that a cached run takes, as of its last turn."""

    bytes: Annotated[ByteCount, NotNegative] = 2**20
    per_turn: Annotated[ByteCount, NotNegative] = 16 * 2**10
    per_hour: Annotated[ByteCount, NotNegative] = Field(0, description="Growth with the age of the run.")
    replayed_factor: Annotated[float, Bound(ge=1, le=100)] = Field(
        1.0, description="By how much a run that came back by a replay is larger than one that grew in its cache."
    )
    scv: Annotated[float, Bound(ge=0, le=100)] = Field(0.1, description="Between runs.")
    drift_per_hour: float = Field(0.0, description="Growth of all of it with the time of day: 0.4 is 40 % an hour.")
    step: Step | None = Field(None, description="A deploy after which every run that is touched takes `factor` times.")


class Workload(_Declared):
    """What the workers have to do for each turn."""

    sessions: Sessions = Sessions()
    turn: Turns = Turns()
    workflow_task_cpu: Annotated[Duration, Positive] = timedelta(milliseconds=5)
    replay: Replay = Replay()
    activity: Activities = Activities()
    state: RunState = RunState()


class Footprint(_Declared):
    """Memory of one worker: base + cached runs + evicted ones that are not collected yet + running activities."""

    limit: Annotated[ByteCount, Bound(ge=2**20)] = 2**30
    base: Annotated[ByteCount, NotNegative] = 150 * 2**20
    uncollected: Annotated[int, NotNegative] = Field(
        30, description="Evicted runs alive until the garbage collector comes (Python: 30 with hygiene, else all)."
    )
    collects: bool = Field(
        True, description="Whether evicted runs are ever freed; a Python worker without hygiene keeps them all."
    )
    retained: Annotated[float, Share] = Field(
        0.05, description="Part of what is freed that the allocator keeps (Python: this with hygiene, half without)."
    )


class Slots(_Declared):
    """Tasks that one worker runs at a time."""

    workflow: Annotated[int, Bound(ge=2)] = 100
    activity: Annotated[int, Bound(ge=1)] = 10


class StartUp(_Declared):
    """From the order of a worker until it polls."""

    time: Spread = Spread(mean=timedelta(seconds=20), scv=0.02)
    cpu: Annotated[Duration, NotNegative] = Field(timedelta(seconds=8), description="CPU time it takes.")


class BackOff(_Declared):
    """Waits before restarts; the first restart is immediate. The kubelet's by default."""

    initial: Annotated[Duration, NotNegative] = timedelta(seconds=10)
    limit: Annotated[Duration, NotNegative] = timedelta(minutes=5)
    reset_after: Annotated[Duration, NotNegative] = timedelta(minutes=10)


class WorkerBounds(_Declared):
    """Bounds of the worker count."""

    min: Annotated[int, Bound(ge=0)] = 1
    max: Annotated[int, Bound(ge=1, le=1000)] = 60


class Platform(_Declared):
    """What runs the workers."""

    workers: WorkerBounds = WorkerBounds()
    memory: Footprint = Footprint()
    slots: Slots = Slots()
    cores: Annotated[float, Positive] = Field(1.0, description="vCPU of one worker, what its CPU share is taken of.")
    workflow_cores: Annotated[float, Bound(gt=0, le=64)] = Field(
        1.0, description="Cores that workflow tasks can use; 1 for CPython."
    )
    start_up: StartUp = StartUp()
    back_off: BackOff = BackOff()
    drain: Annotated[Duration, NotNegative] = Field(
        timedelta(seconds=60), description="How long a worker that is to go may finish its activities."
    )
    price: Annotated[float, Positive] = 1.0


class SignalName(StrEnum):
    """A way by which something becomes known."""

    QUEUES = "queues"
    HEARTBEATS = "heartbeats"
    HISTORIES = "histories"
    MEMORY = "memory"
    TARGET = "target"
    STACK = "stack"


class Blackout(_Declared):
    """A stretch in which some signals can't be read."""

    at: Annotated[Duration, NotNegative]
    lasts: Annotated[Duration, Positive]
    signals: tuple[SignalName, ...]


class Stack(_Declared):
    """A metrics stack (Prometheus, Cloud Monitoring, metrics-server): what baselines scale on."""

    interval: Annotated[Duration, Positive] = timedelta(seconds=15)
    delay: Annotated[Duration, NotNegative] = Field(timedelta(seconds=20), description="From the scrape until seen.")
    jitter: Annotated[Duration, NotNegative] = Field(timedelta(seconds=10), description="Added to it, uniformly.")
    loss: Annotated[float, Share] = 0.0


class MetricPath(_Declared):
    """How what is true becomes what is seen."""

    queue_cache: Annotated[Duration, NotNegative] = Field(
        timedelta(seconds=5), description="The server answers with statistics up to this old."
    )
    queue_window: Annotated[Duration, Positive] = Field(
        timedelta(seconds=35), description="What the server averages its rates over: half a minute in whole buckets."
    )
    queue_loss: Annotated[float, Share] = Field(0.0, description="Part of the reads that fail.")
    heartbeats: Annotated[Duration, Bound(ge=1, le=60)] = Field(
        timedelta(seconds=60), description="Interval of worker heartbeats; the first comes one interval after a start."
    )
    memory: Annotated[Duration, Positive] = Field(
        timedelta(seconds=5), description="How often the platform samples the memory of its workers."
    )
    histories: Annotated[Duration, Positive] = timedelta(seconds=20)
    runs_sampled: Annotated[int, NotNegative] = Field(10, description="Histories read each time.")
    stack: Stack = Stack()
    blackouts: tuple[Blackout, ...] = ()


class StartSize(_Declared):
    """The fleet as it is found: so many workers, ready."""

    workers: Annotated[int, Bound(ge=0)] = 10
    cache: Annotated[int, Bound(ge=CACHE_FLOOR)] = 200
    warm: bool = Field(True, description="Whether its caches hold the sessions that are open; else it just started.")


class CacheCutByHand(_Declared):
    """Someone cuts the cache, as it happened at Gradient Labs; not where the policy decides the cache itself."""

    at: Annotated[Duration, NotNegative]
    cache: Annotated[int, Bound(ge=CACHE_FLOOR)]


class ReplayRegime(StrEnum):
    """What losing a cached run costs, beside the turn itself."""

    CHEAP = "cheap"
    EXPENSIVE = "expensive"


class MemoryRegime(StrEnum):
    """How far memory per cached run can be relied on."""

    AMPLE = "ample"
    TIGHT = "tight"
    DRIFTS = "drifts"
    STEPS = "steps"


class Regime(_Declared):
    """Which claims a benchmark may make here."""

    replay: ReplayRegime = ReplayRegime.CHEAP
    memory: MemoryRegime = MemoryRegime.AMPLE


class Scenario(_Declared):
    """One simulated world."""

    name: Annotated[str, Bound(pattern=r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")]
    about: str
    arrivals: Arrivals
    takes_trace: bool = Field(True, description="Whether a trace may stand in for these arrivals.")
    duration: Annotated[Duration, Bound(gt=0, le=LONGEST_RUN.total_seconds())] = LONGEST_RUN
    warm_up: Annotated[Duration, NotNegative] = Field(
        timedelta(minutes=5), description="Not scored, but for OOM kills and memory: no policy chose the start."
    )
    workload: Workload = Workload()
    platform: Platform = Platform()
    metrics: MetricPath = MetricPath()
    objective: Objective = Objective()
    start: StartSize = StartSize()
    cut_by_hand: CacheCutByHand | None = None
    regime: Regime = Regime()
    avoidable_kills: bool = Field(
        description="Whether memory grows by less than the head-room within one reaction time; a test computes it."
    )

    @property
    def duration_seconds(self) -> float:
        """How long a run lasts."""
        return self.duration.total_seconds()
