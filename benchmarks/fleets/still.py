"""Fleets at rest: what is declared, a target on which two workers always serve, and what those say of themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerHostInfo, WorkerPollerInfo, WorkerSlotsInfo

from activities.targets.contract import StepTaken, TargetLook, TargetUnreachable, TargetWorker
from scaler.door import Problem
from scaler.fleet import Fleet
from scaler.model.common import Quality
from scaler.model.observation import TargetSeen, WorkerSeen, WorkerState
from scaler.model.plan import Plan, Stamp

HOST: Final = "still"
WORKERS: Final = 2
CACHE: Final = 100
BEATS: Final = timedelta(seconds=20)
_MIB: Final = 2**20


def name_of(number: int) -> str:
    """The name of one fleet."""
    return f"fleet-{number:04}"


def declared(number: int) -> dict[str, Any]:
    """One fleet with a task queue of its own."""
    name = name_of(number)
    return {
        "name": name,
        "target": {"kind": "local", "name": name},
        "task_queues": [{"name": name}],
        "workers": {"min": WORKERS, "max": 10},
    }


class StillTarget:
    """Two workers each, whatever is planned. It is looked at through a recorder, which carries nothing out."""

    async def check(self, fleet: Fleet) -> tuple[Problem, ...]:
        """Anything may be scaled here."""
        del fleet
        return ()

    async def step(self, fleet: Fleet, plan: Plan, stamp: Stamp) -> StepTaken:
        """Never asked for."""
        raise TargetUnreachable(f"nothing of {fleet.name} can be changed: {plan} of {stamp}")

    async def look(self, fleet: Fleet) -> TargetLook:
        """As it always is."""
        target = TargetSeen(
            at=datetime.now(UTC), quality=Quality.FRESH, desired=WORKERS, cache=CACHE, memory_limit_bytes=512 * _MIB
        )
        first = WORKERS * int(fleet.name.rpartition("-")[2])
        return TargetLook(target=target, workers=tuple(_worker(first + index) for index in range(WORKERS)))


def _worker(number: int) -> TargetWorker:
    seen = WorkerSeen(
        name=f"w-{number}",
        state=WorkerState.READY,
        age_seconds=3600.0,
        cache=CACHE,
        memory_bytes=100 * _MIB,
        memory_peak_bytes=100 * _MIB,
        memory_age_seconds=1.0,
    )
    return TargetWorker(seen=seen, host_name=HOST, process_id=number + 1)


def beats(numbers: Sequence[int], now: datetime) -> list[WorkerHeartbeat]:
    """The heartbeats of all workers of these fleets."""
    return [_beat(name_of(fleet), WORKERS * fleet + index, now) for fleet in numbers for index in range(WORKERS)]


def _beat(queue: str, number: int, now: datetime) -> WorkerHeartbeat:
    slots = WorkerSlotsInfo(current_available_slots=100, slot_supplier_kind="Fixed")
    beat = WorkerHeartbeat(
        worker_instance_key=f"still-{number}",
        worker_identity=f"{number + 1}@{HOST}",
        host_info=WorkerHostInfo(host_name=HOST, process_id=str(number + 1)),
        task_queue=queue,
        status=WorkerStatus.WORKER_STATUS_RUNNING,
        workflow_poller_info=WorkerPollerInfo(current_pollers=5),
        activity_poller_info=WorkerPollerInfo(current_pollers=5),
        workflow_task_slots_info=slots,
        activity_task_slots_info=slots,
        current_sticky_cache_size=20,
    )
    beat.start_time.FromDatetime(now - timedelta(hours=1))
    beat.heartbeat_time.FromDatetime(now)
    beat.elapsed_since_last_heartbeat.FromTimedelta(BEATS)
    return beat
