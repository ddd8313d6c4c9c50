"""A real controller process with a few local groups, for tests of the command line; ends all that it started."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client

from activities.targets.supervisor.client import NoSupervisor
from tests.support.command_line import CommandLine, line_of
from tests.support.local_fleet import LocalFleet, fleet, group

GROUPS = ("alpha", "beta", "gamma", "delta", "epsilon")


@dataclass(frozen=True)
class Site:
    """A directory with a configuration of some groups whose workers sleep, and the command line in it."""

    directory: Path
    namespace: str
    run: CommandLine

    @classmethod
    def made(cls, directory: Path, client: Client) -> "Site":
        """Write the configuration."""
        groups = {
            name: {"command": ["sleep", "1000"], "directory": "/", "memory_limit": "256Mi", "ready_after": "1s"}
            for name in GROUPS
        }
        configuration = {"targets": {"local": groups}, "state_directory": "state"}
        (directory / "temporal-scaler.yaml").write_text(json.dumps(configuration))
        settings = {
            "TEMPORAL_ADDRESS": client.service_client.config.target_host,
            "TEMPORAL_NAMESPACE": client.namespace,
        }
        return cls(directory, client.namespace, CommandLine(directory, settings))

    def fleet_file(self, name: str, **changes: Any) -> str:
        """A fleet of two to four workers on the group of that name."""
        file = self.directory / f"{name}.json"
        file.write_text(self.declared(name, **changes))
        return str(file)

    def declared(self, name: str, **changes: Any) -> str:
        """The same as text."""
        plain: dict[str, Any] = {
            "name": name,
            "target": {"kind": "local", "name": name},
            "task_queues": [{"name": name}],
            "workers": {"min": 2, "max": 4},
            "behaviour": {"drain": "5s"},
        }
        return json.dumps(plain | changes, indent=2)

    def group(self, name: str) -> LocalFleet:
        """The group itself, behind the controller's back."""
        of = fleet(target={"kind": "local", "name": name})
        return LocalFleet(self.directory / "state" / self.namespace, group("sleep", "1000"), of)

    async def pids(self, name: str) -> tuple[int, ...]:
        """The processes of a group's workers; none where nobody supervises any."""
        try:
            answer = await self.group(name).answer()
        except NoSupervisor:
            return ()
        return tuple(worker.process_id for worker in answer.look.workers if worker.process_id is not None)

    async def pids_once(self, name: str, count: int) -> tuple[int, ...]:
        """The same, once there are so many."""
        found: tuple[int, ...] = ()
        async with asyncio.timeout(30):
            while len(found := await self.pids(name)) != count:  # noqa: ASYNC110 (another process sets no event here)
                await asyncio.sleep(0.1)
        return found

    async def ready_once(self, name: str, count: int) -> None:
        """Wait until the fleet itself has seen so many ready workers."""
        async with asyncio.timeout(30):
            while await self._ready(name) != count:  # noqa: ASYNC110 (another process sets no event here)
                await asyncio.sleep(0.5)

    async def _ready(self, name: str) -> int:
        state = json.loads((await self.run("status", name, "-o", "json")).out)
        totals = state["observation"]["totals"] if state["observation"] is not None else {}
        return sum(totals.get("ready", []))

    async def end(self) -> None:
        """End supervisors and workers of all groups, by their process ids."""
        for name in GROUPS:
            await self.group(name).end()


@asynccontextmanager
async def controller(site: Site, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`temporal-scaler run`, serving."""
    async with site.run.running("run", *options) as process:
        await line_of(process, "Serving worker-scaler")
        yield process
