"""What a fleet remembers is small on the wire, and what versions wrote that knew one load per task type is read."""

from dataclasses import replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from scaler.model.common import Polled, Size, TaskType
from scaler.model.observation import ReplaySeen
from scaler.model.remembered import Demand, Level, Operator, Remembered
from tests.support.plausible import ACTIVITIES, WORKFLOW_TASKS, Life, remembered_of
from tests.support.strategies import declared

FORMER = """{"decided_on": "2026-11-21T11:59:45Z",
"activity": {"since": "2026-11-21T11:00:00.123456Z", "service_seconds": {"value": 7.5, "at": "2026-11-21T11:59:45Z"},
"arrivals_per_second": {"value": 3.0, "at": "2026-11-21T11:59:45.5Z"}, "busy_slots": {"value": null, "at": null},
"levels_before": [{"value": 2.5, "at": "2026-11-21T11:59:15Z"}], "backlog": {"tasks": 0, "at": null}}}"""


def _read(written: str | bytes) -> Remembered:
    return TypeAdapter(Remembered).validate_json(written)


def _ticked(memory: Remembered, *queues: str) -> Remembered:
    fleet = declared(task_queues=[{"name": name} for name in queues])
    life = Life(fleet, Size(4, 100), 2**18, ReplaySeen(), memory=memory)
    life.tick(replace(life.observe(4.0, 0.5), task_times=()), Operator())
    return life.memory


def test_one_load_per_task_type_becomes_that_of_the_only_queue() -> None:
    memory = _ticked(_read(FORMER), "agents")
    activities = remembered_of(memory, ACTIVITIES)

    assert activities.since == datetime(2026, 11, 21, 11, 0, 0, 123456, tzinfo=UTC)
    assert activities.service_seconds.value == 7.5
    assert activities.levels_before[0].value == 2.5
    assert remembered_of(memory, WORKFLOW_TASKS).since is not None
    assert (memory.workflow, memory.activity) == (None, None)


def test_one_load_of_several_queues_is_nobodys() -> None:
    memory = _ticked(_read(FORMER), "agents", "tools")

    assert [Polled.of(demand) for demand in memory.demands] == [
        Polled(queue, task_type) for queue in ("agents", "tools") for task_type in TaskType if task_type != "unknown"
    ]
    assert remembered_of(memory, ACTIVITIES).service_seconds.value is None


def test_it_reads_as_it_was_written() -> None:
    memory = _ticked(Remembered(), "agents", "tools")

    assert _read(TypeAdapter(Remembered).dump_json(memory)) == memory


def test_what_says_nothing_is_not_written() -> None:
    demand = Demand(queue="agents", arrivals_per_second=Level(2.5, datetime(2026, 11, 21, 12, tzinfo=UTC)))
    written = TypeAdapter(Remembered).dump_python(Remembered(demands=(demand,)), mode="json")

    assert written["demands"][0]["arrivals_per_second"] == [2.5, 1795262400]
    assert not {"surprises", "levels_before", "since"} & written["demands"][0].keys()
    assert not {"workflow", "activity", "trial", "embargoes"} & written.keys()
