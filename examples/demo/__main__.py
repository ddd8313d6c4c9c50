"""`python -m examples.demo`: shows a real fleet being sized, and ends all that it started; `incident` replays one."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from examples.demo.folder import Folder
from examples.demo.needs import needing
from examples.demo.request import Request
from scaler.cli.exits import CommandFailed, Exit
from scaler.cli.interruption import interruptible
from scaler.cli.main import main
from scaler.cli.options import SHOWN, Duration, Output
from scaler.wire.units import format_duration

SHORTEST, LONGEST = timedelta(seconds=10), timedelta(hours=1)
PROGRAM = "python -m examples.demo"


async def demo(
    *,
    length: Annotated[Duration, Parameter(name="--for")] = timedelta(minutes=3),
    seed: int = 1,
    address: str | None = None,
    namespace: str = "default",
    output: Output = SHOWN,
) -> Exit:
    """Show a real fleet being sized: workers and cache, on a Temporal server of its own, under a real load.

    It ends by itself with a summary and a picture, and so does all that it started. The first time a Temporal server
    may have to be built, which takes minutes.

    Args:
        length: How long the load lasts: a quiet phase, a ramp and a burst in it; default 3m.
        seed: The load follows from it.
        address: HOST:PORT of a Temporal server to use instead of one of its own.
        namespace: Namespace on that server.
        output: How it is told; with json the last line is one JSON object.

    """
    if not SHORTEST <= length <= LONGEST:
        allowed = f"{format_duration(SHORTEST)} to {format_duration(LONGEST)}"
        raise CommandFailed(Exit.USAGE, f"--for must be {allowed}, found {format_duration(length)}")
    show = needing("examples.demo.show")
    request = Request(
        folder=Folder.made("demo", datetime.now(UTC)), seed=seed, address=address, namespace=namespace, output=output
    )
    return await interruptible(show.show(request, length), request.folder.kill_groups)


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
    show = needing("examples.demo.incident.show")
    folder = Folder.made("incident", datetime.now(UTC))
    request = Request(folder=folder, seed=seed, address=address, namespace=namespace, output=output)
    return await interruptible(show.show(request), folder.kill_groups)


def demos() -> App:
    """Both of them."""
    app = App(name=PROGRAM, help_epilogue="")
    app.default(demo)
    app.command(incident, name="incident", help_epilogue="")
    return app


if __name__ == "__main__":
    main(demos)
