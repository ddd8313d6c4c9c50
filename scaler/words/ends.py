"""Says of workers that end again and again what is known: how often, how, and where to look. Pure."""

from scaler.model.observation import FailingSeen


def failing_words(failing: FailingSeen | None) -> str:
    """As the end of a sentence."""
    if failing is None:
        return "nothing is known of how"
    times = "once" if failing.starts == 1 else f"{failing.starts} times"
    parts = [f"{failing.worker} was started {times}"]
    if failing.status is not None:
        by_signal = failing.status < 0
        parts.append(f"ended by signal {-failing.status}" if by_signal else f"ended with status {failing.status}")
    if failing.last_line:
        # As code, so that no page takes what a program wrote for a link.
        parts.append("its last words: `" + failing.last_line.replace("`", "'") + "`")
    if failing.log:
        parts.append(f"the rest is in {failing.log}")
    return "; ".join(parts)
