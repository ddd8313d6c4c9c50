"""Says in words why a fleet is the size it is. Pure."""

from scaler.model.state import State


def markdown(state: State) -> str:
    """What the Web UI shows of a fleet."""
    decision, seen = state.decision, state.observation
    if decision is None or seen is None:
        return "Looking at the target for the first time."
    size = decision.size
    workers = f"{size.workers} workers" if size is not None else "size unknown"
    cache = f" × cache {size.cache}" if size is not None and size.cache is not None else ""
    lines = [
        f"**{decision.mode.value.replace('_', ' ')}**: {workers}{cache}",
        f"- workers bound by {decision.workers_bound.value}, cache by {decision.cache_bound.value}",
        f"- reasons: {', '.join(decision.reasons) or 'none'}",
        f"- decided {decision.at:%H:%M:%S} UTC, seen {seen.observed_at:%H:%M:%S}",
    ]
    lines += [f"- fault: {fault.source}: {fault.message}" for fault in seen.faults]
    return "\n".join(lines)
