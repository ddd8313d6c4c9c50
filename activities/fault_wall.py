"""The wall between a tick and what it asks: whatever is raised behind it is a missing reading with a reason."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from scaler.model.observation import Fault

Value = TypeVar("Value")

LONGEST_WORDS = 300
"""A vendor may put a whole answer into an error; a fault goes into every observation."""

LOGGED_AGAIN_SECONDS = 60.0
"""A source that fails is asked again every second; its traceback is logged once a minute."""


@dataclass(frozen=True, slots=True)
class Told(Generic[Value]):
    """What was told, or what stands for it; with the reason where it is missing."""

    value: Value
    faults: tuple[Fault, ...] = ()


class FaultWall:
    """Nothing that is asked through it raises, but for a cancellation of whoever asks.

    Args:
        expected: Failures whose words are fit for an operator. Of all others only the kind is told, since their words
            may hold a secret; their traceback is in the log.

    """

    def __init__(self, *expected: type[Exception]) -> None:
        self._expected = expected
        self._logged_at: dict[tuple[str, str], float] = {}

    async def told(
        self, source: str, ask: Callable[[], Awaitable[Value]], missing: Value, seconds: float
    ) -> Told[Value]:
        """The answer, or `missing` with a fault: after so many seconds, or where anything was raised."""
        try:
            async with asyncio.timeout(seconds):
                return Told(await ask())
        except TimeoutError:
            return Told(missing, (Fault(source, f"no answer within {seconds:.0f} s"),))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Told(missing, (Fault(source, self._words(source, error)),))
        except Exception as error:  # noqa: BLE001 (a vendor may raise anything; the fleet is held with a reason)
            return Told(missing, (Fault(source, self._words(source, error)),))

    def worked_out(self, source: str, make: Callable[[], Value], missing: Value) -> Told[Value]:
        """The same for what needs no waiting."""
        try:
            return Told(make())
        except Exception as error:  # noqa: BLE001 (a defect holds the fleet with a reason; it must not end the loop)
            return Told(missing, (Fault(source, self._words(source, error)),))

    def _words(self, source: str, error: BaseException) -> str:
        if isinstance(error, self._expected) and str(error).strip():
            return str(error).strip().splitlines()[0][:LONGEST_WORDS]
        kind, now = type(error).__name__, time.monotonic()
        logged_at = self._logged_at.get((source, kind))
        if logged_at is None or now - logged_at > LOGGED_AGAIN_SECONDS:
            self._logged_at[source, kind] = now
            logging.getLogger(__name__).error("Asking %s failed", source, exc_info=error)
        return f"{kind} in the controller; see its log"
