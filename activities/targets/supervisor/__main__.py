"""A supervisor's command line: how a target starts one, and how a person looks at a group or moves it by hand.

`start` returns once a detached supervisor answers, `run` is one in the foreground. Both leave the workers serving
when they end.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from activities.targets.supervisor.client import NoSupervisor, ask
from activities.targets.supervisor.daemon import Supervisor
from activities.targets.supervisor.detach import detached, lock
from activities.targets.supervisor.group import Group
from activities.targets.supervisor.logs import log_to
from activities.targets.supervisor.protocol import ANSWERS, Operation, Outcome, Place, Request
from activities.targets.supervisor.state import StateUnreadable

_COMMANDS: Final = {
    "start": "have a supervisor running, detached",
    "run": "be the supervisor, in the foreground",
    "look": "print all that the supervisor knows, as JSON",
    "scale": "want another number of workers, as somebody else's hand",
    "shutdown": "end the supervisor if it has no workers",
}


def main() -> int:
    """Do what the command line says; the exit status is 0 if that was done."""
    parser = argparse.ArgumentParser(prog="python -m activities.targets.supervisor", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    for name, meaning in _COMMANDS.items():
        command = commands.add_parser(name, help=meaning)
        command.add_argument("directory", type=Path, help="where the group's state is")
        if name == "scale":
            command.add_argument("workers", type=int, help="how many are wanted")
    given = parser.parse_args()
    place = Place(given.directory.absolute())
    try:
        if given.command in ("start", "run"):
            return _supervise(place, apart=given.command == "start")
        request = Request(operation=Operation(given.command), workers=getattr(given, "workers", None))
        return asyncio.run(_ask(place, request))
    except (NoSupervisor, StateUnreadable, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _supervise(place: Place, *, apart: bool) -> int:
    place.make()
    if not lock(place):
        return 0

    def serve(on_ready: Callable[[], None]) -> None:
        place.lock.write_text(f"{os.getpid()}")
        log_to(place.logs / "supervisor.log")
        asyncio.run(Supervisor(place, Group(place, time.monotonic())).run(on_ready))

    if apart:
        detached(place, serve)
    else:
        serve(lambda: None)
    return 0


async def _ask(place: Place, request: Request) -> int:
    answer = await ask(place, request)
    if answer.outcome is not Outcome.DONE:
        sys.stderr.write(f"{answer.detail}\n")
        return 1
    if request.operation is Operation.LOOK:
        sys.stdout.write(ANSWERS.dump_json(answer, indent=2).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
