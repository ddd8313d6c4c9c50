"""Whether a worker is ready, and what its readiness proves of the definition that it was started as."""

from dataclasses import replace

from activities.targets.supervisor.protocol import Place
from activities.targets.supervisor.state import Moment, SupervisorState, WorkerEntry


def is_ready(place: Place, state: SupervisorState, entry: WorkerEntry, now: Moment) -> bool:
    """Whether a worker that runs made its ready file, or is to be taken for ready without one.

    Where workers of its version were seen to make their ready files, only the file counts.
    """
    if place.ready(entry.name).exists():
        return True
    if state.wanted is None or entry.started_at is None:
        return state.wanted is None
    waited = now - entry.started_at >= state.wanted.supervision.ready_after_seconds
    return waited and entry.version != state.says_ready


def heard(place: Place, state: SupervisorState, now: Moment) -> SupervisorState:
    """With what the workers of the newest definition showed: that they come up, and that they say so."""
    if state.wanted is None:
        return state
    newest = state.wanted.definition
    known = state.proven is not None and state.proven.version == newest.version
    if known and state.says_ready == newest.version:
        return state
    running = [entry for entry in state.workers if entry.process is not None and entry.version == newest.version]
    if not known and any(is_ready(place, state, entry, now) for entry in running):
        state = replace(state, proven=newest, failed=None)
    if any(place.ready(entry.name).exists() for entry in running):
        state = replace(state, says_ready=newest.version)
    return state
