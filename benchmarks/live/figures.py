"""What a run comes to, in figures. Pure: what was planned, said, seen and read in; one row out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from benchmarks.live.histories import Waits
from benchmarks.live.reaction import reaction_seconds
from benchmarks.live.shape import bursts, shape_seconds
from benchmarks.live.site import SLOTS
from benchmarks.live.talk import Said
from benchmarks.live.watch import Sample, Watched, worker_seconds
from examples.agents.arrivals import Phase
from examples.agents.tally import Tally
from scaler.learn.nearest_rank import nearest_rank

LATE_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 30.0
"""After the load has ended; what is not answered then is lost."""

BUSY_SHARE: Final = 0.8
"""Of the machine's CPU; beyond it tasks may wait for the machine and not for workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that is known of a run once it is over."""

    phases: Sequence[Phase]
    planned: Sequence[Said]
    tally: Tally
    waits: Waits
    watched: Watched
    began_at: datetime
    decided_at: datetime | None  # None without a controller

    @property
    def seconds(self) -> float:
        """Until the load was over and its last turn answered, or until nobody waited for that any longer."""
        load = shape_seconds(self.phases)
        if self.tally.completed < len(self.planned):
            return load + PATIENCE_SECONDS
        return max(load, *(each.at_seconds + each.latency_seconds for each in self.tally.outcomes))

    @property
    def samples(self) -> Sequence[Sample]:
        """What was seen meanwhile."""
        return [sample for sample in self.watched.samples if sample.at_seconds <= self.seconds]

    @property
    def oom_kills(self) -> Sequence[datetime]:
        """When workers were killed meanwhile."""
        until = self.began_at + timedelta(seconds=self.seconds)
        return sorted(at for _, at in self.watched.oom_kills if at <= until)

    def record(self) -> dict[str, Any]:
        """All of it that a person may want to look at afterwards."""
        return {
            "began_at": self.began_at,
            "decided_at": self.decided_at,
            "oom_kills": self.oom_kills,
            "samples": [asdict(sample) for sample in self.samples],
            "turns": [asdict(outcome) for outcome in self.tally.outcomes],
            "waits": asdict(self.waits),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row. None is what was not seen, or does not exist without a controller."""

    turns: int
    conversations: int
    late_share: float  # lost ones are late
    lost: int
    turn_p50_s: float | None
    turn_p95_s: float | None
    turn_p99_s: float | None
    activity_wait_p95_s: float | None
    workflow_task_wait_p95_s: float | None
    oom_kills: int
    oom_kills_after_first_decision: int | None
    restarts: int
    worker_seconds: float
    least_worker_seconds: float
    worker_seconds_over_least: float
    draining_worker_seconds: float
    workers_min: int
    workers_max: int
    cache_last: int | None
    reaction_s: float | None
    machine_cpu_share: float
    machine_busy_share: float  # of the time
    memory_limit_held_by: str

    def told(self) -> dict[str, Any]:
        """As JSON has it, without digits that mean nothing."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def figures(run: Run) -> Figures:
    """Sum a run up."""
    tally, samples = run.tally, run.samples
    lost = len(run.planned) - tally.completed
    slow = sum(each.fault is None and each.latency_seconds > LATE_SECONDS for each in tally.outcomes)
    least = sum(said.model_seconds for said in run.planned) / SLOTS
    paid = worker_seconds(samples)
    return Figures(
        turns=len(run.planned),
        conversations=1 + max(said.arrival.conversation for said in run.planned),
        late_share=(slow + lost) / len(run.planned),
        lost=lost,
        turn_p50_s=tally.latency_seconds(50),
        turn_p95_s=tally.latency_seconds(95),
        turn_p99_s=tally.latency_seconds(99),
        activity_wait_p95_s=nearest_rank([wait.seconds for wait in run.waits.activities], 95),
        workflow_task_wait_p95_s=nearest_rank([wait.seconds for wait in run.waits.workflow_tasks], 95),
        oom_kills=len(run.oom_kills),
        oom_kills_after_first_decision=_kills_after(run),
        restarts=_restarts(samples),
        worker_seconds=paid,
        least_worker_seconds=least,
        worker_seconds_over_least=paid / least,
        draining_worker_seconds=worker_seconds(samples, draining=True),
        workers_min=min((sample.desired for sample in samples), default=0),
        workers_max=max((sample.desired for sample in samples), default=0),
        cache_last=samples[-1].cache if samples else None,
        reaction_s=reaction_seconds(run.waits, samples, bursts(run.phases)) if run.decided_at else None,
        machine_cpu_share=_mean([sample.cpu_share for sample in samples]),
        machine_busy_share=_mean([float(sample.cpu_share > BUSY_SHARE) for sample in samples]),
        memory_limit_held_by="watchdog" if run.watched.without_cgroup else "cgroup",
    )


def _kills_after(run: Run) -> int | None:
    if run.decided_at is None:
        return None
    return sum(at > run.decided_at for at in run.oom_kills)


def _restarts(samples: Sequence[Sample]) -> int:
    """Starts of a worker beyond its first."""
    most: dict[str, int] = {}
    for sample in samples:
        for worker in sample.workers:
            most[worker.name] = max(most.get(worker.name, 0), worker.restarts)
    return sum(most.values())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)
