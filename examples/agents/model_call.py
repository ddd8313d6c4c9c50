"""The activity that stands for a call of a language model: it waits, and hardly computes."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity

from examples.agents.draws import draws
from examples.agents.messages import Agent

_SLACK: Final = timedelta(seconds=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call; its seed says how long it takes."""

    seed: str
    mean_seconds: float
    spread: float = 0.5  # see `Agent`
    longest_in_means: float = 4.0

    @property
    def timeout(self) -> timedelta:
        """When a call counts as lost with its worker. Heartbeats would tell sooner, but each one is billed."""
        return timedelta(seconds=self.longest_in_means * self.mean_seconds) + _SLACK

    @property
    def seconds(self) -> float:
        """How long the model takes."""
        in_means = draws(self.seed).lognormvariate(-self.spread * self.spread / 2, self.spread)
        return self.mean_seconds * min(in_means, self.longest_in_means)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """How long the model took. What it said is made where it is kept, see `transcript`."""

    seconds: float


def calls_of_turn(agent: Agent, seed: str, number: int) -> Iterator[ModelCall]:
    """The calls that one turn needs, one after another."""
    for call in range(draws(seed, "calls", number).randint(1, agent.most_calls_per_turn)):
        yield ModelCall(
            seed=f"{seed}/{number}/{call}",
            mean_seconds=agent.mean_call_seconds,
            spread=agent.call_spread,
            longest_in_means=agent.longest_call_in_means,
        )


@activity.defn(name="call_model")
async def call_model(call: ModelCall) -> ModelReply:
    """Wait as long as the model takes."""
    await asyncio.sleep(call.seconds)
    return ModelReply(seconds=call.seconds)
