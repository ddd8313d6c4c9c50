"""`demo incident`: the incident that this product is for, before and after, on real workers."""

from datetime import UTC, datetime

from scaler.cli.demo.folder import Folder
from scaler.cli.demo.interruption import interruptible
from scaler.cli.demo.needs import needing
from scaler.cli.demo.request import Request
from scaler.cli.exits import Exit
from scaler.cli.options import SHOWN, Output


async def incident(
    *,
    seed: int = 1,
    address: str | None = None,
    namespace: str = "default",
    output: Output = SHOWN,
) -> Exit:
    """Replay an incident twice: as it was, sized by CPU and repaired by hand, and under this product.

    The same load both times, on real workers with real memory limits. It takes about eight minutes, and ends by itself
    with a table and a picture; so does all that it started.

    Args:
        seed: The load follows from it.
        address: HOST:PORT of a Temporal server to use instead of one of its own.
        namespace: Namespace on that server.
        output: How it is told; with json the last line is one JSON object.

    """
    show = needing("scaler.cli.demo.incident.show")
    folder = Folder.made("incident", datetime.now(UTC))
    request = Request(folder=folder, seed=seed, address=address, namespace=namespace, output=output)
    return await interruptible(show.show(request), folder.kill_groups)
