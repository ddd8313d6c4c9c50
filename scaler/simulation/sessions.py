"""Which session each turn belongs to, so that the gaps between the turns of one session are as declared.

The times are given; a turn goes to the session that has waited for one the longest, and to a new one where nobody
is due. So a burst brings new sessions, a lull lets the open ones wait, and who waits for too long is gone.
"""

import heapq
from dataclasses import dataclass
from typing import Final

import numpy as np

from scaler.simulation.draws import lognormal
from scaler.simulation.scenario import Sessions
from scaler.simulation.traces import Floats, Integers, Trace

LIFETIMES_BEFORE: Final = 2.0
LONGEST_BEFORE_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accesses:
    """Turns in the order of their times; those before 0 only say which sessions are open then."""

    at: Floats
    session: Integers
    number: Integers  # of the turn in its session, from 0
    last: np.ndarray  # whether its session has no turn after it

    def __len__(self) -> int:
        return len(self.at)


def before_seconds(model: Sessions) -> float:
    """For how long before a run the sessions have to be followed until as many are open as ever."""
    return min(LIFETIMES_BEFORE * model.turns * model.gap.mean_seconds, LONGEST_BEFORE_SECONDS)


def assigned(at: Floats, model: Sessions, rng: np.random.Generator) -> Accesses:
    """Give each turn to a session."""
    count = len(at)
    ends = (rng.random(count) < 1 / model.turns).tolist()
    gaps = lognormal(rng, model.gap, count).tolist()
    patience = model.patience.total_seconds()
    due: list[tuple[float, int]] = []
    turns_of: list[int] = []
    session, number = [0] * count, [0] * count
    for turn, now in enumerate(at.tolist()):
        while due and due[0][0] < now - patience:
            heapq.heappop(due)
        if due and due[0][0] <= now:
            owner = heapq.heappop(due)[1]
        else:
            owner = len(turns_of)
            turns_of.append(0)
        session[turn], number[turn] = owner, turns_of[owner]
        turns_of[owner] += 1
        if not ends[turn]:
            heapq.heappush(due, (now + gaps[turn], owner))
    return Accesses(at=at, session=np.array(session), number=np.array(number), last=np.array(ends, dtype=bool))


def recorded(trace: Trace) -> Accesses:
    """The sessions of a trace that has them."""
    assert trace.session is not None  # noqa: S101 (for the type checker)
    assert trace.turn is not None  # noqa: S101
    _, session = np.unique(trace.session, return_inverse=True)
    number = trace.turn - trace.turn.min(initial=0)
    last = np.zeros(len(trace.at), dtype=bool)
    _, from_behind = np.unique(session[::-1], return_index=True)
    last[len(trace.at) - 1 - from_behind] = True
    return Accesses(at=trace.at, session=session, number=number, last=last)


def in_turn(at: Floats, sessions: int) -> Accesses:
    """So many sessions, one after the other, round and round; nobody ever leaves."""
    order = np.arange(len(at))
    return Accesses(at=at, session=order % sessions, number=order // sessions, last=np.zeros(len(at), dtype=bool))
