"""Whose poll the server answers next: the one that has waited longest."""

from collections import deque
from typing import Generic, TypeVar

Kind = TypeVar("Kind")


class Rota(Generic[Kind]):
    """Workers with an open poll, in the order in which the polls came.

    Who takes a task and has room for another polls again, behind the others; so tasks go round.
    """

    __slots__ = ("_polls",)

    def __init__(self) -> None:
        self._polls: deque[Kind] = deque()

    def __bool__(self) -> bool:
        return bool(self._polls)

    def poll(self, worker: Kind) -> None:
        """A worker waits for a task."""
        self._polls.append(worker)

    def answered(self) -> Kind:
        """The worker that gets the next task; it polls no more."""
        return self._polls.popleft()

    def leave(self, worker: Kind) -> None:
        """A worker's poll is withdrawn."""
        self._polls.remove(worker)
