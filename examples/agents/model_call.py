"""The activity that stands for a call of a language model: it waits, and hardly computes."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity

from examples.agents.draws import draws
from examples.agents.messages import Agent

_SPREAD: Final = 0.5
"""Of the logarithm: one call in twelve takes more than twice the median."""

_LONGEST_IN_MEANS: Final = 4.0
_SLACK: Final = timedelta(seconds=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call; its seed says how long it takes."""

    seed: str
    mean_seconds: float

    @property
    def timeout(self) -> timedelta:
        """When a call counts as lost with its worker. Heartbeats would tell sooner, but each one is billed."""
        return timedelta(seconds=_LONGEST_IN_MEANS * self.mean_seconds) + _SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """How long the model took. What it said is made where it is kept, see `transcript`."""

    seconds: float


def calls_of_turn(agent: Agent, seed: str, number: int) -> Iterator[ModelCall]:
    """The calls that one turn needs, one after another."""
    for call in range(draws(seed, "calls", number).randint(1, agent.most_calls_per_turn)):
        yield ModelCall(seed=f"{seed}/{number}/{call}", mean_seconds=agent.mean_call_seconds)


@activity.defn(name="call_model")
async def call_model(call: ModelCall) -> ModelReply:
    """Wait as long as the model takes."""
    in_means = draws(call.seed).lognormvariate(-_SPREAD * _SPREAD / 2, _SPREAD)
    seconds = call.mean_seconds * min(in_means, _LONGEST_IN_MEANS)
    await asyncio.sleep(seconds)
    return ModelReply(seconds=seconds)
