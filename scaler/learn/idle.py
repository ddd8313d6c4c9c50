"""Workers that did nothing while tasks waited, by their own heartbeats. Pure."""

from scaler.learn import freshness
from scaler.model.common import Quality
from scaler.model.observation import WorkerSeen


def took_nothing_since(worker: WorkerSeen, waited_seconds: float) -> bool:
    """Whether a worker told, once tasks had begun to wait, that it ran nothing and had done nothing."""
    age = worker.heartbeat_age_seconds
    if age is None or age >= waited_seconds or freshness.HEARTBEAT.quality_at_age(age) is not Quality.FRESH:
        return False
    taken = (worker.activity_slots_used or 0) + (worker.workflow_slots_used or 0)
    done = (worker.activities_per_second or 0.0) + (worker.workflow_tasks_per_second or 0.0)
    return not taken and not done
