"""What users of the benchmark say and when: turns of conversations that never end, from a seed alone. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from examples.agents.arrivals import Arrival, Phase, arrival_times
from examples.agents.draws import draws
from examples.agents.load import Load
from examples.agents.messages import KIB, Agent
from examples.agents.model_call import calls_of_turn

NEW_CONVERSATION: Final = 0.4
"""Share of turns that open a conversation; the others go on with one that is at rest."""

SHORTEST_THOUGHT_SECONDS: Final = 5.0
MEAN_FURTHER_THOUGHT_SECONDS: Final = 10.0
NEVER_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One turn, and how long its model calls take together."""

    arrival: Arrival
    model_seconds: float


def agent(state_kib: int, growth_kib: int) -> Agent:
    """Who is talked to: one to three model calls of 1.5 s a turn, and one large object as its state."""
    return Agent(
        context_bytes=state_kib * KIB,
        bytes_per_turn=growth_kib * KIB,
        bytes_per_message=max(state_kib, growth_kib, 1) * 8 * KIB,
        most_calls_per_turn=3,
        mean_call_seconds=1.5,
        call_spread=0.6,
        longest_call_in_means=16 / 3,
        idle_seconds=NEVER_SECONDS,
        events_per_run=50_000,
    )


def turns(phases: Sequence[Phase], load: Load) -> Iterator[Said]:
    """Every turn of the load, in order."""
    chance = draws(load.seed, "who")
    at_rest_from: list[float] = []  # by conversation: its user has read the answer and thought
    begun: list[int] = []
    for now in arrival_times(phases, load.seed):
        at_rest = [conversation for conversation, since in enumerate(at_rest_from) if since <= now]
        if not at_rest or chance.random() < NEW_CONVERSATION:
            conversation = len(begun)
            at_rest_from.append(0.0)
            begun.append(0)
        else:
            conversation = chance.choice(at_rest)
        said = _said(load, Arrival(at_seconds=now, conversation=conversation, turn=begun[conversation], last=False))
        yield said
        begun[conversation] += 1
        thought = SHORTEST_THOUGHT_SECONDS + chance.expovariate(1 / MEAN_FURTHER_THOUGHT_SECONDS)
        at_rest_from[conversation] = now + said.model_seconds + thought


def _said(load: Load, arrival: Arrival) -> Said:
    calls = calls_of_turn(load.agent, load.opening(arrival.conversation).seed, arrival.turn)
    return Said(arrival=arrival, model_seconds=sum(call.seconds for call in calls))
