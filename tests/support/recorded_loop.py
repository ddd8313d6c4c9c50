"""The history that a fleet's workflow would have left, made from the product's loop in a simulated world."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from activities.requests import RECONCILE, Reconcile
from scaler.fleet import Fleet
from scaler.model.common import Generation
from scaler.model.observation import Observation
from scaler.model.plan import Plan, Stamp
from scaler.simulation.catalogue import fleet_of
from scaler.simulation.clock import START, moment
from scaler.simulation.joint import OWNER, JointLoop
from scaler.simulation.world import World
from workflows.payloads import DATA_CONVERTER


@dataclass(frozen=True)
class Reconciled:
    """One tick: when its plan was made, the plan, and what came back of it."""

    at: datetime
    fleet: Fleet
    plan: Plan
    seen: Observation


class RecordedLoop(JointLoop):
    """Keeps its ticks."""

    def __init__(self, running: World[Any]) -> None:
        self.ticks: list[Reconciled] = []
        self._open: tuple[datetime, Plan] | None = None
        super().__init__(running, fleet_of(running.scenario), 1)

    def _decide(self, now: float) -> Plan:
        if self._open is not None and self.state.observation is not None:
            self.ticks.append(Reconciled(*self._open[:1], self.state.fleet, self._open[1], self.state.observation))
        plan = super()._decide(now)
        self._open = (moment(now), plan)
        return plan


def history(ticks: list[Reconciled]) -> list[HistoryEvent]:
    """The events of one run, as far as they matter."""
    events = [_event(1, START, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)]
    for tick in ticks:
        events.append(_event(len(events) + 1, tick.at, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED))
        scheduled = _event(len(events) + 1, tick.at, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
        scheduled.activity_task_scheduled_event_attributes.activity_type.name = RECONCILE
        stamp = Stamp(owner=OWNER, generation=Generation(1.0, len(events)), wake_from=tick.at)
        request = _payload(Reconcile(fleet=tick.fleet, plan=tick.plan, stamp=stamp))
        scheduled.activity_task_scheduled_event_attributes.input.payloads.append(request)
        events.append(scheduled)
        done = _event(len(events) + 1, tick.seen.observed_at, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        done.activity_task_completed_event_attributes.scheduled_event_id = scheduled.event_id
        done.activity_task_completed_event_attributes.result.payloads.append(_payload(tick.seen))
        events.append(done)
    return events


def _event(number: int, at: datetime, kind: "EventType.ValueType") -> HistoryEvent:
    event = HistoryEvent(event_id=number, event_type=kind)
    event.event_time.FromDatetime(at)
    return event


def _payload(value: Any) -> Payload:
    payload: Payload = DATA_CONVERTER.payload_converter.to_payload(value)
    return payload
