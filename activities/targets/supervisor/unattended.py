"""Tells how a group stands without a supervisor, from what the last one wrote down. Starts and changes nothing."""

import time

from activities.targets.supervisor.client import NobodyListens, NoSupervisor, ask
from activities.targets.supervisor.protocol import Answer, Operation, Outcome, Place, Request
from activities.targets.supervisor.session import Sessions, boot_id
from activities.targets.supervisor.sight import Sight
from activities.targets.supervisor.state import StateUnreadable, SupervisorState, load
from activities.targets.supervisor.worker import Worker, found_again


async def ask_or_read(place: Place, request: Request) -> Answer:
    """Ask the supervisor for a look; where none answers, look at its file and at the processes that it names.

    Raises:
        NoSupervisor: One is there and does not answer, or its file can't be read.

    """
    if request.operation is not Operation.LOOK:
        raise ValueError(f"only looks change nothing, asked for {request.operation}")
    try:
        return await ask(place, request)
    except NobodyListens:
        return _read(place)


def _read(place: Place) -> Answer:
    try:
        state = load(place.state)
    except StateUnreadable as error:
        raise NoSupervisor(str(error)) from error
    now = time.monotonic()
    sight = Sight(place, state, _workers(place, state, now), now)
    return Answer(
        outcome=Outcome.DONE,
        record=state.record,
        revision=state.revision,
        look=sight.look(),
        enforcement=sight.enforcement(),
    )


def _workers(place: Place, state: SupervisorState, now: float) -> dict[int, Worker]:
    """Those whose processes live; process ids of another boot mean nothing."""
    if state.boot != boot_id():
        return {}
    sessions, found = Sessions(), {}
    for entry in state.workers:
        worker = found_again(entry, place.ready(entry.name))
        if worker is not None and not worker.has_ended():
            worker.measure(sessions, now)
            found[entry.number] = worker
    return found
