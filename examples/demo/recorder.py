"""Watches a stage while a load runs: the target's own figures, the fleet's state and the server's statistics."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue as TaskQueueName
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.targets.contract import TargetLook
from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.protocol import Answer, Operation, Place, Request
from examples.agents.tally import Tally
from examples.demo.cast import Cast
from examples.demo.recording import Recording, Sample, WorkerStart
from examples.demo.scenes import Scene, scene_at
from scaler.model.common import TaskType
from scaler.model.observation import ExitReason, WorkerState
from scaler.state import State

SAMPLE_SECONDS = 0.5
_PATIENCE = timedelta(seconds=2)
_TYPES = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What is known of why the workers are as many as they are."""

    state: State | None = None  # the fleet's, where this product decides
    reasons: tuple[str, ...] = ()  # of whoever else does


class Watched(Protocol):
    """What a recorder looks at."""

    @property
    def client(self) -> Client:
        """Of the server that the load goes through."""
        ...

    @property
    def cast(self) -> Cast:
        """Who plays."""
        ...

    @property
    def place(self) -> Place:
        """Where the supervisor of the workers is reached."""
        ...

    async def thought(self) -> Thought | None:
        """The newest one; None where nobody answers."""
        ...


class Recorder:
    """Samples a stage again and again.

    Args:
        stage: What is watched.
        scenes: The load's.
        tally: Of the load.

    """

    def __init__(self, stage: Watched, scenes: Sequence[Scene], tally: Tally) -> None:
        self.recording = Recording()
        self.state: State | None = None
        self._stage = stage
        self._scenes = scenes
        self._tally = tally
        self._began = asyncio.get_running_loop().time()
        self._reasons: tuple[str, ...] = ()
        self._known: set[str] = set()
        self._kills: set[datetime] = set()

    async def run(self, shown: Callable[["Recorder"], None]) -> NoReturn:
        """Sample until cancelled; each sample is shown."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + SAMPLE_SECONDS
            await self.sample()
            shown(self)
            await asyncio.sleep(max(due - clock(), 0.05))

    async def sample(self) -> None:
        """Look once. What can't be read now is missing from the sample, or as it was before."""
        answer, backlog, thought = await asyncio.gather(self._look(), self._backlog(), self._stage.thought())
        if thought is not None:
            self.state, self._reasons = thought.state, thought.reasons
        at_seconds = asyncio.get_running_loop().time() - self._began
        answer = answer or Answer()  # nobody supervises anything before the fleet is declared
        self._note(answer.look, at_seconds)
        self.recording.samples.append(self._sample(answer, at_seconds, backlog))

    def _sample(self, answer: Answer, at_seconds: float, backlog: int | None) -> Sample:
        state, look, tally = self.state, answer.look, self._tally
        phase, offered = scene_at(self._scenes, at_seconds)
        live = [worker.seen for worker in look.workers if worker.seen.state is not WorkerState.DRAINING]
        memory = [each.seen.memory_bytes for each in look.workers if each.seen.memory_bytes is not None]
        peaks = [each.seen.memory_peak_bytes for each in look.workers if each.seen.memory_peak_bytes is not None]
        decision = state.decision if state is not None else None
        seen = state.observation.workers if state is not None and state.observation is not None else ()
        return Sample(
            at_seconds=at_seconds,
            phase=phase,
            offered_per_second=offered,
            arrived=tally.arrived,
            completed=tally.completed,
            failed=tally.failed,
            workers=len(live),
            ready=sum(worker.state is WorkerState.READY for worker in live),
            size=answer.record.intended if answer.record is not None else None,
            needed=decision.predicted.size if decision is not None and decision.predicted is not None else None,
            fullest_bytes=max(memory, default=None),
            peak_bytes=max(peaks, default=None),
            limit_bytes=look.target.memory_limit_bytes,
            cached=max((worker.cached for worker in seen if worker.cached is not None), default=None),
            backlog=backlog,
            wait_seconds=_wait_seconds(state),
            mode=decision.mode.value if decision is not None else "",
            reasons=tuple(reason.value for reason in decision.reasons) if decision is not None else self._reasons,
            cache_bound=decision.cache_bound.value if decision is not None else "",
            ticks=state.ticks if state is not None else 0,
        )

    def _note(self, look: TargetLook, at_seconds: float) -> None:
        """Starts and kills, each once."""
        for worker in look.workers:
            if worker.seen.name not in self._known and worker.process_id is not None:
                self._known.add(worker.seen.name)
                self.recording.starts.append(
                    WorkerStart(worker=worker.seen.name, at_seconds=at_seconds - worker.seen.age_seconds)
                )
        for ended in look.exits:
            if ended.reason is ExitReason.OOM_KILLED and ended.at not in self._kills:
                self._kills.add(ended.at)
                self.recording.oom_kills.append(at_seconds)

    async def _look(self) -> Answer | None:
        try:
            return await ask(self._stage.place, Request(operation=Operation.LOOK))
        except NoSupervisor:
            return None

    async def _backlog(self) -> int | None:
        """Waiting tasks of both types; the server renews its statistics every five seconds."""
        asked = [
            DescribeTaskQueueRequest(
                namespace=self._stage.client.namespace,
                task_queue=TaskQueueName(name=queue.name),
                task_queue_type=task_type,
                report_stats=True,
            )
            for queue in self._stage.cast.fleet.task_queues
            for task_type in _TYPES
        ]
        describe = self._stage.client.workflow_service.describe_task_queue
        try:
            answers = await asyncio.gather(*(describe(request, timeout=_PATIENCE) for request in asked))
        except RPCError:
            return None
        return sum(answer.stats.approximate_backlog_count for answer in answers)


def _wait_seconds(state: State | None) -> float | None:
    times = state.observation.task_times if state is not None and state.observation is not None else ()
    waits = [
        each.schedule_to_start_seconds
        for each in times
        if each.task_type is TaskType.ACTIVITY and each.schedule_to_start_seconds is not None
    ]
    return max(waits, default=None)
