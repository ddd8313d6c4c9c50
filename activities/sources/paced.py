"""Reads of one kind for many fleets at once: each no more often than it changes, and all within their round.

Nobody waits long: a reading that is not there in time is found at the next look, and the last one keeps its own time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, TypeVar

from activities.sources.gate import SourceUnavailable

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

FIRST_PATIENCE_SECONDS, PATIENCE_SECONDS = 5.0, 2.0
GATHERING_SECONDS = 0.05
"""Keys that are asked for this soon after one another are read together."""

FORGOTTEN_SECONDS = 600.0
SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Kept(Generic[Value]):
    """What was read last, and why there is nothing newer; neither before the first reading has ended."""

    value: Value | None = None
    fault: str | None = None


@dataclass(slots=True)
class _Entry(Generic[Value]):
    asked_at: float
    tried_at: float = float("-inf")
    kept: Kept[Value] = field(default_factory=Kept)
    under_way: "asyncio.Task[None] | None" = None


class Paced(Generic[Key, Value]):
    """Readings by key.

    Args:
        fetch: Reads up to `batch` keys; raises `SourceUnavailable` where it can't. Of keys that it could not read while
            it could read others it returns that as their value.
        interval_seconds: How old a reading may be before it is read again; asked with the last value.
        batch: How many keys one fetch takes.
        apart: Keys for which this differs are never read together: one that can't be read may not blind the others.

    """

    def __init__(
        self,
        fetch: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value | SourceUnavailable]]],
        interval_seconds: Callable[[Value | None], float],
        batch: int = 1,
        apart: Callable[[Key], Hashable] = lambda _: None,
    ) -> None:
        self._fetch = fetch
        self._interval_seconds = interval_seconds
        self._batch = batch
        self._apart = apart
        self._entries: dict[Key, _Entry[Value]] = {}
        self._gathering: dict[Hashable, list[Key]] = {}
        self._swept_at = 0.0

    def __len__(self) -> int:
        """How many keys are asked for."""
        return len(self._entries)

    async def read(self, key: Key) -> Kept[Value]:
        """The newest reading, or the last one if that takes too long."""
        now = _now()
        entry = self._entries.setdefault(key, _Entry(now))
        entry.asked_at = now
        if entry.under_way is None and self._age(entry, now) >= 1:
            self._begin(key, entry)
        if entry.under_way is not None:
            await asyncio.wait({entry.under_way}, timeout=_patience_seconds(entry.kept))
        return entry.kept

    def _age(self, entry: _Entry[Value], now: float) -> float:
        """In intervals: 1 is due."""
        return (now - entry.tried_at) / self._interval_seconds(entry.kept.value)

    def _begin(self, key: Key, entry: _Entry[Value]) -> None:
        part = self._apart(key)
        gathering = self._gathering.get(part)
        if gathering and len(gathering) < self._batch:
            entry.under_way = self._entries[gathering[0]].under_way
        else:
            gathering = self._gathering[part] = []
            entry.under_way = asyncio.create_task(self._read(part, gathering))
        gathering.append(key)

    async def _read(self, part: Hashable, keys: list[Key]) -> None:
        if self._batch > 1:
            await asyncio.sleep(GATHERING_SECONDS)
        if keys is self._gathering.get(part):
            del self._gathering[part]
        self._fill(part, keys)
        entries = {key: self._entries[key] for key in keys}
        for entry in entries.values():
            entry.tried_at = _now()
        try:
            values = await self._fetch(keys)
        except SourceUnavailable as error:
            self._failed(entries, str(error))
        except Exception as error:
            # A defect in a source leaves its readings missing, with a reason; it must not end a tick.
            logging.getLogger(__name__).exception("Reading %s failed", keys[0])
            self._failed(entries, f"{type(error).__name__} in the controller; see its log")
        else:
            for key, entry in entries.items():
                self._told(entry, values[key])
        finally:
            for entry in entries.values():
                entry.under_way = None
            self._sweep()

    def _told(self, entry: _Entry[Value], value: Value | SourceUnavailable) -> None:
        entry.kept = Kept(entry.kept.value, str(value)) if isinstance(value, SourceUnavailable) else Kept(value)

    def _fill(self, part: Hashable, keys: list[Key]) -> None:
        """Take along what would be due soon."""
        if (room := self._batch - len(keys)) <= 0 or self._batch == 1:
            return
        now, task = _now(), asyncio.current_task()
        idle = [
            (self._age(entry, now), key)
            for key, entry in self._entries.items()
            if entry.under_way is None and self._apart(key) == part
        ]
        soon = sorted((each for each in idle if each[0] > 1 / 2), key=itemgetter(0), reverse=True)
        for _, key in soon[:room]:
            self._entries[key].under_way = task
            keys.append(key)

    def _failed(self, entries: Mapping[Key, _Entry[Value]], fault: str) -> None:
        for entry in entries.values():
            entry.kept = Kept(entry.kept.value, fault)

    def _sweep(self) -> None:
        """Forget what nobody asks for any more."""
        now = _now()
        if now - self._swept_at < SWEEP_SECONDS:
            return
        self._swept_at = now
        for key in [key for key, entry in self._entries.items() if now - entry.asked_at > FORGOTTEN_SECONDS]:
            if self._entries[key].under_way is None:
                del self._entries[key]


def _patience_seconds(kept: Kept[Value]) -> float:
    """Nobody waits again for what did not come the last time."""
    if kept.fault is not None:
        return 0.0
    return FIRST_PATIENCE_SECONDS if kept.value is None else PATIENCE_SECONDS


def _now() -> float:
    return asyncio.get_running_loop().time()
