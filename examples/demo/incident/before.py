"""The side before: workers sized by a CPU rule, and an operator who cuts the cache. No workflow of this product."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from activities.targets.contract import TargetLook, TargetUnreachable
from activities.targets.local import LocalTarget
from activities.targets.supervisor.ending import end_group
from activities.targets.supervisor.protocol import Place
from devserver import Server
from examples.demo.cast import Cast
from examples.demo.incident.cast import CUT_CACHE, FIRST_SIZE, RULE
from examples.demo.incident.cpu_meter import CpuMeter
from examples.demo.incident.cpu_rule import CpuReading, Wish, instances, wished
from examples.demo.incident.script import CUT_AT_SECONDS, WARM_UP_SECONDS
from examples.demo.recorder import Thought
from examples.demo.stage import connected, local_target
from scaler.cli.exits import CommandFailed, Exit
from scaler.model.common import Generation, Owner, Size
from scaler.model.observation import WorkerState
from scaler.model.plan import Plan, Stamp

RULE_SECONDS = 5.0
_LOOK_SECONDS = 0.2


@dataclass(slots=True, kw_only=True)
class Platform:
    """What runs the workers, and does with them as it is told."""

    client: Client
    cast: Cast
    target: LocalTarget
    place: Place
    size: Size = FIRST_SIZE
    reasons: tuple[str, ...] = ()
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever changes it: a deploy is several steps."""
    _plans: int = field(default=0)

    async def thought(self) -> Thought | None:
        """Who made the last change, and why."""
        return Thought(reasons=self.reasons)

    async def begin(self) -> None:
        """Start the first workers."""
        await self._step(Plan(size=None, until=datetime.now(UTC)))
        await self.resize(FIRST_SIZE, ())

    async def resize(self, size: Size, reasons: tuple[str, ...]) -> None:
        """Run so many workers; those that start from now on get this cache."""
        self.size, self.reasons = size, reasons
        await self._step(Plan(size=size, until=datetime.now(UTC)))

    async def deploy(self, cache: int, reasons: tuple[str, ...]) -> None:
        """Replace all workers by ones with another cache: the new ones serve before the old ones are drained."""
        old = [worker.seen.name for worker in (await self._look()).workers]
        self.size, self.reasons = Size(self.size.workers, cache), reasons
        await self._step(Plan(size=self.size, surge=self.size.workers, until=datetime.now(UTC)))
        while not self._serve(await self._look(), old):  # noqa: ASYNC110 (their supervisor has no event here)
            await asyncio.sleep(_LOOK_SECONDS)
        await self._step(Plan(size=self.size, replace=tuple(old), until=datetime.now(UTC)))

    def _serve(self, look: TargetLook, old: Sequence[str]) -> bool:
        """Whether as many new workers serve as are to run."""
        new = [worker.seen for worker in look.workers if worker.seen.name not in old]
        return sum(worker.state is WorkerState.READY for worker in new) >= self.size.workers

    async def _look(self) -> TargetLook:
        return await self.target.look(self.cast.fleet)

    async def _step(self, plan: Plan) -> None:
        self._plans += 1
        stamp = Stamp(
            owner=Owner(self.client.namespace, "the platform's CPU rule"),
            generation=Generation(1.0, self._plans),
            wake_from=datetime.now(UTC),
        )
        try:
            applied = (await self.target.step(self.cast.fleet, plan, stamp)).applied
        except TargetUnreachable as silence:
            raise CommandFailed(Exit.REFUSED, str(silence)) from silence
        if not applied.settled:
            raise CommandFailed(Exit.REFUSED, f"the workers can't be resized: {applied.detail or applied.outcome}")


@asynccontextmanager
async def set_platform(cast: Cast, folder: Path, server: Server) -> AsyncIterator[Platform]:
    """Have the first workers for as long as the body runs."""
    client = await connected(server)
    target = local_target(cast, folder, server, client)
    platform = Platform(client=client, cast=cast, target=target, place=Place(target.directory(cast.fleet)))
    try:
        await platform.begin()
        yield platform
    finally:
        await end_group(platform.place)


class Operations:
    """What is done to the workers while the load runs: the CPU rule all the time, and the operator once.

    The rule begins when the warm-up has ended: it would answer the quiet of a load that only begins.

    Args:
        platform: What is told.
        meter: What the rule reads.

    """

    def __init__(self, platform: Platform, meter: CpuMeter) -> None:
        self.wishes: list[Wish] = []
        self._platform = platform
        self._meter = meter

    async def run(self) -> None:
        """Apply the rule again and again, before and after the operator's cut; until cancelled."""
        async with asyncio.TaskGroup() as hands:
            hands.create_task(self._cut())
            hands.create_task(self._follow())

    async def _cut(self) -> None:
        await asyncio.sleep(CUT_AT_SECONDS)
        async with self._platform.busy:
            await self._platform.deploy(CUT_CACHE, ("operator",))

    async def _follow(self) -> None:
        await asyncio.sleep(WARM_UP_SECONDS)
        first = len(self._meter.readings)
        while True:
            async with self._platform.busy:
                await self._apply(self._meter.readings[first:])
            await asyncio.sleep(RULE_SECONDS)

    async def _apply(self, readings: Sequence[CpuReading]) -> None:
        wish = wished(readings, RULE)
        if wish is None:
            return
        if not self.wishes:  # what stood when the rule began is held like a wish
            self.wishes.append(replace(wish, instances=self._platform.size.workers))
        self.wishes.append(wish)
        workers, size = instances(self.wishes, RULE), self._platform.size
        if workers != size.workers:
            await self._platform.resize(Size(workers, size.cache), (f"CPU at {wish.share:.0%}",))
