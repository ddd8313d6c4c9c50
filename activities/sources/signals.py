"""Everything that Temporal itself tells about a fleet's task queues, read no more often than it changes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from activities.sources.gate import Gate, SourceUnavailable
from activities.sources.heartbeats import Heartbeat, HeartbeatSource
from activities.sources.histories import HistorySource
from activities.sources.queues import QueueKey, QueueReading, QueueSource
from scaler.fleet import Fleet
from scaler.model.observation import Fault, QueueSeen, ReplaySeen, TaskTimesSeen

SHORTEST_HEARTBEAT_READING = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the sources know of a fleet's queues now; each reading has its own time."""

    queues: tuple[QueueSeen, ...] = ()
    pollers: frozenset[str] = frozenset()
    heartbeats: tuple[Heartbeat, ...] = ()
    task_times: tuple[TaskTimesSeen, ...] = ()
    replay: ReplaySeen = field(default_factory=ReplaySeen)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Beats:
    read_at: datetime
    beats: tuple[Heartbeat, ...]


class ConnectionSignals:
    """The sources of one Temporal connection, shared by all fleets that use it."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self.namespace = client.namespace
        self._queues = QueueSource(client, gate)
        self._heartbeats = HeartbeatSource(client, gate)
        self._histories = HistorySource(client, gate)
        self._beats: dict[tuple[str, str], _Beats] = {}

    async def read(self, fleet: Fleet) -> Signals:
        """Queue statistics and heartbeats of all the fleet's queues."""
        namespace = fleet.temporal.namespace or self.namespace
        keys = [QueueKey(namespace, queue.name, task_type) for queue in fleet.task_queues for task_type in queue.types]
        readings = await asyncio.gather(*(self._queues.read(key) for key in keys))
        beats, faults = await self._read_heartbeats(namespace, fleet)
        histories = self._histories.read(namespace, fleet)
        return Signals(
            queues=tuple(reading.seen for reading in readings),
            pollers=frozenset().union(*(reading.pollers for reading in readings)),
            heartbeats=beats,
            task_times=histories.task_times,
            replay=histories.replay,
            faults=(*_faults(readings), *faults, *histories.faults),
        )

    async def _read_heartbeats(self, namespace: str, fleet: Fleet) -> tuple[tuple[Heartbeat, ...], tuple[Fault, ...]]:
        beats: list[Heartbeat] = []
        faults: list[Fault] = []
        for queue in fleet.task_queues:
            try:
                beats += await self._beats_of(namespace, queue.name)
            except SourceUnavailable as error:
                faults.append(Fault(f"worker heartbeats of {queue.name}", str(error)))
        return tuple(beats), tuple(faults)

    async def _beats_of(self, namespace: str, queue: str) -> tuple[Heartbeat, ...]:
        """Read again once the fastest worker can have beaten again; what was read before ages meanwhile."""
        now = datetime.now(UTC)
        last = self._beats.get((namespace, queue))
        if last is None or now - last.read_at >= _until_news(last.beats):
            last = self._beats[namespace, queue] = _Beats(now, await self._heartbeats.read(namespace, queue))
        return tuple(beat for beat in last.beats if beat.fresh(now))


class SignalSource:
    """Reads a fleet's signals through the connection that it names."""

    def __init__(self, connections: Mapping[str | None, ConnectionSignals]) -> None:
        self._connections = connections

    async def read(self, fleet: Fleet) -> Signals:
        """All that is known of the fleet's queues; what could not be read is missing, with a fault that says why."""
        connection = self._connections.get(fleet.temporal.connection)
        if connection is None:
            known = ", ".join(sorted(name for name in self._connections if name)) or "none"
            message = f"no connection {fleet.temporal.connection!r} in the controller's configuration; it has {known}"
            return Signals(faults=(Fault("temporal", message),))
        return await connection.read(fleet)


def _faults(readings: list[QueueReading]) -> tuple[Fault, ...]:
    return tuple(reading.fault for reading in readings if reading.fault is not None)


def _until_news(beats: tuple[Heartbeat, ...]) -> timedelta:
    """Half the shortest interval: a reading is then at most half a beat late."""
    shortest = min((beat.interval_seconds for beat in beats), default=0.0)
    return max(SHORTEST_HEARTBEAT_READING, timedelta(seconds=shortest / 2))
