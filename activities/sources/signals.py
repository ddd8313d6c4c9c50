"""Everything that Temporal itself tells about a fleet's task queues, read no more often than it changes."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from activities.server_time import ServerTime
from activities.sources.contract import Signals, Suspects
from activities.sources.gate import Gate, NotThere, SourceUnavailable
from activities.sources.heartbeats import Heartbeat, HeartbeatSource, WorkerQueue
from activities.sources.histories import HistorySource
from activities.sources.queues import QueueKey, QueueReading, QueueSource
from activities.sources.suspects import SuspectSource
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.learn.freshness import QUEUE_STATISTICS
from scaler.model.common import TaskType
from scaler.model.observation import Fault, WorkerExit


class ConnectionSignals:
    """The sources of one Temporal connection, shared by all fleets that use it."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self.namespace = client.namespace
        self.address = client.service_client.config.target_host
        self.clock = gate.clock
        self._service = client.workflow_service
        self._gate = gate
        self._queues = QueueSource(client, gate)
        self._heartbeats = HeartbeatSource(client, gate)
        self._histories = HistorySource(client, gate)
        self._suspects = SuspectSource(client, gate)

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Whether the namespace exists. A server that can't be asked is a fault later, and no reason to refuse."""
        namespace = fleet.temporal.namespace or self.namespace
        request = DescribeNamespaceRequest(namespace=namespace)
        try:
            await self._gate.call(self._service.describe_namespace, request)
        except NotThere:
            message = f"does not exist on {self.address}, found {namespace!r}"
            return (Problem(("temporal", "namespace"), message),)
        except SourceUnavailable:
            return ()
        return ()

    def place(self, fleet: Fleet) -> str:
        """Server and namespace."""
        return f"{self.address}/{fleet.temporal.namespace or self.namespace}"

    async def read(self, fleet: Fleet) -> Signals:
        """Queue statistics and heartbeats of all the fleet's queues."""
        namespace = fleet.temporal.namespace or self.namespace
        readings, (beats, faults) = await asyncio.gather(
            self._read_queues(namespace, fleet), self._read_heartbeats(namespace, fleet)
        )
        histories = self._histories.read(namespace, fleet)
        return Signals(
            queues=tuple(reading.seen for reading in readings),
            pollers=_newest(readings),
            heartbeats=beats,
            task_times=histories.task_times,
            replay=histories.replay,
            faults=(*_faults(readings), *faults, *histories.faults, *self._too_slow()),
        )

    def suspects(self, fleet: Fleet, exits: Sequence[WorkerExit]) -> Suspects:
        """What is known now; looks for news in the background while workers are killed for memory."""
        namespace = fleet.temporal.namespace or self.namespace
        names = [queue.name for queue in fleet.task_queues if TaskType.WORKFLOW in queue.types]
        found = [self._suspects.read(namespace, name, exits) for name in names]
        return Suspects(
            tuple(suspect for suspects, _ in found for suspect in suspects),
            tuple(fault for _, fault in found if fault is not None),
        )

    async def _read_queues(self, namespace: str, fleet: Fleet) -> list[QueueReading]:
        keys = [QueueKey(namespace, queue.name, task_type) for queue in fleet.task_queues for task_type in queue.types]
        return await asyncio.gather(*(self._queues.read(key) for key in keys))

    async def _read_heartbeats(self, namespace: str, fleet: Fleet) -> tuple[tuple[Heartbeat, ...], list[Fault]]:
        names = [queue.name for queue in fleet.task_queues]
        keys = [WorkerQueue(namespace, name) for name in names]
        kept = await asyncio.gather(*(self._heartbeats.read(key) for key in keys))
        own = {beat.instance_key: beat for each in kept for beat in each.value or ()}
        elsewhere = {beat.instance_key: beat for key in keys for beat in self._heartbeats.elsewhere(key)}
        beats = tuple((elsewhere | own).values())
        faults = zip(names, (each.fault for each in kept), strict=True)
        return beats, [Fault(f"worker heartbeats of {name}", why) for name, why in faults if why is not None]

    def _too_slow(self) -> Iterable[Fault]:
        """A controller with more fleets than its budget can read says so, before their readings are all stale."""
        round_time = self._queues.round_time
        if round_time > QUEUE_STATISTICS.fresh:
            seconds = round_time.total_seconds()
            why = f"each is read only every {seconds:.0f} s; raise calls_per_second in the controller's configuration"
            yield Fault("task queues", why)


class SignalSource:
    """Reads a fleet's signals through the connection that it names."""

    def __init__(self, connections: Mapping[str | None, ConnectionSignals]) -> None:
        self._connections = connections
        own = connections.get(None)
        self.clock = own.clock if own is not None else ServerTime()

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Whether the connection is known, and its namespace there."""
        connection = self._connections.get(fleet.temporal.connection)
        if connection is None:
            return (Problem(("temporal", "connection"), self._unknown(fleet)),)
        return await connection.check(fleet)

    def place(self, fleet: Fleet) -> str:
        """Server and namespace; what is declared where the connection is not known."""
        connection = self._connections.get(fleet.temporal.connection)
        return connection.place(fleet) if connection is not None else ""

    def _unknown(self, fleet: Fleet) -> str:
        known = ", ".join(sorted(name for name in self._connections if name)) or "none"
        return f"must be a connection of the controller's configuration ({known}), found {fleet.temporal.connection!r}"

    async def read(self, fleet: Fleet) -> Signals:
        """All that is known of the fleet's queues; what could not be read is missing, with a fault that says why."""
        connection = self._connections.get(fleet.temporal.connection)
        if connection is None:
            return Signals(faults=(Fault("temporal", f"connection {self._unknown(fleet)}"),))
        return await connection.read(fleet)

    def suspects(self, fleet: Fleet, exits: Sequence[WorkerExit]) -> Suspects:
        """Workflows of the fleet's queues that kill its workers, which ended so of late."""
        connection = self._connections.get(fleet.temporal.connection)
        return connection.suspects(fleet, exits) if connection is not None else Suspects()


def _faults(readings: Iterable[QueueReading]) -> tuple[Fault, ...]:
    return tuple(reading.fault for reading in readings if reading.fault is not None)


def _newest(readings: Iterable[QueueReading]) -> Mapping[str, datetime]:
    polls = sorted((at, identity) for reading in readings for identity, at in reading.pollers.items())
    return {identity: at for at, identity in polls}
