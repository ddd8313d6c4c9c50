"""What the door lets in and what it says of a mistake."""

import json
from datetime import timedelta
from typing import Any

import pytest

from scaler.door import Refused, Submission, read_fleet
from scaler.fleet import Fleet, Switch, TargetKind
from scaler.model.common import TaskType

DECLARED: dict[str, Any] = {
    "name": "agents",
    "target": {"kind": "local", "name": "agents"},
    "task_queues": [{"name": "agents"}],
    "workers": {"min": 1, "max": 8},
}


def problems(**changes: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        read_fleet({**DECLARED, **changes})
    return [str(problem) for problem in refused.value.problems]


def test_four_keys_are_enough() -> None:
    fleet = read_fleet(DECLARED)

    assert fleet.objective.activity == timedelta(seconds=1)
    assert fleet.cache.min == 10
    assert fleet.polls(TaskType.WORKFLOW)
    assert fleet.polls(TaskType.ACTIVITY)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"workers": {"min": 5, "max": 4}}, "workers.min: must be at most workers.max (4), found 5"),
        ({"workers": {"min": "1", "max": 4}}, 'workers.min: must be a valid integer, found "1"'),
        ({"workers": {"max": 4}}, "workers.min: is required"),
        ({"wrokers": 3}, "wrokers: no such key; see docs/fleet.md"),
        ({"task_queues": ["pets"]}, 'task_queues[0]: must be an object such as {name: …}, found "pets"'),
        (
            {"task_queues": [{"name": "q", "types": "activity"}]},
            'task_queues[0].types: must be a list, found "activity"',
        ),
        (
            {"objective": {"activity": 200}},
            "objective.activity: must be a duration such as 30s, 5m or 1h30m, found 200",
        ),
        ({"behaviour": {"drain": "400d"}}, 'behaviour.drain: must be at most 24h, found "400d"'),
        ({"memory": {"limit": "1Ki"}}, 'memory.limit: must be at least 1048576, found "1Ki"'),
        (
            {"schedule": [{"days": ["monday"], "start": "08:00", "end": "10:00", "min": 1}]},
            'schedule[0].days[0]: must be mon, tue, wed, thu, fri, sat or sun, found "monday"',
        ),
        ({"cache": {"min": 3}}, "cache.min: must be at least 10, found 3"),
        ({"cache": {"min": 30, "max": 20}}, "cache.min: must be at most cache.max (20), found 30"),
        ({"cache": {"delivery": "file"}}, "cache.path: is required with delivery: file"),
        ({"cache": {"path": "/x"}}, "cache.path: is not allowed with delivery: environment"),
        (
            {"task_queues": [{"name": "q", "types": ["activity"]}], "objective": {"workflow_task": "1s"}},
            "objective.workflow_task: no task queue of this fleet is polled for workflow tasks",
        ),
        ({"task_queues": []}, "task_queues: needs at least one task queue"),
        ({"task_queues": [{"name": "q"}, {"name": "q"}]}, "task_queues[1].name: 'q' is listed twice"),
        (
            {"task_queues": [{"name": "q", "types": ["nexus"]}]},
            'task_queues[0].types[0]: must be one of workflow, activity, found "nexus"',
        ),
        ({"target": {"kind": "local"}}, "target: needs either a name or a selector"),
        (
            {"target": {"kind": "local", "name": "a", "container": "c"}},
            "target.container: is not allowed for kind: local",
        ),
        (
            {"name": "Agents!"},
            'name: must be lower-case letters, digits and inner dashes, 63 at most, found "Agents!"',
        ),
        (
            {"objective": {"activity": "soon"}},
            'objective.activity: a duration is written 30s, 5m, 1h30m, 200ms or in ISO 8601 (PT30S), found "soon"',
        ),
        (
            {"memory": {"limit": "much"}},
            'memory.limit: a size is written 512Mi, 2Gi, 500M or in plain bytes, found "much"',
        ),
        ({"memory": {"headroom": float("nan")}}, "memory.headroom: must be finite, found NaN"),
        (
            {"limits": {"connections": 3, "per_worker": 2}, "workers": {"min": 2, "max": 4}},
            "limits.connections: workers.min alone takes 4, found 3",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_gets_its_place_and_what_is_allowed(changes: dict[str, Any], expected: str) -> None:
    assert expected in problems(**changes)


def test_every_mistake_is_told_at_once() -> None:
    assert len(problems(name="A", workers={"min": -1, "max": 0}, surprise=True)) == 4


@pytest.mark.parametrize("raw", [None, 3, "text", [], [DECLARED], True], ids=repr)
def test_what_is_no_object_is_refused(raw: Any) -> None:
    with pytest.raises(Refused, match="must be an object"):
        read_fleet(raw)


def test_what_contradicts_itself_is_told_beside_a_key_that_does_not_exist() -> None:
    with pytest.raises(Refused) as refused:
        read_fleet({**DECLARED, "wrokers": 3, "workers": {"min": 4, "max": 2}})

    assert [str(problem) for problem in refused.value.problems] == [
        "wrokers: no such key; see docs/fleet.md",
        "workers.min: must be at most workers.max (2), found 4",
    ]


def test_switches_are_read_as_words_and_as_booleans() -> None:
    for written in ("off", False):
        assert read_fleet({**DECLARED, "signals": {"histories": written}}).signals.histories is Switch.OFF


def test_what_a_later_version_wrote_is_read_behind_the_door() -> None:
    later = {
        **DECLARED,
        "target": {"kind": "nomad", "name": "agents", "datacenter": "x"},
        "cache": {"min": 3, "max": 8, "shape": "round"},
        "mood": "calm",
    }

    fleet = Fleet.model_validate_json(json.dumps(later))

    assert fleet.target.kind is TargetKind.UNKNOWN
    assert fleet.cache.max == 8


def test_a_fleet_survives_its_own_json() -> None:
    fleet = read_fleet({**DECLARED, "memory": {"limit": "192Mi"}, "objective": {"activity": "1500ms"}})

    assert Fleet.model_validate_json(fleet.model_dump_json()) == fleet


@pytest.mark.parametrize(
    ("submission", "expected"),
    [
        (Submission(payloads=0, fault="needs exactly one payload, found 0"), "needs exactly one payload"),
        (Submission(payloads=1, json="{"), "not JSON"),
        (Submission(payloads=1, json="[" * 100_000), "not JSON"),
    ],
    ids=["nothing", "half an object", "a hundred thousand brackets"],
)
def test_a_submission_without_a_value_is_refused(submission: Submission, expected: str) -> None:
    with pytest.raises(Refused, match=expected):
        submission.value()
