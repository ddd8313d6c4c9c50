"""What an agent remembers of a conversation: messages with their text, held in the worker's cache.

The text follows from a seed, so a replay makes the same one and it never passes through a payload or a history.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from examples.agents.draws import draws
from examples.agents.messages import Opening

_WORDS: Final = ("your", "order", "was", "sent", "today", "the", "refund", "has", "been", "made", "thank", "you")
_WORDS_PER_PASSAGE: Final = 160


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a transcript."""

    role: str
    text: str


class Transcript:
    """Begins with what the agent knows, and grows with every turn."""

    def __init__(self, opening: Opening) -> None:
        self._seed = opening.seed
        self._agent = opening.agent
        self.messages = list(self._written("context", self._agent.context_bytes))
        for number in range(opening.answered):
            self.add_turn(number)

    def add_turn(self, number: int) -> None:
        """Remember what was said in this turn."""
        self.messages.extend(self._written(f"turn {number}", self._agent.bytes_per_turn))

    @property
    def text_bytes(self) -> int:
        """How much text is remembered; the objects around it come on top."""
        return sum(len(message.text) for message in self.messages)

    def _written(self, role: str, size: int) -> Iterator[Message]:
        passage = " ".join(draws(self._seed, role).choices(_WORDS, k=_WORDS_PER_PASSAGE))
        for written in range(0, size, self._agent.bytes_per_message):
            length = min(self._agent.bytes_per_message, size - written)
            yield Message(role, (passage * (length // len(passage) + 1))[:length])
