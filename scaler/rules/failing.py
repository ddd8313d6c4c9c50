"""Workers that end as soon as they start: named while it lasts, and no reason to start more of them. Pure."""

from scaler.model.decision import Reason
from scaler.model.observation import Observation


def failing_reasons(seen: Observation) -> tuple[Reason, ...]:
    """What to say of it."""
    failing = seen.target.failing
    if failing is None:
        return ()
    if failing.ever_ready:
        return (Reason.WORKERS_CRASHING,)
    return (Reason.WORKERS_NEVER_READY if never_ready(seen) else Reason.VERSION_TAKEN_BACK,)


def never_ready(seen: Observation) -> bool:
    """Whether no worker was ever ready of what a worker that starts now would be."""
    failing, target = seen.target.failing, seen.target
    return failing is not None and not failing.ever_ready and failing.version == target.version


def none_comes_up(seen: Observation) -> bool:
    """Whether that leaves the fleet without a worker that serves."""
    return never_ready(seen) and not seen.ready_count
