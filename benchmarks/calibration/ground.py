"""What every experiment stands on: a stock Temporal server of its own, a client, and worker processes."""

import asyncio
import json
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from temporalio.client import Client

from benchmarks.calibration.subject import Made
from benchmarks.calibration.worker_process import WorkerProcess
from devserver import PINNED_BUILD, ServerRequest, provide

ROOT: Final = Path(__file__).parents[2]
READY_SECONDS: Final = 60.0


@dataclass(slots=True)
class Ground:
    """A server with nothing else to do, and what was started on it."""

    client: Client
    server_version: str
    folder: Path
    _ends: AsyncExitStack = field(repr=False)

    def queue(self, name: str) -> str:
        """A task queue that nobody used before."""
        return f"{name}-{secrets.token_hex(3)}"

    async def worker(self, made: Made) -> WorkerProcess:
        """A worker that polls; it is ended with the experiment if it was not before."""
        worker = await self.starting_worker(made)
        await worker.polls(READY_SECONDS)
        return worker

    async def starting_worker(self, made: Made) -> WorkerProcess:
        """The same, not waited for."""
        line, port = command(self.client, made, self.folder)
        files = Path(json.loads(line[-1])["files"])
        began = asyncio.get_running_loop().time()
        process = await asyncio.create_subprocess_exec(*line, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
        worker = WorkerProcess(process=process, files=files, metrics_port=port, began=began)
        self._ends.push_async_callback(worker.kill)
        return worker


def command(client: Client, made: Made, folder: Path) -> tuple[tuple[str, ...], int]:
    """The command line of a worker, and the port where it shows its metrics."""
    port = _free_port()
    told = {
        **asdict(made),
        "address": client.service_client.config.target_host,
        "namespace": client.namespace,
        "files": tempfile.mkdtemp(dir=folder),
        "metrics_port": port,
    }
    return (sys.executable, "-m", "benchmarks.calibration.subject", json.dumps(told)), port


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Have a fresh server; all that was started on it ends with it."""
    with tempfile.TemporaryDirectory(prefix="calibration-") as folder:
        request = ServerRequest(
            folder=Path(folder) / "server",
            sources=PINNED_BUILD,
            web_ui=False,
            dynamic_config={"frontend.namespaceRPS": 20_000, "frontend.namespaceRPS.visibility": 1000},
        )
        request.folder.mkdir()
        async with provide(request) as server, AsyncExitStack() as ends:
            client = await Client.connect(server.address, namespace=server.namespace)
            yield Ground(client=client, server_version=server.version, folder=Path(folder), _ends=ends)


def _free_port() -> int:
    with socket.socket() as looked_for:
        looked_for.bind(("127.0.0.1", 0))
        return int(looked_for.getsockname()[1])
