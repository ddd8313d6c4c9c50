"""What a conversation is told and what it answers.

Apart from the workflow, because the sandbox loads a workflow's own file anew for every run it caches.
"""

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What kind of agent talks: how much it remembers, and how long its model takes."""

    context_bytes: int = 1024 * KIB  # instructions and documents, there before the first turn
    bytes_per_turn: int = 16 * KIB
    bytes_per_message: int = 64 * KIB  # small: many objects; as large as the context: one
    most_calls_per_turn: int = 2
    mean_call_seconds: float = 1.5
    call_spread: float = 0.5  # of the logarithm: one call in twelve takes more than twice the median
    longest_call_in_means: float = 4.0
    idle_seconds: float = 120.0  # a user silent for so long has left
    events_per_run: int = 2000  # a longer history goes on in a new run: an evicted one is replayed as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Begins a conversation, or goes on with one in a new run."""

    agent: Agent
    seed: str
    answered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The user speaks; turns count from 0."""

    number: int
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The agent has answered a turn."""

    number: int
    model_calls: int
    transcript_bytes: int
