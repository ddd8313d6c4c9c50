"""Everything that comes from outside in one run: turns, their sessions and how long their activities take.

It follows from the scenario, the trace and the seed alone, never from how it is served: every policy gets the same.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from scaler.door import Problem, Refused
from scaler.simulation import arrivals, sessions
from scaler.simulation.draws import Stream, generator, lognormal, unit_lognormal
from scaler.simulation.scenario import Cyclic, RunState, Scenario
from scaler.simulation.sessions import Accesses
from scaler.simulation.traces import Floats, Integers, Trace

AUTO_SHARE: Final = 0.25
"""`rate_scale` auto: the trace's mean load needs this part of the scenario's maximum workers."""

PLANNED_UTILISATION: Final = 0.8
"""How busy workers are taken to be when their number is estimated from a rate."""

RATE_BEFORE_SECONDS: Final = 600.0
"""The rate before the run is that of its first minutes."""

_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """Where the turns of a run come from. `rate_scale` None is auto for a trace, and 1 without one."""

    seed: int
    trace: Trace | None = None
    rate_scale: float | None = None
    time_scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The turns of one run, each row one, in the order of their times (seconds from the start)."""

    seconds: float
    at: Floats
    session: Integers
    last: np.ndarray
    events: Integers  # in the run's history before the turn; 0: it is new
    state_bytes: Floats  # of the cached run after the turn
    service_seconds: np.ndarray  # of each activity, one row for each turn
    sessions: int
    open_sessions: Integers  # at the start, the longest unused first
    open_bytes: Floats

    def __len__(self) -> int:
        return len(self.at)

    @property
    def turns_per_second(self) -> float:
        """The mean rate."""
        return len(self.at) / self.seconds


def load_of(scenario: Scenario, request: LoadRequest) -> Load:
    """Draw the load of one run."""
    accesses, seconds = _accesses(scenario, request)
    now = accesses.at >= 0
    rng = generator(request.seed, Stream.SERVICE)
    turn = scenario.workload.turn
    service = lognormal(rng, scenario.workload.activity.service, int(now.sum()) * turn.activities)
    state = _state_bytes(accesses, scenario.workload.state, generator(request.seed, Stream.STATE))
    open_sessions, open_bytes = _open_at_start(accesses, state)
    return Load(
        seconds=seconds,
        at=accesses.at[now],
        session=accesses.session[now],
        last=accesses.last[now],
        events=accesses.number[now] * turn.events,
        state_bytes=state[now],
        service_seconds=service.reshape(int(now.sum()), turn.activities),
        sessions=int(accesses.session.max(initial=-1)) + 1,
        open_sessions=open_sessions,
        open_bytes=open_bytes,
    )


def workers_needed(scenario: Scenario, turns_per_second: float) -> float:
    """Workers that this rate needs with every run cached: by activity slots or by CPU, whichever is more."""
    workload, platform = scenario.workload, scenario.platform
    by_slots = turns_per_second * workload.turn.activities * workload.activity.service.mean_seconds
    by_cpu = turns_per_second * workload.turn.workflow_tasks * workload.workflow_task_cpu.total_seconds()
    return max(by_slots / platform.slots.activity, by_cpu / platform.workflow_cores) / PLANNED_UTILISATION


def auto_rate(scenario: Scenario) -> float:
    """Turns per second that need a quarter of the scenario's maximum workers."""
    return AUTO_SHARE * scenario.platform.workers.max / workers_needed(scenario, 1.0)


def _accesses(scenario: Scenario, request: LoadRequest) -> tuple[Accesses, float]:
    """All turns, some from before the run, and how long the run is."""
    if request.trace is not None:
        return _of_trace(scenario, request, request.trace)
    seconds, scale = scenario.duration_seconds, request.rate_scale or 1.0
    at = arrivals.drawn(scenario.arrivals, seconds, scale, generator(request.seed, Stream.ARRIVALS))
    if isinstance(scenario.arrivals, Cyclic):
        return sessions.in_turn(at, round(scenario.arrivals.sessions * scale)), seconds
    return _with_sessions(scenario, at, request.seed), seconds


def _of_trace(scenario: Scenario, request: LoadRequest, trace: Trace) -> tuple[Accesses, float]:
    if not scenario.takes_trace:
        raise Refused((Problem(("trace",), f"is not taken by {scenario.name}: its arrivals are its point"),))
    trace = trace.stretched(request.time_scale)
    if not trace.mean_per_second:
        raise Refused((Problem(("trace",), "has no arrivals, or all at one moment"),))
    scale = request.rate_scale or auto_rate(scenario) / trace.mean_per_second
    start, end = trace.window(scenario.duration_seconds, generator(request.seed, Stream.WINDOW))
    rng = generator(request.seed, Stream.ARRIVALS)
    if trace.session is not None:
        rows = arrivals.of_rows(trace, scale, rng).between(float(trace.at[0]), end)
        shifted = Trace(at=rows.at - (start - float(trace.at[0])), session=rows.session, turn=rows.turn)
        return sessions.recorded(shifted), end - start
    window = trace.between(start, end)
    at = arrivals.of_counts(window, scale, rng) if window.count is not None else arrivals.of_rows(window, scale, rng).at
    return _with_sessions(scenario, at, request.seed), end - start


def _with_sessions(scenario: Scenario, at: Floats, seed: int) -> Accesses:
    """Assign sessions, after a while before the run in which they come to be open."""
    rng = generator(seed, Stream.SESSIONS)
    model = scenario.workload.sessions
    before = sessions.before_seconds(model)
    early = min(RATE_BEFORE_SECONDS, scenario.duration_seconds)
    rate = float((at < early).sum()) / early
    earlier = np.sort(-before * rng.random(rng.poisson(rate * before)))
    return sessions.assigned(np.concatenate([earlier, at]), model, rng)


def _state_bytes(accesses: Accesses, state: RunState, rng: np.random.Generator) -> Floats:
    """Bytes of the cached run after each turn."""
    count = int(accesses.session.max(initial=-1)) + 1
    factor = unit_lognormal(rng, state.scv, count)
    began = np.full(count, np.inf)
    np.minimum.at(began, accesses.session, accesses.at)
    age_hours = (accesses.at - began[accesses.session]) / _HOUR
    own: Floats = state.bytes + state.per_turn * (accesses.number + 1) + state.per_hour * age_hours
    grown: Floats = own * factor[accesses.session] * growth(state, accesses.at)
    return grown


def growth(state: RunState, at: Floats) -> Floats:
    """What drift and step make of the bytes of a run that is touched then."""
    drift: Floats = 1 + state.drift_per_hour * np.maximum(at, 0.0) / _HOUR
    if state.step is None:
        return drift
    stepped: Floats = drift * np.where(at >= state.step.at.total_seconds(), state.step.factor, 1.0)
    return stepped


def _open_at_start(accesses: Accesses, state_bytes: Floats) -> tuple[Integers, Floats]:
    """The sessions that had a turn before the run, in the order of the last one, with their bytes."""
    before = np.flatnonzero(accesses.at < 0)
    newest_first = before[::-1]
    _, index = np.unique(accesses.session[newest_first], return_index=True)
    rows = np.sort(newest_first[index])
    return accesses.session[rows], state_bytes[rows]
