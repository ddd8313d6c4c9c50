"""The durable loop as other versions of this product might have it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from scaler.decide import decide_or_hold
from scaler.fleet import Fleet
from scaler.model.common import Size
from scaler.model.decision import Decision, Mode
from scaler.model.observation import Observation
from scaler.model.plan import WakeAt
from scaler.model.record import RolloutStep
from scaler.model.remembered import Remembered
from scaler.state import State
from tests.support.served_fleets import HAND_OVER
from workflows import messages
from workflows.scale_fleet import ScaleFleet


@workflow.defn(name=messages.WORKFLOW_TYPE)
class ContraryFleet(ScaleFleet):
    """Decides everything otherwise than this version does: sizes, steps, times, thresholds."""

    @workflow.run
    async def run(self, *payloads: RawValue) -> None:
        """The same loop."""
        await super().run(*payloads)

    @staticmethod
    def decide(seen: Observation, fleet: Fleet, memory: Remembered, now: datetime) -> tuple[Decision, Remembered]:
        """A size where a look was planned, a look where nothing was to change, and another size everywhere else."""
        usual, memory = decide_or_hold(seen, fleet, memory, now)
        size = usual.plan.size
        other = Size(fleet.workers.max) if size is None else contrary(size, fleet)
        plan = replace(
            usual.plan,
            size=None if usual.size == size else other,
            until=now + timedelta(seconds=1) + (usual.plan.until - now) / 3,
            step=RolloutStep.NONE if usual.plan.step is not RolloutStep.NONE else RolloutStep.SURGE,
            surge=usual.plan.surge + 1,
            victims=(),
            wake=WakeAt(backlog_tasks=7),
        )
        mode = Mode.STEADY if usual.mode is Mode.EMERGENCY else Mode.EMERGENCY
        return replace(usual, plan=plan, size=other, mode=mode), memory


def contrary(size: Size, fleet: Fleet) -> Size:
    """Another worker count and another cache."""
    workers = size.workers + 1 if size.workers < fleet.workers.max else size.workers - 1
    return Size(workers, None if size.cache is None else 2 * size.cache)


class Remembering(Interceptor):
    """Keeps the loops that a worker or replayer runs, so that they can be looked into afterwards."""

    def __init__(self) -> None:
        self.loops: list[ScaleFleet] = []

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 (the SDK's name)
    ) -> type[WorkflowInboundInterceptor]:
        """One that tells of the loop when it starts."""
        del input
        loops = self.loops

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
                loops.append(workflow.instance())
                return await super().execute_workflow(input)

        return Inbound


def state_of(loop: ScaleFleet) -> State:
    """All that a loop knows."""
    state = loop.status()
    assert state is not None
    return state


@workflow.defn(name=HAND_OVER)
class HandOver:
    """Continues as a fleet's loop with a fleet and a state from elsewhere, as an earlier run of it would."""

    @workflow.run
    async def run(self, *payloads: RawValue) -> None:
        """At once."""
        workflow.continue_as_new(args=payloads, workflow=messages.WORKFLOW_TYPE)
