"""A world that answers every tick at once: workers on paper, and a load that the test writes, tick by tick.

Ticks that a fleet would spend an hour on pass in seconds; what is left out is only the waiting.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.check_target import Serving, TargetChecker
from activities.joining import totals
from activities.neighbours import Neighbours
from activities.requests import RECONCILE, Reconcile
from activities.rows import rows_kept
from activities.running_fleets import RunningFleets
from activities.targets.contract import TargetLook
from scaler.fleet import TargetKind
from scaler.learn.freshness import HEARTBEAT
from scaler.model.common import Quality, TaskType
from scaler.model.observation import Observation, QueueSeen, WorkerSeen
from tests.support.paper_target import PaperTarget
from workflows.messages import TASK_QUEUE
from workflows.scale_fleet import ScaleFleet

ACTIVITY_SLOTS = 8


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the world is like during one tick."""

    backlog_tasks: int = 0
    backlog_age_seconds: float = 0.0
    arrivals_per_second: float = 0.0
    busy_slots: int = 0
    cached: int = 40
    memory_bytes: int = 60 * 2**20


Script = Callable[[int], Scene]
QUIET = Scene()


@dataclass
class ScriptedWorld:
    """Serves `reconcile`; fleets without a script of their own have a quiet time. `ticks` counts each one's."""

    scripts: dict[str, Script] = field(default_factory=dict)
    paper: PaperTarget = field(default_factory=PaperTarget)
    ticks: dict[str, int] = field(default_factory=dict)

    @activity.defn(name=RECONCILE)
    async def reconcile(self, request: Reconcile) -> Observation:
        """Carry the plan out on paper and tell the scene."""
        name, now = request.fleet.name, datetime.now(UTC)
        tick = self.ticks[name] = self.ticks.get(name, -1) + 1
        scene, group = self._scene(name, tick), self.paper.group(name)
        group.memory_bytes = scene.memory_bytes
        taken = group.take(request.plan, request.stamp, now)
        look = group.look(now)
        rows = _rows(look, scene)
        return Observation(
            observed_at=now,
            found=taken.found,
            applied=taken.applied,
            target=look.target,
            queues=_queues(request, scene, now),
            workers=rows_kept(rows),
            totals=totals(rows, HEARTBEAT.fresh.total_seconds()),
            exits=look.exits,
        )

    def _scene(self, name: str, tick: int) -> Scene:
        script = self.scripts.get(name)
        return QUIET if script is None else script(tick)


def _rows(look: TargetLook, scene: Scene) -> tuple[WorkerSeen, ...]:
    """The load is spread evenly, and each worker reports itself."""
    used = min(ACTIVITY_SLOTS, scene.busy_slots // max(1, len(look.workers)))
    return tuple(
        replace(
            worker.seen,
            heartbeat_age_seconds=0.0,
            caches=1,
            cached=min(scene.cached, worker.seen.cache or scene.cached),
            workflow_slots=100,
            workflow_slots_used=0,
            activity_slots=ACTIVITY_SLOTS,
            activity_slots_used=used,
            workflow_tasks_per_second=1.0,
            activities_per_second=float(used),
        )
        for worker in look.workers
    )


def _queues(request: Reconcile, scene: Scene, now: datetime) -> tuple[QueueSeen, ...]:
    return tuple(
        QueueSeen(
            at=now,
            quality=Quality.FRESH,
            queue=queue.name,
            task_type=task_type,
            backlog_tasks=scene.backlog_tasks if task_type is TaskType.ACTIVITY else 0,
            backlog_age_seconds=scene.backlog_age_seconds if task_type is TaskType.ACTIVITY else 0.0,
            arrivals_per_second=scene.arrivals_per_second,
            dispatches_per_second=scene.arrivals_per_second,
        )
        for queue in request.fleet.task_queues
        for task_type in queue.types
    )


@asynccontextmanager
async def world_of(client: Client, world: ScriptedWorld, *workflows: type[Any]) -> AsyncIterator[None]:
    """A controller of that world while the body runs; its fleets name a Kubernetes target, which any host serves."""
    neighbours = Neighbours(RunningFleets(client, TASK_QUEUE))
    checker = TargetChecker(neighbours, {TargetKind.KUBERNETES: world.paper}, Serving(task_queue=TASK_QUEUE))
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=workflows or [ScaleFleet],
        activities=[world.reconcile, checker.check_target],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


def on_paper(name: str) -> dict[str, str]:
    """The target of a fleet in a scripted world."""
    return {"kind": "kubernetes", "name": name}
