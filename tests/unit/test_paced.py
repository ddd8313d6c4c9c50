"""Keys are read together, but one that can't be read blinds none of the others."""

import asyncio
from collections.abc import Mapping, Sequence

from activities.sources.gate import SourceUnavailable
from activities.sources.paced import Kept, Paced

Key = tuple[str, str]  # a namespace, and a queue in it


class Reader:
    """Reads at once; a namespace `nope` is not there, a queue `odd` can't be read though others can."""

    def __init__(self) -> None:
        self.calls: list[list[Key]] = []

    async def fetch(self, keys: Sequence[Key]) -> Mapping[Key, int | SourceUnavailable]:
        self.calls.append(list(keys))
        if any(namespace == "nope" for namespace, _ in keys):
            raise SourceUnavailable("NOT_FOUND: namespace nope is not found")
        return {key: SourceUnavailable("it is odd") if key[1] == "odd" else len(self.calls) for key in keys}

    def paced(self) -> Paced[Key, int]:
        return Paced(self.fetch, lambda _: 0.05, batch=40, apart=lambda key: key[0])


async def watched(paced: Paced[Key, int], key: Key) -> list[Kept[int]]:
    """What a fleet gets that looks again and again."""
    seen = []
    for _ in range(8):
        seen.append(await paced.read(key))
        await asyncio.sleep(0.06)
    return seen


async def test_a_namespace_that_is_not_there_blinds_its_own_fleets_alone() -> None:
    reader = Reader()
    paced = reader.paced()

    good, bad = await asyncio.gather(watched(paced, ("default", "good")), watched(paced, ("nope", "bad")))

    assert all(kept.value is not None and kept.fault is None for kept in good)
    assert all(kept.fault == "NOT_FOUND: namespace nope is not found" for kept in bad)


async def test_queues_of_one_namespace_are_read_in_one_call() -> None:
    reader = Reader()
    paced = reader.paced()

    await asyncio.gather(*(paced.read(("default", f"queue-{number}")) for number in range(40)))

    assert [len(keys) for keys in reader.calls] == [40]


async def test_a_key_that_fails_among_others_fails_alone() -> None:
    paced = Reader().paced()

    good, odd = await asyncio.gather(paced.read(("default", "good")), paced.read(("default", "odd")))

    assert good == Kept(1)
    assert odd == Kept(None, "it is odd")
