"""What people and workers ask of a fleet by the messages of its workflow, for loops that run without a server."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from scaler import interventions
from scaler.door import read_declared, read_fleet
from scaler.hint import Hint
from scaler.model.remembered import Override, Pause
from scaler.state import State
from workflows.messages import HintRequest, Nothing, OverrideRequest, PauseRequest, StopRequest

Request = Mapping[str, Any]


def changed(state: State, name: str, request: Request, now: datetime) -> State:
    """The state after a message; raises `Refused` for what the workflow's door would refuse, KeyError for no name."""
    return _MESSAGES[name](state, request, now)


def _paused(state: State, request: Request, now: datetime) -> State:
    asked = read_declared(PauseRequest, request)
    until = now + asked.duration if asked.duration is not None else None
    return replace(state, memory=interventions.paused(state.memory, Pause(reason=asked.reason, since=now, until=until)))


def _resumed(state: State, request: Request, now: datetime) -> State:
    read_declared(Nothing, request)
    return replace(state, memory=interventions.resumed(state.memory, now))


def _overridden(state: State, request: Request, now: datetime) -> State:
    asked = read_declared(OverrideRequest, request)
    override = Override(reason=asked.reason, until=now + asked.duration, workers=asked.workers, cache=asked.cache)
    return replace(state, memory=interventions.overridden(state.memory, override, now))


def _override_cleared(state: State, request: Request, _: datetime) -> State:
    read_declared(Nothing, request)
    return replace(state, memory=interventions.override_cleared(state.memory))


def _stopped(state: State, request: Request, _: datetime) -> State:
    asked = read_declared(StopRequest, request)
    return replace(state, memory=interventions.stopped(state.memory, drain=asked.drain))


def _hinted(state: State, request: Request, now: datetime) -> State:
    asked = read_declared(HintRequest, request)
    return state.hinted(Hint(**asked.model_dump()), now)


def _applied(state: State, request: Request, _: datetime) -> State:
    return replace(state, fleet=read_fleet(request))


_MESSAGES: dict[str, Callable[[State, Request, datetime], State]] = {
    "apply": _applied,
    "pause": _paused,
    "resume": _resumed,
    "override": _overridden,
    "clear_override": _override_cleared,
    "stop": _stopped,
    "hint": _hinted,
}
