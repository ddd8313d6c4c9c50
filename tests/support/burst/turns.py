"""The turns of a burst: those of the live benchmark, each with its model calls and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.live.options import Options
from benchmarks.live.talk import agent, turns
from examples.agents.load import Load
from examples.agents.model_call import calls_of_turn


@dataclass(slots=True, kw_only=True)
class Turn:
    """One turn; times are seconds since the load began."""

    at: float
    conversation: int
    number: int
    calls: tuple[float, ...]  # seconds of each
    context_bytes: int
    done_calls: int = 0
    answered_at: float | None = None


def turns_of(options: Options) -> Iterator[Turn]:
    """Every turn of a load, in order."""
    load = Load(
        name="burst",
        seed=options.seed,
        agent=agent(options.state_kib, options.growth_kib),
        context_spread=options.spread,
    )
    for said in turns(options.phases, load):
        arrival, opening = said.arrival, load.opening(said.arrival.conversation)
        yield Turn(
            at=arrival.at_seconds,
            conversation=arrival.conversation,
            number=arrival.turn,
            calls=tuple(call.seconds for call in calls_of_turn(load.agent, opening.seed, arrival.turn)),
            context_bytes=opening.agent.context_bytes,
        )
