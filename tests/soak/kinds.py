"""Kinds of fleets that a soak lives through: what is declared, what their workers are like, and what they serve."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class StreamKind:
    """Tasks of one queue and type, as each worker serves them. Long ones are told apart, short ones flow."""

    queue: str = "agents"
    type: str = "activity"
    slots: int = 8
    seconds: float = 1.5
    load: float = 0.6  # part of all slots of the workers it starts with that are taken
    bytes_each: int = 0
    limited: bool = False
    declared: bool = True
    worker_rate: float | None = None  # tasks a second that one worker begins at most
    fleets: int = 1  # that serve the queue alike: the server tells of what comes to all of them

    @property
    def long(self) -> bool:
        """Whether a single task outlasts a tick."""
        return self.seconds >= 30


@dataclass(frozen=True, kw_only=True)
class FleetKind:
    """A fleet, its workers and its work."""

    name: str
    declared: Mapping[str, Any]
    streams: tuple[StreamKind, ...]
    workers: int = 6
    cache: int | None = 60
    sdk: str = "temporal-go"
    honours_cache: bool = True
    frees_memory: bool = True  # on eviction
    beats_seconds: float = 60.0
    beats: bool = True
    chooses_victims: bool = True  # whether the platform takes those away that are named
    weight: int = 1  # how often it is drawn beside the others


_RUNS = StreamKind(type="workflow", slots=100, seconds=0.05, load=0.004)
_CALLS = StreamKind()
_BOTH = (_RUNS, _CALLS)
_AGENTS = ({"name": "agents"},)
_ACTIVITIES = ({"name": "agents", "types": ["activity"]},)


def _fleet(queues: Any = _AGENTS, low: int = 1, high: int = 40, **changes: Any) -> dict[str, Any]:
    return {
        "name": "agents",
        "target": {"kind": "local", "name": "agents"},
        "task_queues": list(queues),
        "workers": {"min": low, "max": high, **changes.pop("workers", {})},
        **changes,
    }


def _long(seconds: float, load: float = 0.15) -> tuple[StreamKind, ...]:
    return (StreamKind(seconds=seconds, load=load),)


KINDS: tuple[FleetKind, ...] = (
    FleetKind(name="ordinary", declared=_fleet(), streams=_BOTH, weight=8),
    FleetKind(name="ordinary, ten beats a minute", declared=_fleet(), streams=_BOTH, beats_seconds=6.0, weight=6),
    FleetKind(name="short window", declared=_fleet(behaviour={"scale_in_window": "20s"}), streams=_BOTH, weight=8),
    FleetKind(name="replaced in place", declared=_fleet(behaviour={"surge": 0}), streams=_BOTH),
    FleetKind(name="cache between bounds", declared=_fleet(cache={"min": 40, "max": 400}), streams=_BOTH),
    FleetKind(name="connections", declared=_fleet(limits={"connections": 60, "per_worker": 5}), streams=_BOTH),
    FleetKind(name="reserve", declared=_fleet(workers={"reserve": 2}), streams=_BOTH),
    FleetKind(
        name="schedule",
        declared=_fleet(schedule=[{"start": "12:05", "end": "12:25", "min": 10}]),
        streams=_BOTH,
    ),
    FleetKind(
        name="an idle queue beside a busy one",
        declared=_fleet(({"name": "agents"}, {"name": "idle"})),
        streams=(*_BOTH, StreamKind(queue="idle", slots=100, load=0.0)),
    ),
    FleetKind(
        name="a limited queue beside a free one",
        declared=_fleet(({"name": "agents"}, {"name": "limited", "types": ["activity"]})),
        streams=(*_BOTH, StreamKind(queue="limited", slots=4, seconds=1.0, load=0.5, limited=True)),
    ),
    FleetKind(
        name="three queues",
        declared=_fleet(({"name": "agents"}, {"name": "gpu", "types": ["activity"]}, {"name": "idle"})),
        streams=(*_BOTH, StreamKind(queue="gpu", slots=2, seconds=8.0), StreamKind(queue="idle", load=0.0)),
    ),
    FleetKind(
        name="half of a shared queue",
        declared=_fleet(({"name": "agents", "share": 0.5},)),
        streams=(replace(_RUNS, fleets=2), replace(_CALLS, fleets=2)),
    ),
    FleetKind(name="activities alone", declared=_fleet(_ACTIVITIES), streams=(_CALLS,), cache=None),
    FleetKind(
        name="workflows alone",
        declared=_fleet(({"name": "agents", "types": ["workflow"]},)),
        streams=(StreamKind(type="workflow", slots=20, seconds=0.2, load=0.3),),
        sdk="temporal-python",
    ),
    FleetKind(
        name="local activities",
        declared=_fleet(({"name": "agents", "types": ["workflow"]},), objective={"workflow_task": "1s"}),
        streams=(StreamKind(type="workflow", slots=100, seconds=5.0, load=0.15),),
        sdk="temporal-python",
    ),
    FleetKind(
        name="a hundred slots that cost memory",
        declared=_fleet(),
        streams=(_RUNS, StreamKind(slots=100, load=0.15, bytes_each=8 * MIB)),
    ),
    FleetKind(name="to zero", declared=_fleet(low=0), streams=_BOTH, weight=2),
    FleetKind(name="to zero, activities", declared=_fleet(_ACTIVITIES, low=0), streams=(_CALLS,), cache=None),
    FleetKind(name="fixed cache", declared=_fleet(cache={"delivery": "fixed"}), streams=_BOTH),
    FleetKind(name="cache not honoured", declared=_fleet(), streams=_BOTH, honours_cache=False),
    FleetKind(name="nothing freed on eviction", declared=_fleet(), streams=_BOTH, frees_memory=False),
    FleetKind(name="half a minute", declared=_fleet(_ACTIVITIES), streams=_long(30.0), cache=None),
    FleetKind(name="five minutes", declared=_fleet(_ACTIVITIES), streams=_long(300.0), cache=None, weight=2),
    FleetKind(name="an hour", declared=_fleet(_ACTIVITIES), streams=_long(3600.0, 0.08), cache=None, weight=2),
    FleetKind(
        name="an hour, drained for two",
        declared=_fleet(_ACTIVITIES, behaviour={"drain": "2h"}),
        streams=_long(3600.0, 0.08),
        cache=None,
    ),
    FleetKind(
        name="half a minute, taken by chance",
        declared=_fleet(_ACTIVITIES),
        streams=_long(30.0, 0.05),
        cache=None,
        chooses_victims=False,
    ),
    FleetKind(name="taken by chance", declared=_fleet(), streams=_BOTH, chooses_victims=False),
    FleetKind(
        name="five minutes with runs",
        declared=_fleet(),
        streams=(_RUNS, *_long(300.0)),
    ),
    FleetKind(
        name="work on a queue that is not declared",
        declared=_fleet(),
        streams=(*_BOTH, StreamKind(queue="other", seconds=600.0, load=0.1, declared=False)),
    ),
    FleetKind(
        name="no heartbeats",
        declared=_fleet(workers={"slots": {"workflow": 100, "activity": 8}}),
        streams=_BOTH,
        beats=False,
    ),
    FleetKind(name="a limit of each worker", declared=_fleet(), streams=(_RUNS, StreamKind(worker_rate=4.0))),
)

LARGE: tuple[FleetKind, ...] = (
    FleetKind(name="a hundred and thirty", declared=_fleet(high=300), streams=_BOTH, workers=130),
    FleetKind(name="a thousand", declared=_fleet(high=1200), streams=_BOTH, workers=900),
)
"""Fleets of which rows are cut; a decision about one costs as much as many about the others."""
