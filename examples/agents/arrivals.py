"""When users speak, and in which conversation: a load that follows from a seed alone, never from how it is served.

So the same load can be replayed against two settings, and a slow one can't slow it down.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from examples.agents.draws import draws


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of load whose rate moves evenly from its start to its end."""

    name: str
    seconds: float
    turns_per_second: float
    turns_per_second_at_end: float | None = None  # default: it stays the same

    def rate(self, elapsed_seconds: float) -> float:
        """Turns per second so long after the phase began."""
        end = self.rate_at_end
        return self.turns_per_second + (end - self.turns_per_second) * elapsed_seconds / self.seconds

    @property
    def peak(self) -> float:
        """The highest rate of the phase, in turns per second."""
        return max(self.turns_per_second, self.rate_at_end)

    @property
    def rate_at_end(self) -> float:
        """What it comes to, in turns per second."""
        return self.turns_per_second if self.turns_per_second_at_end is None else self.turns_per_second_at_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """How people talk to an agent."""

    mean_turns: float = 6.0  # in one conversation
    mean_gap_seconds: float = 10.0  # from one turn to the next: the answer, reading it, thinking
    leave_after_seconds: float = 60.0  # who had no turn for so long; less than `Agent.idle_seconds`
    most_conversations: int = 400  # open at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One turn of one conversation; both count from 0."""

    at_seconds: float
    conversation: int
    turn: int
    last: bool


@dataclass(frozen=True, slots=True)
class _Open:
    conversation: int
    turns: int
    spoke_at: float
    ready_at: float


def arrivals(phases: Sequence[Phase], users: Users, seed: int) -> Iterator[Arrival]:
    """Every turn of a load, in order."""
    return conversations(arrival_times(phases, seed), users, seed)


def arrival_times(phases: Sequence[Phase], seed: int) -> Iterator[float]:
    """Poisson arrivals at the phases' rates: those of a steady peak rate, thinned."""
    chance = draws(seed, "times")
    began = 0.0
    for phase in phases:
        elapsed = 0.0
        while phase.peak > 0 and (elapsed := elapsed + chance.expovariate(phase.peak)) < phase.seconds:
            if chance.random() * phase.peak < phase.rate(elapsed):
                yield began + elapsed
        began += phase.seconds


def conversations(times: Iterable[float], users: Users, seed: int) -> Iterator[Arrival]:
    """Give each time to a user: mostly to one who is ready to go on, else to a new one."""
    chance = draws(seed, "users")
    ends = 1 / users.mean_turns
    begun = 0
    talking: list[_Open] = []
    for now in times:
        talking = [one for one in talking if now - one.spoke_at < users.leave_after_seconds]
        ready = [one for one in talking if one.ready_at <= now]
        full = len(talking) >= users.most_conversations
        if ready and (full or chance.random() >= ends):
            speaker = chance.choice(ready)
        elif full:
            speaker = min(talking, key=lambda one: one.ready_at)
        else:
            speaker = _Open(begun, 0, now, now)
            talking.append(speaker)
            begun += 1
        last = chance.random() < ends
        yield Arrival(at_seconds=now, conversation=speaker.conversation, turn=speaker.turns, last=last)
        talking.remove(speaker)
        if not last:
            gap = users.mean_gap_seconds * (1 + chance.expovariate(1)) / 2
            talking.append(_Open(speaker.conversation, speaker.turns + 1, now, now + gap))
